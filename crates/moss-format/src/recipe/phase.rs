//! The scripts of a recipe.

use std::fmt;

use crate::dependency::Dependency;

use super::diagnostic::Code;
use super::fields::Fields;
use super::name::Target;
use super::read::Reader;
use super::script_text::Script;
use super::span::Spanned;
use super::yaml::Node;

/// A step of a build, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Patching and configuring.
    Setup,
    /// Compiling.
    Build,
    /// Laying the files out below the install root.
    Install,
    /// The upstream's own tests.
    Check,
}

impl Phase {
    /// All phases, in the order in which they run.
    pub const ALL: [Self; 4] = [Self::Setup, Self::Build, Self::Install, Self::Check];

    /// The phase's key in a recipe.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Build => "build",
            Self::Install => "install",
            Self::Check => "check",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of scripts: those of the recipe, or of one of its profiles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scripts {
    /// Put in front of every other script.
    pub environment: Option<Script>,
    /// Patching and configuring.
    pub setup: Option<Script>,
    /// Compiling.
    pub build: Option<Script>,
    /// Laying the files out below the install root.
    pub install: Option<Script>,
    /// The upstream's own tests.
    pub check: Option<Script>,
    /// What profile-guided passes run to gather a profile.
    pub workload: Option<Script>,
}

impl Scripts {
    /// The script of a phase. One of nothing but white space counts as none.
    pub const fn of(&self, phase: Phase) -> Option<&Script> {
        match phase {
            Phase::Setup => self.setup.as_ref(),
            Phase::Build => self.build.as_ref(),
            Phase::Install => self.install.as_ref(),
            Phase::Check => self.check.as_ref(),
        }
    }

    /// Every script there is, with its key.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &Script)> {
        [
            ("environment", &self.environment),
            ("setup", &self.setup),
            ("build", &self.build),
            ("install", &self.install),
            ("check", &self.check),
            ("workload", &self.workload),
        ]
        .into_iter()
        .filter_map(|(key, script)| Some((key, script.as_ref()?)))
    }
}

/// Other scripts for a build for another target, as `emul32` for 32 bits. What
/// it needs does not count among what the recipe needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The target.
    pub name: Spanned<Target>,
    /// What is needed besides to build for it.
    pub builddeps: Vec<Spanned<Dependency>>,
    /// What is needed besides to run its tests.
    pub checkdeps: Vec<Spanned<Dependency>>,
    /// The scripts that replace the recipe's.
    pub scripts: Scripts,
}

/// The keys of an entry of `profiles`.
const KEYS: &[&str] = &[
    "builddeps",
    "checkdeps",
    "environment",
    "setup",
    "build",
    "install",
    "check",
    "workload",
];

impl Reader<'_> {
    /// The scripts among a mapping's fields.
    pub(crate) fn scripts(&mut self, fields: &mut Fields<'_>) -> Scripts {
        let mut script = |key| {
            let node = fields.take(key)?;
            self.script(node, &format!("`{key}`"))
        };
        Scripts {
            environment: script("environment"),
            setup: script("setup"),
            build: script("build"),
            install: script("install"),
            check: script("check"),
            workload: script("workload"),
        }
    }

    /// The list of profiles.
    pub(crate) fn profiles(&mut self, node: &Node) -> Vec<Profile> {
        let items = self.items(node, "`profiles`");
        items.iter().filter_map(|item| self.profile(item)).collect()
    }

    fn profile(&mut self, item: &Node) -> Option<Profile> {
        let (key, value) = self.single(item, "a profile")?;
        let name = self.parsed(key, "the profile", Code::BadName);
        let mut fields = self.fields(value, "a profile")?;
        let builddeps = self.profile_dependencies(&mut fields, "builddeps");
        let checkdeps = self.profile_dependencies(&mut fields, "checkdeps");
        let scripts = self.scripts(&mut fields);
        fields.finish(self, KEYS);
        Some(Profile {
            name: name?,
            builddeps,
            checkdeps,
            scripts,
        })
    }

    /// Builds pass over profiles, so what does not parse there only warns.
    fn profile_dependencies(
        &mut self,
        fields: &mut Fields<'_>,
        key: &str,
    ) -> Vec<Spanned<Dependency>> {
        let Some(node) = fields.given(self, key) else {
            return Vec::new();
        };
        let texts = self.texts(node, &format!("`{key}`"));
        self.relations(&texts, &format!("`{key}` of a profile"))
    }
}
