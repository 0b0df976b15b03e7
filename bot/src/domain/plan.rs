//! From changed recipes to builds: which are built, and after which others.

mod batch;
mod whole;

use std::collections::{BTreeMap, HashMap, HashSet};

use api::id::{BuildId, CommitSha, RecipeFolder, RecipeName, TreeSha};
use jiff::Timestamp;
use moss_deps::{Graph, Node, Step};
use moss_format::{Dependency, Provider};

use super::build::{
    Annotation, Build, By, Conflict, Failure, FailureKind, Scope, Shown, State, Target,
};
use super::check_run::name::{Standing, of_recipe};
use super::name::RepositoryId;

pub use batch::batches;
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
    /// Whether a release that the channel has is built again, with a higher build release.
    pub again: Again,
    /// Why a pull request cannot be merged as it is, if that is so.
    pub conflict: Option<Conflict>,
}

/// What to do with a release that the channel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Nothing: a release is built once.
    No,
    /// Build it: a person asked.
    Yes,
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
        let mut build = begin(&candidate, frame);
        let other = others.taken.get(&candidate.folder);
        let standing = match other {
            Some(_) => Standing::Refused,
            None => Standing::Holder,
        };
        build.check = Some(of_recipe(&build.folder, &build.recipe, standing));
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
    order(&places, &mut builds);
    for before in &others.builds {
        if builds.get(&before.id) == Some(before) {
            builds.remove(&before.id);
        }
    }
    builds.into_values().collect()
}

/// True when a build can still be told what to come after. One that is on its way to a builder or
/// further waits for nothing any more, unless its cycle has to be complete before it is imported.
fn is_ordered(build: &Build) -> bool {
    match &build.state {
        State::Planned | State::Waiting { .. } | State::Held { .. } => true,
        State::Queued { .. }
        | State::Building { .. }
        | State::Built(_)
        | State::Failed(_)
        | State::Cancelled { .. }
        | State::Superseded { .. } => !build.cycle.is_empty(),
        State::Publishing { .. } | State::Published { .. } => false,
    }
}

/// What puts a build into the order.
struct Place {
    needs: Vec<Dependency>,
    hints: Vec<Dependency>,
    provides: Vec<Provider>,
}

impl Place {
    fn of(build: &Build) -> Self {
        Self {
            needs: parsed(&build.needs),
            hints: parsed(&build.hints),
            provides: parsed(&build.provides),
        }
    }

    /// A node that needs only what the recipe asks for.
    fn firm(&self, id: BuildId) -> Node<BuildId> {
        Node::new(id)
            .needs(self.needs.iter().cloned())
            .provides(self.provides.iter().cloned())
    }

    /// A node that needs also what the last build did.
    fn hinted(&self, id: BuildId) -> Node<BuildId> {
        self.firm(id).needs(self.hints.iter().cloned())
    }
}

/// What was written down when it was parsed.
fn parsed<T: std::str::FromStr>(texts: &[String]) -> Vec<T> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

/// Writes down which build comes after which, and which make a cycle.
///
/// A cycle that only hints make is none: they tell of the build before, and what the recipes ask
/// for now goes first. Its members follow the recipes, and those hints that do not lead backwards.
fn order(places: &BTreeMap<BuildId, Place>, builds: &mut BTreeMap<BuildId, Build>) {
    let graph = Graph::new(places.iter().map(|(id, place)| place.hinted(*id)));
    let mut earlier: HashSet<BuildId> = HashSet::new();
    for step in graph.order() {
        let steps = match step {
            Step::One(_) => vec![step],
            Step::Cycle(members) => {
                let firm = members.iter().map(|member| places[member].firm(*member));
                Graph::new(firm).order()
            }
        };
        for step in steps {
            arrange(&step, &graph, places, &earlier, builds);
            earlier.extend(step.members());
        }
    }
}

/// Writes down what the builds of one step come after: some of the `earlier` ones, and each other.
fn arrange(
    step: &Step<BuildId>,
    graph: &Graph<BuildId>,
    places: &BTreeMap<BuildId, Place>,
    earlier: &HashSet<BuildId>,
    builds: &mut BTreeMap<BuildId, Build>,
) {
    let members = step.members();
    for (position, member) in members.iter().enumerate() {
        let Some(build) = builds.get_mut(member) else {
            continue;
        };
        build.after.clear();
        build.behind.clear();
        let needs: HashSet<&Dependency> = places[member].needs.iter().collect();
        for edge in graph.dependencies_of(member) {
            if !earlier.contains(edge.on) {
                continue;
            }
            if edge.needs.iter().any(|need| needs.contains(need)) {
                build.after.push(*edge.on);
            } else {
                build.behind.push(*edge.on);
            }
        }
        match step {
            Step::One(_) => build.cycle.clear(),
            Step::Cycle(_) => {
                // Members go one at a time; each sees the stones of those before it.
                build
                    .after
                    .extend(position.checked_sub(1).map(|before| members[before]));
                build.cycle = members.to_vec();
            }
        }
    }
}

