//! Reading the whole recipe.

use crate::dependency::Dependency;

use super::diagnostic::{Code, Diagnostic};
use super::field::Identity;
use super::fields::Fields;
use super::name::Version;
use super::number;
use super::options;
use super::read::Reader;
use super::relation;
use super::span::Spanned;
use super::yaml::Node;
use super::{Profile, Recipe, Scripts, Tuning};

/// The keys of a recipe, besides those of its options.
const KEYS: &[&str] = &[
    "name",
    "version",
    "release",
    "homepage",
    "license",
    "summary",
    "description",
    "upstreams",
    "builddeps",
    "checkdeps",
    "rundeps",
    "rundeps-exclude",
    "provides-exclude",
    "conflicts",
    "paths",
    "packages",
    "profiles",
    "architectures",
    "environment",
    "setup",
    "build",
    "install",
    "check",
    "workload",
];

impl Reader<'_> {
    /// The recipe, or `None` where a needed key is missing or wrong; the rest
    /// is read all the same, so that one run finds everything.
    pub(crate) fn recipe(&mut self, root: &Node) -> Option<Recipe> {
        let mut fields = self.fields(root, "the recipe")?;
        let name = fields
            .require(self, "name")
            .and_then(|node| self.name(node, "the name"));
        let version = self.version(&mut fields);
        let release = self.release(&mut fields);
        let identity = Identity::new(
            name.as_ref().map(Spanned::value),
            version.as_ref().map(Spanned::value),
            release.as_ref().map(|release| *release.value()),
        );
        let homepage = self.homepage(&mut fields);
        let licenses = self.licenses(&mut fields);
        let summary = self.needed(&mut fields, "summary", &identity);
        let description = self.needed(&mut fields, "description", &identity);
        let upstreams = match fields.given(self, "upstreams") {
            Some(node) => self.upstreams(node, &identity),
            None => Vec::new(),
        };
        let builddeps = self.dependencies(&mut fields, "builddeps");
        let checkdeps = self.dependencies(&mut fields, "checkdeps");
        let contents = self.contents(&mut fields, &identity);
        let packages = match fields.given(self, "packages") {
            Some(node) => self.packages(node, &identity),
            None => Vec::new(),
        };
        let architectures = match fields.given(self, "architectures") {
            Some(node) => self.texts(node, "`architectures`"),
            None => Vec::new(),
        };
        let scripts: Scripts = self.scripts(&mut fields);
        let profiles: Vec<Profile> = match fields.given(self, "profiles") {
            Some(node) => self.profiles(node),
            None => Vec::new(),
        };
        let options = self.options(&mut fields);
        let tuning: Vec<Tuning> = match fields.given(self, "tuning") {
            Some(node) => self.tuning(node),
            None => Vec::new(),
        };
        let known: Vec<&str> = KEYS.iter().chain(options::KEYS).copied().collect();
        fields.finish(self, &known);
        Some(Recipe {
            name: name?,
            version: version?,
            release: release?,
            homepage: homepage?,
            licenses: licenses?,
            summary: summary?,
            description: description?,
            architectures,
            upstreams,
            builddeps,
            checkdeps,
            contents,
            packages,
            scripts,
            profiles,
            options,
            tuning,
        })
    }

    /// A text that every recipe has.
    fn needed(
        &mut self,
        fields: &mut Fields<'_>,
        key: &str,
        identity: &Identity,
    ) -> Option<Spanned<String>> {
        let node = fields.require(self, key)?;
        let text = self.filled(node, &format!("`{key}`"))?;
        Some(self.expanded(text, identity))
    }

    /// The homepage, which some real recipes leave empty.
    fn homepage(&mut self, fields: &mut Fields<'_>) -> Option<Spanned<String>> {
        let node = fields.require(self, "homepage")?;
        let homepage = self.text(node, "`homepage`")?;
        if homepage.is_empty() {
            self.warn_empty(node, "`homepage`");
        }
        Some(homepage)
    }

    fn version(&mut self, fields: &mut Fields<'_>) -> Option<Spanned<Version>> {
        let node = fields.require(self, "version")?;
        let version: Spanned<Version> = self.parsed(node, "the version", Code::BadVersion)?;
        if let Some(number) = number::as_number(&version)
            && number::is_plain(node)
            && number != version.as_str()
        {
            self.report(
                Diagnostic::warning(
                    Code::UnquotedVersion,
                    node.span,
                    format!("without quotes, other tools read the version {version} as {number}"),
                )
                .with_help(format!("write \"{version}\"")),
            );
        }
        if !version.starts_with_digit() {
            self.report(
                Diagnostic::warning(
                    Code::VersionStart,
                    node.span,
                    format!("the version {version} does not start with a digit"),
                )
                .with_help("current tools refuse it; leave out what stands before the first digit"),
            );
        }
        Some(version)
    }

    fn release(&mut self, fields: &mut Fields<'_>) -> Option<Spanned<u64>> {
        let node = fields.require(self, "release")?;
        let text = self.filled(node, "`release`")?;
        let Ok(release) = text.parse::<u64>() else {
            self.report(Diagnostic::error(
                Code::BadRelease,
                node.span,
                format!("`release` is an integer above 0, not `{text}`"),
            ));
            return None;
        };
        if *text != release.to_string() {
            self.report(
                Diagnostic::warning(
                    Code::BadRelease,
                    node.span,
                    format!("`release` is written `{text}`, which not every tool reads alike"),
                )
                .with_help(format!("write {release}")),
            );
        }
        Some(Spanned::new(release, node.span))
    }

    /// The licences. Some real recipes leave them empty.
    fn licenses(&mut self, fields: &mut Fields<'_>) -> Option<Vec<Spanned<String>>> {
        let node = fields.require(self, "license")?;
        if node.is_empty() {
            self.warn_empty(node, "`license`");
            return Some(Vec::new());
        }
        Some(self.texts(node, "`license`"))
    }

    /// A list of dependencies. One that does not parse is an error: a build
    /// without it would fail later, or succeed without what was meant.
    fn dependencies(&mut self, fields: &mut Fields<'_>, key: &str) -> Vec<Spanned<Dependency>> {
        let Some(node) = fields.given(self, key) else {
            return Vec::new();
        };
        let mut dependencies = Vec::new();
        for text in self.texts(node, &format!("`{key}`")) {
            match relation::read(&text) {
                Ok(dependency) => dependencies.push(Spanned::new(dependency, text.span())),
                Err(error) => self.report(Diagnostic::error(
                    Code::BadDependency,
                    text.span(),
                    format!("an entry of `{key}` `{text}` is not valid: {error}"),
                )),
            }
        }
        dependencies
    }
}
