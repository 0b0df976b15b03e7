//! Turns nodes into typed values and gathers what is wrong on the way.

use std::str::FromStr;

use super::diagnostic::{Code, Diagnostic};
use super::name::Name;
use super::script_text::Script;
use super::span::{Span, Spanned};
use super::yaml::{Node, Style, Value};

/// Reads nodes of one recipe. A method that returns `None` has said why.
pub(crate) struct Reader<'source> {
    source: &'source str,
    diagnostics: Vec<Diagnostic>,
}

impl<'source> Reader<'source> {
    pub(crate) const fn new(source: &'source str) -> Self {
        Self {
            source,
            diagnostics: Vec::new(),
        }
    }

    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Everything found, in the order of the text.
    pub(crate) fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.diagnostics.sort_by_key(|found| found.span);
        self.diagnostics.dedup();
        self.diagnostics
    }

    fn wrong_type(&mut self, node: &Node, what: &str, wanted: &str) {
        self.report(Diagnostic::error(
            Code::WrongType,
            node.span,
            format!("{what} is {wanted}, not {}", node.describe()),
        ));
    }

    /// A text without surrounding white space, empty or not.
    pub(crate) fn text(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        let Value::Scalar { text, .. } = &node.value else {
            self.wrong_type(node, what, "a text");
            return None;
        };
        let text = if node.is_null() { "" } else { text.trim() };
        Some(Spanned::new(text.to_owned(), node.span))
    }

    /// A text that is not empty.
    pub(crate) fn filled(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        let text = self.text(node, what)?;
        if text.is_empty() {
            self.report(Diagnostic::error(
                Code::EmptyValue,
                node.span,
                format!("{what} is empty"),
            ));
            return None;
        }
        Some(text)
    }

    /// A text that parses as `T`.
    pub(crate) fn parsed<T: FromStr>(
        &mut self,
        node: &Node,
        what: &str,
        code: Code,
    ) -> Option<Spanned<T>>
    where
        T::Err: std::fmt::Display,
    {
        let text = self.filled(node, what)?;
        self.convert(&text, what, code)
    }

    /// The text as a `T`.
    pub(crate) fn convert<T: FromStr>(
        &mut self,
        text: &Spanned<String>,
        what: &str,
        code: Code,
    ) -> Option<Spanned<T>>
    where
        T::Err: std::fmt::Display,
    {
        match text.parse() {
            Ok(value) => Some(Spanned::new(value, text.span())),
            Err(error) => {
                self.report(Diagnostic::error(
                    code,
                    text.span(),
                    format!("{what} `{}` is not valid: {error}", text.value()),
                ));
                None
            }
        }
    }

    /// A package name.
    pub(crate) fn name(&mut self, node: &Node, what: &str) -> Option<Spanned<Name>> {
        self.parsed(node, what, Code::BadName)
    }

    /// A switch: true or false, and what older recipes write for it.
    pub(crate) fn flag(&mut self, node: &Node, what: &str) -> Option<Spanned<bool>> {
        let text = self.filled(node, what)?;
        let (value, legacy) = match text.to_ascii_lowercase().as_str() {
            "true" => (true, false),
            "false" => (false, false),
            "yes" | "on" | "y" => (true, true),
            "no" | "off" | "n" => (false, true),
            _ => {
                self.report(Diagnostic::error(
                    Code::BadBoolean,
                    node.span,
                    format!("{what} is true or false, not `{}`", text.value()),
                ));
                return None;
            }
        };
        if legacy {
            self.report(
                Diagnostic::warning(
                    Code::LegacyBoolean,
                    node.span,
                    format!("{what} is written `{}`", text.value()),
                )
                .with_help(format!("write `{value}`")),
            );
        }
        Some(Spanned::new(value, node.span))
    }

    /// A non-negative integer.
    pub(crate) fn number(&mut self, node: &Node, what: &str) -> Option<Spanned<u32>> {
        self.parsed(node, what, Code::WrongType)
    }

    /// A script. One of nothing but white space counts as none.
    pub(crate) fn script(&mut self, node: &Node, what: &str) -> Option<Script> {
        let Value::Scalar { text, style } = &node.value else {
            self.wrong_type(node, what, "a script");
            return None;
        };
        if node.is_null() || text.trim().is_empty() {
            return None;
        }
        Some(Script::locate(text, *style, node.span, self.source))
    }

    /// Warns that a value is empty.
    pub(crate) fn warn_empty(&mut self, node: &Node, what: &str) {
        self.report(Diagnostic::warning(
            Code::EmptyValue,
            node.span,
            format!("{what} is empty"),
        ));
    }

    /// The items of a list; nothing at all is an empty list.
    pub(crate) fn items<'node>(&mut self, node: &'node Node, what: &str) -> &'node [Node] {
        match &node.value {
            Value::Sequence(items) => return items,
            Value::Scalar { .. } if node.is_null() => self.warn_empty(node, what),
            Value::Scalar { .. } | Value::Mapping(_) => self.wrong_type(node, what, "a list"),
        }
        &[]
    }

    /// A list of texts, or a single text, without those that are empty.
    pub(crate) fn texts(&mut self, node: &Node, what: &str) -> Vec<Spanned<String>> {
        let items = match &node.value {
            Value::Sequence(items) => items.as_slice(),
            Value::Scalar { .. } => std::slice::from_ref(node),
            Value::Mapping(_) => {
                self.wrong_type(node, what, "a list of texts");
                &[]
            }
        };
        let mut texts = Vec::new();
        for item in items {
            match self.text(item, &format!("an entry of {what}")) {
                Some(text) if text.is_empty() => {
                    self.warn_empty(item, &format!("an entry of {what}"));
                }
                Some(text) => texts.push(text),
                None => {}
            }
        }
        texts
    }

    /// The only entry of a one-entry mapping, as lists of recipes have them.
    pub(crate) fn single<'node>(
        &mut self,
        node: &'node Node,
        what: &str,
    ) -> Option<(&'node Node, &'node Node)> {
        match &node.value {
            Value::Mapping(entries) => match entries.as_slice() {
                [(key, value)] => Some((key, value)),
                entries => {
                    self.report(
                        Diagnostic::error(
                            Code::WrongType,
                            node.span,
                            format!("{what} is one key with its value, not {}", entries.len()),
                        )
                        .with_help(
                            "indent what belongs below the key further than the key, \
                             and start every other entry with `- `",
                        ),
                    );
                    None
                }
            },
            Value::Scalar { .. } | Value::Sequence(_) => {
                self.wrong_type(node, what, "one key with its value");
                None
            }
        }
    }

    /// The fields of a mapping, each to be taken once.
    pub(crate) fn fields<'node>(
        &mut self,
        node: &'node Node,
        what: &'static str,
    ) -> Option<Fields<'node>> {
        let Value::Mapping(entries) = &node.value else {
            self.wrong_type(node, what, "a mapping");
            return None;
        };
        let mut fields = Fields {
            what,
            span: node.span,
            open: Vec::with_capacity(entries.len()),
        };
        for (key, value) in entries {
            let Some(name) = self.text(key, "a key") else {
                continue;
            };
            if fields.open.iter().any(|field| *field.name == *name) {
                self.report(Diagnostic::error(
                    Code::DuplicateKey,
                    key.span,
                    format!("`{name}` stands twice in {what}"),
                ));
                continue;
            }
            fields.open.push(Field { name, value });
        }
        Some(fields)
    }
}

