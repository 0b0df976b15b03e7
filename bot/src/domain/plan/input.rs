//! The input of planning.

use std::collections::{BTreeSet, HashMap};

use api::id::{Architecture, BuildId, CommitSha, RecipeFolder, RecipeName, TreeSha};
use jiff::Timestamp;
use moss_format::{Dependency, Provider};

use crate::domain::build::{Annotation, Build, Conflict, OwnRun, Target};
use crate::domain::name::RepositoryId;
use crate::domain::trust::Trust;

/// A changed recipe.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The id of its future build.
    pub id: BuildId,
    /// Its folder.
    pub folder: RecipeFolder,
    /// The folder's tree.
    pub tree: TreeSha,
    /// Its content, or why it cannot be read.
    pub recipe: Result<Described, Unreadable>,
}

/// The content of a recipe, as far as planning needs it.
#[derive(Debug, Clone)]
pub struct Described {
    /// Its name.
    pub name: RecipeName,
    /// Its version, exactly as written.
    pub version: String,
    /// Its release.
    pub release: u64,
    /// The path of its file, and the line of `release` in it.
    pub release_at: (String, u32),
    /// The line of `name` in its file.
    pub name_line: u32,
    /// The architectures that it names; empty when it is for all.
    pub architectures: Vec<String>,
    /// The line of the first architecture in its file.
    pub architectures_line: u32,
    /// Build and check dependencies.
    pub needs: Vec<Dependency>,
    /// Further dependencies of its last build, from its manifest.
    pub hints: Vec<Dependency>,
    /// Its package names, and all that its last manifest provides.
    pub provides: Vec<Provider>,
    /// Warnings from reading it.
    pub warnings: Vec<Annotation>,
}

impl Described {
    /// Those of `profiles` that the recipe allows.
    pub fn profiles<'all>(&self, profiles: &'all [Architecture]) -> Vec<&'all Architecture> {
        let is_meant = |profile: &&Architecture| {
            let is_one = |known: &String| known == profile.as_str();
            self.architectures.is_empty() || self.architectures.iter().any(is_one)
        };
        profiles.iter().filter(is_meant).collect()
    }

    /// The error for a recipe that allows none of `profiles`.
    pub fn meant_for_others(self, profiles: &[Architecture]) -> Unreadable {
        let built: Vec<&str> = profiles.iter().map(Architecture::as_str).collect();
        let message = format!(
            "the recipe is for {}, but summit builds only for {}",
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

    /// Adds the needs and providers of its last build, from a manifest. Needs that the recipe does
    /// not name become hints: the recipe may not need them any more, or gets them through another
    /// dependency.
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

    /// Adds to what the recipe probably provides.
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
    /// The lines at fault.
    pub annotations: Vec<Annotation>,
}

/// The values that all builds of a plan share.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The repository.
    pub repository: RepositoryId,
    /// The branch or pull request.
    pub target: Target,
    /// The head.
    pub commit: CommitSha,
    /// The author time of the head, in Unix seconds.
    pub source_date_epoch: i64,
    /// The time of planning.
    pub now: Timestamp,
    /// The merge conflict of the pull request, if it has one.
    pub conflict: Option<Conflict>,
    /// Who vouches for the code.
    pub trust: Trust,
    /// The profile.
    pub profile: Architecture,
    /// True when there is more than one profile, so that check names need it.
    pub is_one_of_many: bool,
    /// When the builds have check runs of their own.
    pub own_run: OwnRun,
    /// True for a draft: its builds wait until it is ready, or somebody commands them.
    pub is_draft: bool,
}

/// Existing builds and times that a plan takes into account.
#[derive(Debug, Clone, Default)]
pub struct Others {
    /// The builds under way, and the unsuccessful builds that they come after or share a cycle
    /// with.
    pub builds: Vec<Build>,
    /// The unsuccessful build that each candidate replaces, by the candidate's id.
    pub replaced: HashMap<BuildId, Build>,
    /// The place of the recipe that holds the name, for people; by the folder of the refused
    /// recipe.
    pub taken: HashMap<RecipeFolder, String>,
    /// The duration of the last build of each recipe, in seconds, by folder.
    pub took: HashMap<RecipeFolder, u64>,
}
