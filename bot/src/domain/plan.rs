//! From changed recipes to builds: which are built, and after which others.

mod batch;
mod first;
mod order;
mod whole;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use api::id::{Architecture, BuildId, CommitSha, RecipeFolder, RecipeName, TreeSha};
use jiff::Timestamp;
use moss_format::{Dependency, Provider};

use super::build::{Annotation, Build, Conflict, Failure, FailureKind, Plan, Scope, State, Target};
use super::check_run::name::{Standing, of_recipe};
use super::name::RepositoryId;
use super::trust::Trust;

use first::{first_state, twice};
use order::{Place, is_ordered, order};

pub use batch::batches;
pub use first::again;
pub use order::in_order;
pub use whole::{too_large, unapproved};

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

/// The builds for `candidates`, and those of `others` whose order changes with them, in no order.
/// `released` is the channel's release of each recipe.
///
/// What is not begun yet is ordered anew as a whole. Were old edges kept and new ones added, two
/// builds planned at different times could come to wait for each other.
pub fn plan(
    candidates: Vec<Candidate>,
    frame: &Frame,
    others: &Others,
    released: &HashMap<String, u64>,
) -> Vec<Build> {
    let mut builds: BTreeMap<BuildId, Build> = BTreeMap::new();
    let mut places: BTreeMap<BuildId, Place> = BTreeMap::new();
    for candidate in candidates {
        let other = others.taken.get(&candidate.folder);
        let check = check_name(&candidate, frame, other.is_some());
        let mut build = begin(&candidate, frame, Scope::Recipe, Some(check));
        if let Ok(recipe) = candidate.recipe {
            build.state = match other {
                Some(other) => twice(&recipe, other, frame.now),
                None => first_state(&recipe, frame, released),
            };
            if matches!(build.state, State::Planned) {
                let place = Place {
                    needs: recipe.needs,
                    hints: recipe.hints,
                    provides: recipe.provides,
                };
                places.insert(build.id, place);
            }
        }
        // What waited for the build before a broken one waits for the broken one.
        if let (State::Failed(_), Some(old)) = (&build.state, others.replaced.get(&build.id)) {
            places.insert(build.id, Place::of(old));
        }
        builds.insert(build.id, build);
    }
    for build in &others.builds {
        let mut place = Place::of(build);
        if !is_ordered(build) {
            place.needs.clear();
            place.hints.clear();
        }
        places.insert(build.id, place);
        if is_ordered(build) && !build.state.is_final() {
            builds.insert(build.id, build.clone());
        }
    }
    order(&places, &mut builds, &others.took);
    for before in &others.builds {
        let is_same = builds.get_mut(&before.id).is_some_and(|now| {
            // How long the work behind it takes is no reason to write it anew.
            now.path_seconds = before.path_seconds;
            now == before
        });
        if is_same {
            builds.remove(&before.id);
        }
    }
    builds.into_values().collect()
}

/// What the check run of a recipe is called.
fn check_name(candidate: &Candidate, frame: &Frame, is_refused: bool) -> String {
    let name = match &candidate.recipe {
        Ok(recipe) => &recipe.name,
        Err(unreadable) => &unreadable.name,
    };
    let standing = match is_refused {
        true => Standing::Refused,
        false => Standing::Holder,
    };
    let profile = frame.is_one_of_many.then_some(&frame.profile);
    of_recipe(&candidate.folder, name, standing, profile)
}

/// A build of what is in a folder, called `check` on GitHub where its name is not enough.
fn begin(candidate: &Candidate, frame: &Frame, scope: Scope, check: Option<String>) -> Build {
    let described = candidate.recipe.as_ref().ok();
    let texts = |of: fn(&Described) -> Vec<String>| described.map(of).unwrap_or_default();
    let plan = Plan {
        repository: frame.repository,
        target: frame.target.clone(),
        profile: frame.profile.clone(),
        commit: frame.commit,
        folder: candidate.folder.clone(),
        tree: candidate.tree,
        recipe: match &candidate.recipe {
            Ok(recipe) => recipe.name.clone(),
            Err(unreadable) => unreadable.name.clone(),
        },
        check,
        scope,
        version: described.map_or_else(String::new, |recipe| recipe.version.clone()),
        release: described.map_or(0, |recipe| recipe.release),
        needs: texts(|recipe| recipe.needs.iter().map(ToString::to_string).collect()),
        hints: texts(|recipe| recipe.hints.iter().map(ToString::to_string).collect()),
        provides: texts(|recipe| recipe.provides.iter().map(ToString::to_string).collect()),
        source_date_epoch: frame.source_date_epoch,
        created_at: frame.now,
        warnings: described.map_or_else(Vec::new, |recipe| recipe.warnings.clone()),
        trust: frame.trust.clone(),
        asked_by: None,
    };
    let state = match &candidate.recipe {
        Ok(_) => State::Planned,
        Err(unreadable) => State::Failed(Failure {
            kind: FailureKind::Recipe,
            phase: None,
            message: unreadable.message.clone(),
            annotations: unreadable.annotations.clone(),
            at: frame.now,
        }),
    };
    Build {
        conflict: frame.conflict.clone(),
        state,
        ..Build::new(candidate.id, Arc::new(plan))
    }
}

#[cfg(test)]
mod tests;
