//! The packages that a recipe's files are split into.

use std::collections::HashSet;

use crate::dependency::{Dependency, Provider};
use crate::glob::Pattern;

use super::diagnostic::{Code, Diagnostic};
use super::field::Identity;
use super::fields::Fields;
use super::name::Name;
use super::read::Reader;
use super::relation;
use super::setting::Setting;
use super::span::Spanned;
use super::yaml::{Node, Value};

/// The keys of an entry of `packages`.
const KEYS: &[&str] = &[
    "summary",
    "description",
    "rundeps",
    "paths",
    "conflicts",
    "provides-exclude",
    "rundeps-exclude",
];

/// What a recipe says about one of its packages. `%(name)`, `%(version)` and
/// `%(release)` are already expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The package's name.
    pub name: Spanned<Name>,
    /// Its summary, where it has one of its own.
    pub summary: Option<Spanned<String>>,
    /// Its description, where it has one of its own.
    pub description: Option<Spanned<String>>,
    /// What the rules of the recipe give it.
    pub contents: Contents,
}

/// Rules about a package's files and relations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// What it needs at run time besides what is found by analysis.
    pub rundeps: Vec<Spanned<Dependency>>,
    /// Its files.
    pub paths: Vec<PathRule>,
    /// What it cannot be installed together with.
    pub conflicts: Vec<Spanned<Provider>>,
    /// Providers, found by analysis, that it does not declare.
    pub provides_exclude: Vec<Spanned<String>>,
    /// Dependencies, found by analysis, that it does not declare.
    pub rundeps_exclude: Vec<Spanned<String>>,
}

/// A rule that gives matching files to a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathRule {
    /// What the path must match.
    pub pattern: Spanned<Pattern>,
    /// What kind of file the rule asks for. Read, but without effect, as in
    /// the tool that made the format.
    pub kind: Setting<PathKind>,
}

/// What kind of file a path rule asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PathKind {
    /// Every file.
    #[default]
    Any,
    /// Executables.
    Executable,
    /// Symbolic links.
    Symlink,
    /// Devices, pipes and sockets.
    Special,
}

impl Reader<'_> {
    /// The list of packages.
    pub(crate) fn packages(&mut self, node: &Node, identity: &Identity) -> Vec<Package> {
        let mut packages: Vec<Package> = Vec::new();
        let mut names = HashSet::new();
        for item in self.items(node, "`packages`") {
            let Some((key, value)) = self.single(item, "a package") else {
                continue;
            };
            let Some(package) = self.package(key, value, identity) else {
                continue;
            };
            if !names.insert(package.name.value().clone()) {
                self.report(
                    Diagnostic::error(
                        Code::DuplicateKey,
                        key.span,
                        format!("the package `{}` stands twice in `packages`", package.name),
                    )
                    .with_help("put all of its rules into one entry"),
                );
                continue;
            }
            packages.push(package);
        }
        packages
    }

    fn package(&mut self, key: &Node, value: &Node, identity: &Identity) -> Option<Package> {
        let name = self.filled(key, "a package's name")?;
        let name = self.expanded(name, identity);
        let name = self.convert(&name, "the package's name", Code::BadName);
        let mut fields = self.fields(value, "a package")?;
        let summary = self.own_text(&mut fields, "summary", identity);
        let description = self.own_text(&mut fields, "description", identity);
        let contents = self.contents(&mut fields, identity);
        fields.finish(self, KEYS);
        Some(Package {
            name: name?,
            summary,
            description,
            contents,
        })
    }

    fn own_text(
        &mut self,
        fields: &mut Fields<'_>,
        key: &str,
        identity: &Identity,
    ) -> Option<Spanned<String>> {
        let node = fields.given(self, key)?;
        let text = self.text(node, &format!("`{key}`"))?;
        Some(self.expanded(text, identity))
    }

    /// The rules that stand in a package, or in the recipe itself for its main
    /// package.
    pub(crate) fn contents(&mut self, fields: &mut Fields<'_>, identity: &Identity) -> Contents {
        Contents {
            rundeps: self.rundeps(fields, identity),
            paths: self.paths(fields, identity),
            conflicts: self.conflicts(fields, identity),
            provides_exclude: self.patterns(fields, "provides-exclude", identity),
            rundeps_exclude: self.patterns(fields, "rundeps-exclude", identity),
        }
    }

    fn rundeps(
        &mut self,
        fields: &mut Fields<'_>,
        identity: &Identity,
    ) -> Vec<Spanned<Dependency>> {
        let texts = self.patterns(fields, "rundeps", identity);
        self.relations(&texts, "`rundeps`")
    }

    fn conflicts(
        &mut self,
        fields: &mut Fields<'_>,
        identity: &Identity,
    ) -> Vec<Spanned<Provider>> {
        let texts = self.patterns(fields, "conflicts", identity);
        let relations = self.relations(&texts, "`conflicts`").into_iter();
        relations
            .map(|conflict| conflict.map(|conflict| conflict.to_provider()))
            .collect()
    }

    /// A list of texts, expanded.
    fn patterns(
        &mut self,
        fields: &mut Fields<'_>,
        key: &str,
        identity: &Identity,
    ) -> Vec<Spanned<String>> {
        let Some(node) = fields.given(self, key) else {
            return Vec::new();
        };
        let texts = self.texts(node, &format!("`{key}`"));
        texts
            .into_iter()
            .map(|text| self.expanded(text, identity))
            .collect()
    }

    /// Dependencies that are not needed to build; one that does not parse is
    /// left out with a warning.
    pub(crate) fn relations(
        &mut self,
        texts: &[Spanned<String>],
        what: &str,
    ) -> Vec<Spanned<Dependency>> {
        let mut relations = Vec::new();
        for text in texts {
            match relation::read(text) {
                Ok(read) => relations.push(Spanned::new(read, text.span())),
                Err(error) => self.report(Diagnostic::warning(
                    Code::BadDependency,
                    text.span(),
                    format!("`{text}` in {what} is left out: {error}"),
                )),
            }
        }
        relations
    }

    fn paths(&mut self, fields: &mut Fields<'_>, identity: &Identity) -> Vec<PathRule> {
        let Some(node) = fields.given(self, "paths") else {
            return Vec::new();
        };
        let items = self.items(node, "`paths`");
        items
            .iter()
            .filter_map(|item| self.path_rule(item, identity))
            .collect()
    }

    fn path_rule(&mut self, item: &Node, identity: &Identity) -> Option<PathRule> {
        let (pattern, kind) = match &item.value {
            Value::Scalar { .. } => (item, Setting::default_of(PathKind::Any)),
            Value::Mapping(_) | Value::Sequence(_) => {
                let (pattern, kind) = self.single(item, "an entry of `paths`")?;
                (pattern, self.path_kind(kind)?.into())
            }
        };
        let text = self.filled(pattern, "an entry of `paths`")?;
        let text = self.expanded(text, identity);
        Some(PathRule {
            pattern: text.map(|text| Pattern::new(&text)),
            kind,
        })
    }

    fn path_kind(&mut self, node: &Node) -> Option<Spanned<PathKind>> {
        let text = self.filled(node, "the kind of a path")?;
        let kind = match text.as_str() {
            "any" => PathKind::Any,
            "exe" => PathKind::Executable,
            "symlink" => PathKind::Symlink,
            "special" => PathKind::Special,
            _ => {
                self.report(Diagnostic::error(
                    Code::BadChoice,
                    node.span,
                    format!("the kind of a path is any, exe, symlink or special, not `{text}`"),
                ));
                return None;
            }
        };
        Some(Spanned::new(kind, node.span))
    }
}