struct Field<'node> {
    name: Spanned<String>,
    value: &'node Node,
}

/// The fields of one mapping that were not taken yet.
pub(crate) struct Fields<'node> {
    what: &'static str,
    span: Span,
    open: Vec<Field<'node>>,
}

impl<'node> Fields<'node> {
    /// Takes an optional field.
    pub(crate) fn take(&mut self, name: &str) -> Option<&'node Node> {
        let at = self.open.iter().position(|field| *field.name == *name)?;
        Some(self.open.remove(at).value)
    }

    /// Takes an optional field; one with no value is reported and counts as
    /// absent.
    pub(crate) fn given(&mut self, reader: &mut Reader<'_>, name: &str) -> Option<&'node Node> {
        let node = self.take(name)?;
        if node.is_null() {
            reader.warn_empty(node, &format!("`{name}`"));
            return None;
        }
        Some(node)
    }

    /// Takes a field that must be there.
    pub(crate) fn require(&mut self, reader: &mut Reader<'_>, name: &str) -> Option<&'node Node> {
        let found = self.take(name);
        if found.is_none() {
            reader.report(Diagnostic::error(
                Code::MissingKey,
                Span::at(self.span.start),
                format!("{} has no `{name}`", self.what),
            ));
        }
        found
    }

    /// Warns about every field that nothing took.
    pub(crate) fn finish(self, reader: &mut Reader<'_>, known: &[&str]) {
        for field in self.open {
            let mut warning = Diagnostic::warning(
                Code::UnknownKey,
                field.name.span(),
                format!(
                    "`{}` is not a key of {} and has no effect",
                    field.name, self.what
                ),
            );
            if let Some(meant) = nearest(&field.name, known) {
                warning = warning.with_help(format!("did you mean `{meant}`?"));
            }
            reader.report(warning);
        }
    }
}

/// The known key that an unknown one most likely stands for.
fn nearest<'known>(unknown: &str, known: &[&'known str]) -> Option<&'known str> {
    if unknown.len() > 32 {
        return None;
    }
    known
        .iter()
        .map(|&key| (distance(unknown, key), key))
        .filter(|&(distance, key)| distance <= 2 && distance < key.len() / 2)
        .min()
        .map(|(_, key)| key)
        .or_else(|| {
            let shares = |key: &&&str| {
                unknown.len() >= 3 && key.starts_with(unknown.get(..3).unwrap_or("\0"))
            };
            known.iter().find(shares).copied()
        })
}