fn begin(candidate: &Candidate, frame: &Frame) -> Build {
    let (name, version, release, state) = match &candidate.recipe {
        Ok(recipe) => (
            &recipe.name,
            recipe.version.clone(),
            recipe.release,
            State::Planned,
        ),
        Err(unreadable) => {
            let failure = Failure {
                kind: FailureKind::Recipe,
                phase: None,
                message: unreadable.message.clone(),
                annotations: unreadable.annotations.clone(),
                at: frame.now,
            };
            (&unreadable.name, String::new(), 0, State::Failed(failure))
        }
    };
    let described = candidate.recipe.as_ref().ok();
    Build {
        id: candidate.id,
        repository: frame.repository,
        target: frame.target.clone(),
        commit: frame.commit,
        folder: candidate.folder.clone(),
        tree: candidate.tree,
        recipe: name.clone(),
        check: None,
        scope: Scope::Recipe,
        version,
        release,
        needs: described.map_or_else(Vec::new, |recipe| {
            recipe.needs.iter().map(ToString::to_string).collect()
        }),
        hints: described.map_or_else(Vec::new, |recipe| {
            recipe.hints.iter().map(ToString::to_string).collect()
        }),
        provides: described.map_or_else(Vec::new, |recipe| {
            recipe.provides.iter().map(ToString::to_string).collect()
        }),
        after: Vec::new(),
        behind: Vec::new(),
        cycle: Vec::new(),
        source_date_epoch: frame.source_date_epoch,
        created_at: frame.now,
        warnings: described.map_or_else(Vec::new, |recipe| recipe.warnings.clone()),
        conflict: frame.conflict.clone(),
        unapproved: None,
        attempts: 0,
        losses: Vec::new(),
        logs_removed_at: None,
        seq: 1,
        state,
        shown: Shown::default(),
    }
}

/// Where a readable recipe begins.
fn first_state(recipe: &Described, frame: &Frame, released: &HashMap<String, u64>) -> State {
    let Some(&channel) = released.get(recipe.name.as_str()) else {
        return State::Planned;
    };
    if !frame.target.is_published() {
        return State::Planned;
    }
    match recipe.release.cmp(&channel) {
        std::cmp::Ordering::Greater => State::Planned,
        std::cmp::Ordering::Equal => match frame.again {
            Again::Yes => State::Planned,
            Again::No => State::Cancelled {
                by: By::AlreadyPublished { release: channel },
                at: frame.now,
            },
        },
        std::cmp::Ordering::Less => {
            let message = lower(recipe.release, channel);
            let (path, line) = recipe.release_at.clone();
            let annotation = Annotation {
                path,
                line,
                is_error: true,
                title: "release-lower".to_owned(),
                message: message.clone(),
            };
            broken(message, Some(annotation), frame.now)
        }
    }
}

/// The build of a recipe that was refused its name, now that it has it. Its content did not change.
pub fn again(
    refused: &Build,
    id: BuildId,
    now: Timestamp,
    released: &HashMap<String, u64>,
) -> Build {
    let state = match released.get(refused.recipe.as_str()) {
        Some(&channel) if refused.release == channel => State::Cancelled {
            by: By::AlreadyPublished { release: channel },
            at: now,
        },
        Some(&channel) if refused.release < channel => {
            broken(lower(refused.release, channel), None, now)
        }
        Some(_) | None => State::Planned,
    };
    Build {
        id,
        created_at: now,
        seq: 1,
        state,
        shown: Shown::default(),
        ..refused.clone()
    }
}

fn lower(release: u64, channel: u64) -> String {
    format!("release {release} is lower than {channel}, which is published already")
}

/// A recipe whose name another one has.
fn twice(recipe: &Described, other: &str, at: Timestamp) -> State {
    let message = format!("the name {} is taken by the recipe in {other}", recipe.name);
    State::Failed(Failure {
        kind: FailureKind::NameTaken,
        phase: None,
        annotations: vec![Annotation {
            path: recipe.release_at.0.clone(),
            line: recipe.name_line,
            is_error: true,
            title: "name-taken".to_owned(),
            message: message.clone(),
        }],
        message,
        at,
    })
}

fn broken(message: String, annotation: Option<Annotation>, at: Timestamp) -> State {
    State::Failed(Failure {
        kind: FailureKind::Recipe,
        phase: None,
        annotations: annotation.into_iter().collect(),
        message,
        at,
    })
}

#[cfg(test)]
mod tests;
