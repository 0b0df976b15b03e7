//! What plans are made of.

use std::collections::{BTreeSet, HashMap};

use api::id::{Architecture, BuildId, CommitSha, RecipeFolder, RecipeName, TreeSha};
use jiff::Timestamp;
use moss_format::{Dependency, Provider};

use crate::domain::build::{Annotation, Build, Conflict, Target};
use crate::domain::name::RepositoryId;
use crate::domain::trust::Trust;

/// A recipe that changed.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The id that its build will have.
    pub id: BuildId,
    /// Where it lies.
    pub folder: RecipeFolder,
    /// The folder's tree.
    pub tree: TreeSha,
    /// What it says, or why it cannot be read.
    pub recipe: Result<Described, Unreadable>,
}

/// What planning needs to know of a recipe.
#[derive(Debug, Clone)]
pub struct Described {
    /// Its name.
    pub name: RecipeName,
    /// Its version, exact text.
    pub version: String,
    /// Its release.
    pub release: u64,
    /// Where its file is, and the line of `release` in it.
    pub release_at: (String, u32),
    /// The line of `name` in it.
    pub name_line: u32,
    /// The architectures that it is meant for; none for every one.
    pub architectures: Vec<String>,
    /// The line of the first of them in its file.
    pub architectures_line: u32,
    /// Build and check dependencies.
    pub needs: Vec<Dependency>,
    /// What its last build needed beside, by its manifest.
    pub hints: Vec<Dependency>,
    /// Package names, and what its last manifest provides.
    pub provides: Vec<Provider>,
    /// What its reader noted.
    pub warnings: Vec<Annotation>,
}

impl Described {
    /// Those of `profiles` that it is meant for.
    pub fn profiles<'all>(&self, profiles: &'all [Architecture]) -> Vec<&'all Architecture> {
        let is_meant = |profile: &&Architecture| {
            let is_one = |known: &String| known == profile.as_str();
            self.architectures.is_empty() || self.architectures.iter().any(is_one)
        };
        profiles.iter().filter(is_meant).collect()
    }

    /// What is said of it where it is meant for none of `profiles`.
    pub fn meant_for_others(self, profiles: &[Architecture]) -> Unreadable {
        let built: Vec<&str> = profiles.iter().map(Architecture::as_str).collect();
        let message = format!(
            "the recipe is for {}, and what is built here is for {}",
            self.architectures.join(", "),
            built.join(", ")
        );
        Unreadable {
            annotations: vec![Annotation {
                path: self.release_at.0,
                line: self.architectures_line,
                is_error: true,
                title: "architecture".to_owned(),
                message: message.clone(),
            }],
            name: self.name,
            message,
        }
    }

    /// The same with what its last build needed and provided, by a manifest. What the recipe does not
    /// ask for it may not need any longer, or get through something else that it asks for.
    pub fn with_past(mut self, needs: &[Dependency], provides: &[Provider]) -> Self {
        let hints = needs.iter().filter(|need| !self.needs.contains(need));
        self.hints = hints
            .cloned()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        self.expect(provides);
        self
    }

    /// Expects it to provide what is told too.
    pub fn expect<'told>(&mut self, provides: impl IntoIterator<Item = &'told Provider>) {
        self.provides.extend(provides.into_iter().cloned());
        self.provides.sort();
        self.provides.dedup();
    }
}

/// A recipe that cannot be built as it is written.
#[derive(Debug, Clone)]
pub struct Unreadable {
    /// A name for people and for the check.
    pub name: RecipeName,
    /// What is wrong, in a sentence.
    pub message: String,
    /// Where.
    pub annotations: Vec<Annotation>,
}

/// What all builds of a plan have in common.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The repository.
    pub repository: RepositoryId,
    /// What is built for.
    pub target: Target,
    /// The head.
    pub commit: CommitSha,
    /// The author time of the head.
    pub source_date_epoch: i64,
    /// When.
    pub now: Timestamp,
    /// Why a pull request cannot be merged as it is, if that is so.
    pub conflict: Option<Conflict>,
    /// On whose word it may be run.
    pub trust: Trust,
    /// For which profile.
    pub profile: Architecture,
    /// True when there are others, so that names have to tell them apart.
    pub is_one_of_many: bool,
}

/// Builds that a plan has to fit in with.
#[derive(Debug, Clone, Default)]
pub struct Others {
    /// Those under way, and those without success that they come after or share a cycle with.
    pub builds: Vec<Build>,
    /// By a candidate's id, the build without success whose place it takes.
    pub replaced: HashMap<BuildId, Build>,
    /// By the folder of a recipe whose name another one has, where that one lies, for people.
    pub taken: HashMap<RecipeFolder, String>,
    /// How long recipes took when they were built last, in seconds, by their folders.
    pub took: HashMap<RecipeFolder, u64>,
}