/// How many letters must be added, removed or changed to get from one to the
/// other.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((b, diagonal), above) in to.chars().zip(row.iter()).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or(i);
            let change = diagonal + usize::from(a != b);
            next.push(change.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

/// Whether the text changes when other tools read it as a number, and how it
/// then reads. Only unquoted texts are read so.
pub(crate) fn as_number(text: &str) -> Option<String> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if digits(unsigned) {
        return match text.parse::<u64>() {
            Ok(number) => Some(number.to_string()),
            Err(_) => text.parse::<f64>().ok().map(|number| format!("{number:?}")),
        };
    }
    let radix = |prefix: &str, radix: u32| {
        let digits = unsigned.strip_prefix(prefix)?;
        u64::from_str_radix(digits, radix)
            .ok()
            .map(|n| n.to_string())
    };
    if let Some(number) = radix("0x", 16)
        .or_else(|| radix("0o", 8))
        .or_else(|| radix("0b", 2))
    {
        return Some(number);
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let is_exponent = |text: &str| digits(text.strip_prefix(['+', '-']).unwrap_or(text));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_float = (digits(whole) || (whole.is_empty() && digits(fraction)))
        && (fraction.is_empty() || digits(fraction))
        && exponent.is_none_or(is_exponent);
    if !is_float {
        return None;
    }
    text.parse::<f64>().ok().map(|number| format!("{number:?}"))
}

/// Whether a node is written without quotes.
pub(crate) const fn is_plain(node: &Node) -> bool {
    matches!(
        node.value,
        Value::Scalar {
            style: Style::Plain,
            ..
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_other_tools_read_them() {
        let cases = [
            ("1.10", Some("1.1")),
            ("47.0", Some("47.0")),
            ("20240722.0", Some("20240722.0")),
            ("8", Some("8")),
            ("059", Some("59")),
            ("0x10", Some("16")),
            ("1e3", Some("1000.0")),
            ("1.", Some("1.0")),
            ("1.2.3", None),
            ("9p1", None),
            ("1_000", None),
        ];
        for (text, read) in cases {
            assert_eq!(as_number(text).as_deref(), read, "{text}");
        }
    }

    #[test]
    fn unknown_keys_find_their_neighbour() {
        let known = ["tuning", "builddeps", "rundeps", "check"];
        assert_eq!(nearest("builddep", &known), Some("builddeps"));
        assert_eq!(nearest("tune", &known), Some("tuning"));
        assert_eq!(nearest("zzz", &known), None);
    }
}
