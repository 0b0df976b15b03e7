//! The switches of a recipe.

use super::diagnostic::{Code, Diagnostic};
use super::fields::Fields;
use super::read::Reader;
use super::setting::Setting;
use super::span::Spanned;
use super::yaml::{Node, Value};

/// Which compilers a recipe is built with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Toolchain {
    /// clang and the LLVM tools.
    #[default]
    Llvm,
    /// gcc and the GNU tools.
    Gnu,
}

/// What is done, or not done, besides running the scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Whether scripts may use the network.
    pub networking: Setting<bool>,
    /// Which compilers are used.
    pub toolchain: Setting<Toolchain>,
    /// Whether binaries are stripped.
    pub strip: Setting<bool>,
    /// Whether debug information is split into a package of its own.
    pub debug: Setting<bool>,
    /// Whether libtool's `*.la` files are removed.
    pub lastrip: Setting<bool>,
    /// Whether a 32-bit build is wanted as well.
    pub emul32: Setting<bool>,
    /// Whether a profile-guided build has a context-sensitive pass.
    pub cspgo: Setting<bool>,
    /// Whether a profile-guided build samples instead of instrumenting.
    pub samplepgo: Setting<bool>,
    /// Whether programs are linked with mold.
    pub mold: Setting<bool>,
    /// Whether manual and info pages are compressed.
    pub compressman: Setting<bool>,
}

/// The keys read here.
pub(crate) const KEYS: &[&str] = &[
    "networking",
    "toolchain",
    "strip",
    "debug",
    "lastrip",
    "emul32",
    "cspgo",
    "samplepgo",
    "mold",
    "compressman",
    "tuning",
];

/// A change to the compiler's flags, by the name of a group of flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuning {
    /// The group.
    pub name: Spanned<String>,
    /// What is done with it; where only its name stands, that is the place.
    pub value: Spanned<TuningValue>,
}

/// What is done with a group of flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TuningValue {
    /// It is switched on.
    Enabled,
    /// It is switched off.
    Disabled,
    /// One of its choices is taken.
    Choice(String),
}

impl Reader<'_> {
    /// The switches among a recipe's fields.
    pub(crate) fn options(&mut self, fields: &mut Fields<'_>) -> Options {
        Options {
            networking: self.switch(fields, "networking", false),
            toolchain: self.toolchain(fields),
            strip: self.switch(fields, "strip", true),
            debug: self.switch(fields, "debug", true),
            lastrip: self.switch(fields, "lastrip", true),
            emul32: self.not_honoured(fields, "emul32"),
            cspgo: self.not_honoured(fields, "cspgo"),
            samplepgo: self.not_honoured(fields, "samplepgo"),
            mold: self.not_honoured(fields, "mold"),
            compressman: self.not_honoured(fields, "compressman"),
        }
    }

    fn switch(&mut self, fields: &mut Fields<'_>, key: &str, default: bool) -> Setting<bool> {
        let given = fields.given(self, key);
        let given = given.and_then(|node| self.flag(node, &format!("`{key}`")));
        Setting::given_or(given, default)
    }

    /// A switch that builds do not act on yet.
    fn not_honoured(&mut self, fields: &mut Fields<'_>, key: &str) -> Setting<bool> {
        let switch = self.switch(fields, key, false);
        if let Some(span) = switch.span()
            && *switch
        {
            self.report(Diagnostic::note(
                Code::NotHonoured,
                span,
                format!("`{key}` is not acted on by builds"),
            ));
        }
        switch
    }

    fn toolchain(&mut self, fields: &mut Fields<'_>) -> Setting<Toolchain> {
        let given = fields.given(self, "toolchain");
        let given = given.and_then(|node| self.given_toolchain(node));
        Setting::given_or(given, Toolchain::default())
    }

    fn given_toolchain(&mut self, node: &Node) -> Option<Spanned<Toolchain>> {
        let text = self.filled(node, "`toolchain`")?;
        let toolchain = match text.as_str() {
            "llvm" => Toolchain::Llvm,
            "gnu" => Toolchain::Gnu,
            _ => {
                self.report(Diagnostic::error(
                    Code::BadChoice,
                    node.span,
                    format!("`toolchain` is llvm or gnu, not `{text}`"),
                ));
                return None;
            }
        };
        Some(Spanned::new(toolchain, node.span))
    }

    /// The list of changes to compiler flags.
    pub(crate) fn tuning(&mut self, node: &Node) -> Vec<Tuning> {
        let items = self.items(node, "`tuning`");
        items.iter().filter_map(|item| self.tuned(item)).collect()
    }

    fn tuned(&mut self, item: &Node) -> Option<Tuning> {
        let (name, value) = match &item.value {
            Value::Scalar { .. } => (item, Spanned::new(TuningValue::Enabled, item.span)),
            Value::Sequence(_) | Value::Mapping(_) => {
                let (name, value) = self.single(item, "an entry of `tuning`")?;
                let text = self.filled(value, "a choice of `tuning`")?;
                let value = match self.boolean(&text, "an entry of `tuning`") {
                    Some(switch) => switch.map(|on| {
                        if on {
                            TuningValue::Enabled
                        } else {
                            TuningValue::Disabled
                        }
                    }),
                    None => text.map(TuningValue::Choice),
                };
                (name, value)
            }
        };
        let name = self.filled(name, "an entry of `tuning`")?;
        Some(Tuning { name, value })
    }
}
