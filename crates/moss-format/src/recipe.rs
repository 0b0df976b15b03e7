//! The recipe, `stone.yaml`: what a package is built from, and how.
//!
//! [`Recipe::parse`] reads every key of the format into types, keeps the place
//! of each value, and reports what is wrong or questionable as
//! [`Diagnostic`]s, which become annotations on a change. What the format is
//! comes from the recipes of Serpent OS and AerynOS and from boulder, the tool
//! that builds them.
//!
//! A version keeps the exact text that stands in the file: an unquoted `1.10`
//! is not the number 1.1.

mod diagnostic;
mod field;
mod fields;
pub(crate) mod findings;
mod lint;
mod name;
pub(crate) mod nearest;
mod number;
mod options;
mod package;
mod phase;
mod read;
mod relation;
mod root;
mod script_text;
mod setting;
mod span;
pub mod upstream;
mod yaml;

pub use diagnostic::{Code, Diagnostic, ParseFailure, Severity};
pub use lint::CONTROL_FILE;
pub use name::{Invalid as InvalidName, Name, Target, Version};
pub use options::{Options, Toolchain, Tuning, TuningValue};
pub use package::{Contents, Package, PathKind, PathRule};
pub use phase::{Phase, Profile, Scripts};
pub use script_text::Script;
pub use setting::Setting;
pub use span::{Position, Span, Spanned};
pub use upstream::Upstream;

use crate::dependency::Dependency;
use crate::limits::Limits;

use read::Reader;

/// The names a recipe's file may have, the current one first.
pub const FILE_NAMES: [&str; 2] = ["stone.yaml", "stone.yml"];

/// A recipe. `%(name)`, `%(version)` and `%(release)` are expanded everywhere
/// but in the scripts, which [`script`](crate::script) expands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// The name of the source, and of its main package.
    pub name: Spanned<Name>,
    /// The upstream's version, exactly as written.
    pub version: Spanned<Version>,
    /// Counts the changes of the recipe, from 1. A recipe that says 0 is read,
    /// with an error among its findings: it must not be built.
    pub release: Spanned<u64>,
    /// The upstream's web page.
    pub homepage: Spanned<String>,
    /// The licences, as SPDX expressions.
    pub licenses: Vec<Spanned<String>>,
    /// What it is, in a line.
    pub summary: Spanned<String>,
    /// What it is, at length.
    pub description: Spanned<String>,
    /// The architectures it is meant for; none means every one.
    pub architectures: Vec<Spanned<String>>,
    /// Its sources, in order.
    pub upstreams: Vec<Spanned<Upstream>>,
    /// What is needed to build it.
    pub builddeps: Vec<Spanned<Dependency>>,
    /// What is needed to run its tests.
    pub checkdeps: Vec<Spanned<Dependency>>,
    /// The rules that stand in the recipe itself, for its main package.
    pub contents: Contents,
    /// Rules about its other packages, or more about the main one, in order.
    pub packages: Vec<Package>,
    /// Its scripts.
    pub scripts: Scripts,
    /// Other scripts for other targets.
    pub profiles: Vec<Profile>,
    /// Its switches.
    pub options: Options,
    /// Changes to the compiler's flags.
    pub tuning: Vec<Tuning>,
}

impl Recipe {
    /// Reads a recipe within the default [`Limits`].
    ///
    /// The findings that come with it, at most [`Limits::recipe_findings`] and
    /// one that counts what is left out, are in the order of the text. An error
    /// among them means that a build of the recipe would fail, as one that uses
    /// an undefined macro.
    ///
    /// # Errors
    /// [`ParseFailure`] with at least one error, each with its line, when the
    /// text is not YAML, a needed key is missing, or a value breaks a rule, so
    /// that there is no recipe.
    pub fn parse(text: &str) -> Result<(Self, Vec<Diagnostic>), ParseFailure> {
        Self::parse_within(text, &Limits::DEFAULT)
    }

    /// Reads a recipe within `limits`, else like [`parse`](Self::parse).
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and when the text is beyond a limit.
    pub fn parse_within(
        text: &str,
        limits: &Limits,
    ) -> Result<(Self, Vec<Diagnostic>), ParseFailure> {
        if text.len() > limits.recipe {
            return Err(ParseFailure::single(Diagnostic::error(
                Code::TooLarge,
                Span::at(Position::START),
                format!(
                    "a recipe has at most {} bytes, and this has {}",
                    limits.recipe,
                    text.len()
                ),
            )));
        }
        let root = match yaml::parse(text, limits) {
            Ok(Some(root)) => root,
            Ok(None) => return Err(ParseFailure::single(empty())),
            Err(error) => return Err(ParseFailure::single(error)),
        };
        let mut reader = Reader::new(text, limits);
        let recipe = reader.recipe(&root);
        let mut findings = reader.into_findings();
        // Lints never make a failure of a recipe that could be read.
        let first_error = findings.first_error().cloned();
        if let Some(recipe) = &recipe {
            lint::check(recipe, limits, &mut findings);
        }
        match (recipe, first_error) {
            (Some(recipe), None) => Ok((recipe, findings.into_diagnostics())),
            (_, Some(first)) => Err(ParseFailure::new(first, findings.into_diagnostics())),
            (None, None) => Err(ParseFailure::single(empty())),
        }
    }

    /// What a build needs: `builddeps`, and `checkdeps` because the tests run
    /// in the same build.
    pub fn build_dependencies(&self) -> impl Iterator<Item = &Spanned<Dependency>> {
        self.builddeps.iter().chain(&self.checkdeps)
    }

    /// What is to be said about this recipe as a change of `previous`, the one
    /// of the same name that it replaces: its release must be higher. Where both
    /// say the same, be it with other comments or in another order of keys,
    /// there is nothing to say.
    pub fn compare(&self, previous: &Self) -> Option<Diagnostic> {
        let (new, old) = (*self.release.value(), *previous.release.value());
        if self.name.value() != previous.name.value() || new > old || self == previous {
            return None;
        }
        let message = format!("the release is {new}, and it was {old} before this change");
        let warning = Diagnostic::warning(Code::ReleaseNotRaised, self.release.span(), message);
        Some(warning.with_help(format!("write {}", old.saturating_add(1))))
    }

    /// What is to be said about the files in the recipe's folder. The caller
    /// names them, because nothing here looks into folders.
    pub fn check_beside<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Diagnostic> {
        lint::check_beside(names)
    }

    /// The folder, below the build's own, that the scripts start in: that of
    /// the first source that is laid into one.
    pub fn work_directory(&self) -> Option<&upstream::RelativePath> {
        self.upstreams.iter().find_map(|source| source.directory())
    }
}

fn empty() -> Diagnostic {
    Diagnostic::error(
        Code::MissingKey,
        Span::at(Position::START),
        "the recipe is empty",
    )
}
