//! The order of builds: which build comes after which.

use std::collections::{BTreeMap, HashMap, HashSet};

use api::id::{BuildId, RecipeFolder};
use moss_deps::{Graph, Node, Step};
use moss_format::{Dependency, Provider};

use crate::domain::build::{Build, State};

/// True when planning may still change the order of a build. A queued or later build waits for no
/// other build, unless it belongs to a cycle: a cycle has to be complete before its import.
pub(super) fn is_ordered(build: &Build) -> bool {
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

/// The data that determines a build's place in the order.
pub(super) struct Place {
    pub(super) needs: Vec<Dependency>,
    pub(super) hints: Vec<Dependency>,
    pub(super) provides: Vec<Provider>,
}

impl Place {
    pub(super) fn of(build: &Build) -> Self {
        Self {
            needs: parsed(&build.needs),
            hints: parsed(&build.hints),
            provides: parsed(&build.provides),
        }
    }

    /// A node with the needs of the recipe, without hints.
    fn firm(&self, id: BuildId) -> Node<BuildId> {
        Node::new(id)
            .needs(self.needs.iter().cloned())
            .provides(self.provides.iter().cloned())
    }

    /// A node with the needs of the recipe and the hints.
    fn hinted(&self, id: BuildId) -> Node<BuildId> {
        self.firm(id).needs(self.hints.iter().cloned())
    }
}

/// Parses stored text. All of it was valid when it was stored, so nothing is lost here.
fn parsed<T: std::str::FromStr>(texts: &[String]) -> Vec<T> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

/// Sets for each build which builds come before it, and the members of its cycle.
///
/// If hints alone make a cycle, it is not treated as a cycle: hints are of an older build, and the
/// recipe itself counts more. The order follows the recipes then, and hints against it are dropped.
pub(super) fn order(
    places: &BTreeMap<BuildId, Place>,
    builds: &mut BTreeMap<BuildId, Build>,
    took: &HashMap<RecipeFolder, u64>,
) {
    let mut sequence: Vec<BuildId> = Vec::with_capacity(places.len());
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
            sequence.extend(step.members());
        }
    }
    measure_paths(&sequence, builds, took);
}

/// The assumed duration of a recipe that was never built, in seconds.
const UNKNOWN_SECONDS: u64 = 60;

/// Sets [`Build::path_seconds`] of each build. `sequence` is in build order and is read backwards.
fn measure_paths(
    sequence: &[BuildId],
    builds: &mut BTreeMap<BuildId, Build>,
    took: &HashMap<RecipeFolder, u64>,
) {
    let mut waiting: HashMap<BuildId, u64> = HashMap::new();
    for id in sequence.iter().rev() {
        let Some(build) = builds.get_mut(id) else {
            continue;
        };
        let own = took.get(&build.folder).copied();
        let longest = waiting.get(id).copied().unwrap_or(0);
        build.path_seconds = longest + own.unwrap_or(UNKNOWN_SECONDS);
        for before in &build.after {
            let known = waiting.entry(*before).or_default();
            *known = build.path_seconds.max(*known);
        }
    }
}

/// Sets the order of the builds of one step: after some of the `earlier` builds and, in a cycle,
/// after each other.
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
                // Members are built one at a time; each uses the stones of the members before it.
                build
                    .after
                    .extend(position.checked_sub(1).map(|before| members[before]));
                build.cycle = members.to_vec();
            }
        }
    }
}

/// The builds in build order; the members of a cycle are one group.
pub fn in_order(builds: &[Build]) -> Vec<Vec<BuildId>> {
    let known: BTreeMap<BuildId, &Build> = builds.iter().map(|build| (build.id, build)).collect();
    let mut sequence = Sequence {
        known: &known,
        seen: HashSet::new(),
        groups: Vec::new(),
    };
    for build in builds {
        sequence.add(build);
    }
    sequence.groups
}

struct Sequence<'a> {
    known: &'a BTreeMap<BuildId, &'a Build>,
    seen: HashSet<BuildId>,
    groups: Vec<Vec<BuildId>>,
}

impl Sequence<'_> {
    /// Adds the builds before a build, and then the build with its cycle. This uses a stack of its
    /// own instead of recursion, because chains can be long.
    fn add(&mut self, build: &Build) {
        let mut stack = vec![(self.group_of(build), false)];
        while let Some((group, is_ready)) = stack.pop() {
            if is_ready {
                self.groups.push(group);
                continue;
            }
            // The members of a cycle can disagree about it, so another group may have some of
            // these.
            let group: Vec<BuildId> = group
                .into_iter()
                .filter(|id| self.seen.insert(*id))
                .collect();
            if group.is_empty() {
                continue;
            }
            let members = group.iter().filter_map(|id| self.known.get(id));
            let before: Vec<Vec<BuildId>> = members
                .flat_map(|member| member.after.iter().chain(&member.behind))
                .filter_map(|id| self.known.get(id))
                .filter(|before| !self.seen.contains(&before.id))
                .map(|before| self.group_of(before))
                .collect();
            stack.push((group, true));
            stack.extend(before.into_iter().map(|group| (group, false)));
        }
    }

    /// A build with the known members of its cycle, and with their cycles' members.
    fn group_of(&self, build: &Build) -> Vec<BuildId> {
        let mut group = vec![build.id];
        let mut place = 0;
        while let Some(member) = group.get(place).and_then(|id| self.known.get(id)) {
            for id in &member.cycle {
                if self.known.contains_key(id) && !group.contains(id) {
                    group.push(*id);
                }
            }
            place += 1;
        }
        group
    }
}
