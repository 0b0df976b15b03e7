//! The order in which ready builds go to builders.
//!
//! 1. Builds that a person asked for.
//! 2. Builds of default branches.
//! 3. Builds of pull requests. The pull request with the fewest builds at builders goes first, so
//!    that a large one does not keep small ones waiting.
//!
//! Within a rank or a pull request:
//!
//! 1. Builds that no builder has declined yet go first: they may provide what a declined build
//!    lacks.
//! 2. The build with the longest chain of waiting work goes first, by the last build times.
//! 3. The older build goes first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, btree_set};

use api::id::BuildId;

use super::build::{Build, Stage, State, Target};
use super::name::RepositoryId;

/// The queued builds, in the order of their turns.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Queue {
    first: BTreeSet<(Rank, Place)>,
    pulls: BTreeMap<Pull, BTreeSet<Place>>,
    /// How many builds of each pull request are at builders.
    at_builders: BTreeMap<Pull, usize>,
}

/// The ranks before all pull requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// A person asked for it.
    Wish,
    /// It is for a default branch.
    Branch,
}

/// The sort key within a rank or a pull request; the smallest goes first. Its parts: whether the
/// last turn was in vain, the longest path in seconds, the id.
type Place = (bool, Reverse<u64>, BuildId);

/// A pull request.
type Pull = (RepositoryId, u64);

impl Queue {
    /// Adds a build, if it is queued or at a builder.
    pub fn put(&mut self, build: &Build) {
        match (build.state.stage(), pull_of(build)) {
            (Stage::Queued, pull) => match (rank(build), pull) {
                (Some(rank), _) => drop(self.first.insert((rank, place(build)))),
                (None, Some(pull)) => {
                    self.pulls.entry(pull).or_default().insert(place(build));
                }
                (None, None) => {}
            },
            (Stage::Building, Some(pull)) => *self.at_builders.entry(pull).or_default() += 1,
            _ => {}
        }
    }

    /// Removes a build. `build` must be unchanged since [`Self::put`].
    pub fn remove(&mut self, build: &Build) {
        match (build.state.stage(), pull_of(build)) {
            (Stage::Queued, pull) => match (rank(build), pull) {
                (Some(rank), _) => drop(self.first.remove(&(rank, place(build)))),
                (None, Some(pull)) => {
                    if let Some(waiting) = self.pulls.get_mut(&pull) {
                        waiting.remove(&place(build));
                        if waiting.is_empty() {
                            self.pulls.remove(&pull);
                        }
                    }
                }
                (None, None) => {}
            },
            (Stage::Building, Some(pull)) => {
                if let Some(count) = self.at_builders.get_mut(&pull) {
                    *count -= 1;
                    if *count == 0 {
                        self.at_builders.remove(&pull);
                    }
                }
            }
            _ => {}
        }
    }

    /// The builds for which `is_ready` holds, in order. The cost grows with the number of builds
    /// taken and the number of waiting pull requests.
    pub fn in_turn<'queue>(
        &'queue self,
        is_ready: impl Fn(BuildId) -> bool + Copy + 'queue,
    ) -> impl Iterator<Item = BuildId> + 'queue {
        let first = self.first.iter().map(|(_, (_, _, id))| *id);
        first
            .filter(move |id| is_ready(*id))
            .chain(Shares::new(self, is_ready))
    }
}

/// The builds of pull requests in the order of fair shares.
struct Shares<'queue, F> {
    is_ready: F,
    /// For each pull request: its builds at builders plus those already taken from here, and the
    /// place of its next build.
    next: BinaryHeap<Reverse<(usize, Place, Pull)>>,
    rest: BTreeMap<Pull, btree_set::Iter<'queue, Place>>,
}

impl<'queue, F: Fn(BuildId) -> bool> Shares<'queue, F> {
    fn new(queue: &'queue Queue, is_ready: F) -> Self {
        let mut shares = Self {
            is_ready,
            next: BinaryHeap::new(),
            rest: BTreeMap::new(),
        };
        for (pull, waiting) in &queue.pulls {
            let taken = queue.at_builders.get(pull).copied().unwrap_or(0);
            shares.rest.insert(*pull, waiting.iter());
            shares.advance(*pull, taken);
        }
        shares
    }

    fn advance(&mut self, pull: Pull, taken: usize) {
        let Some(rest) = self.rest.get_mut(&pull) else {
            return;
        };
        if let Some(place) = rest.find(|(_, _, id)| (self.is_ready)(*id)) {
            self.next.push(Reverse((taken, *place, pull)));
        }
    }
}

impl<F: Fn(BuildId) -> bool> Iterator for Shares<'_, F> {
    type Item = BuildId;

    fn next(&mut self) -> Option<BuildId> {
        let Reverse((taken, (_, _, id), pull)) = self.next.pop()?;
        self.advance(pull, taken + 1);
        Some(id)
    }
}

fn rank(build: &Build) -> Option<Rank> {
    match build.target {
        _ if build.asked_by.is_some() => Some(Rank::Wish),
        // A merge waits for it.
        Target::Branch { .. } | Target::Group { .. } => Some(Rank::Branch),
        Target::Pull { .. } => None,
    }
}

fn place(build: &Build) -> Place {
    let was_in_vain = matches!(
        &build.state,
        State::Queued {
            reason: Some(_),
            ..
        }
    );
    (was_in_vain, Reverse(build.path_seconds), build.id)
}

fn pull_of(build: &Build) -> Option<Pull> {
    match build.target {
        Target::Pull { number } => Some((build.repository, number)),
        Target::Branch { .. } | Target::Group { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::build::Progress;
    use crate::domain::build::example::{at, build, id};

    fn queued(number: u8, target: Target) -> Build {
        let mut build = build(number, "nano");
        build.target = target;
        build.state = State::Queued {
            since: at(0),
            reason: None,
        };
        build
    }

    fn pull(number: u64) -> Target {
        Target::Pull { number }
    }

    fn main() -> Target {
        crate::domain::build::example::main()
    }

    fn turns(builds: &[Build]) -> Vec<BuildId> {
        let mut queue = Queue::default();
        for build in builds {
            queue.put(build);
        }
        let turns: Vec<BuildId> = queue.in_turn(|_| true).collect();
        for build in builds {
            queue.remove(build);
        }
        assert_eq!(queue, Queue::default());
        turns
    }

    #[test]
    fn wishes_go_before_branches_and_these_before_pull_requests() {
        let mut wish = queued(3, pull(7));
        wish.asked_by = Some("ada".to_owned());
        let builds = [queued(1, pull(7)), queued(2, main()), wish];
        assert_eq!(turns(&builds), [3, 2, 1].map(id));
    }

    #[test]
    fn the_longest_work_goes_first_and_then_the_oldest() {
        let mut long = queued(3, main());
        long.path_seconds = 600;
        let builds = [queued(2, main()), queued(1, main()), long];
        assert_eq!(turns(&builds), [3, 1, 2].map(id));
    }

    /// Otherwise builds that lack something would delay the build that may provide it.
    #[test]
    fn what_had_its_turn_in_vain_goes_behind_its_like() {
        let mut vain = queued(1, pull(7));
        vain.state = State::Queued {
            since: at(0),
            reason: Some("it lacks something".to_owned()),
        };
        assert_eq!(turns(&[vain, queued(2, pull(7))]), [2, 1].map(id));
    }

    /// A build that is not ready takes no share.
    #[test]
    fn what_is_not_ready_is_passed_over() {
        let mut queue = Queue::default();
        for build in [queued(1, pull(7)), queued(2, pull(7)), queued(3, pull(8))] {
            queue.put(&build);
        }
        let turns: Vec<BuildId> = queue.in_turn(|build| build != id(1)).collect();
        assert_eq!(turns, [2, 3].map(id));
    }

    #[test]
    fn a_large_pull_request_does_not_keep_a_small_one_waiting() {
        let large = (1..=4).map(|number| queued(number, pull(7)));
        let small = (5..=6).map(|number| queued(number, pull(8)));
        let builds: Vec<Build> = large.chain(small).collect();
        assert_eq!(turns(&builds), [1, 5, 2, 6, 3, 4].map(id));
    }

    #[test]
    fn what_builders_have_already_counts() {
        let mut builds = vec![queued(1, pull(7)), queued(2, pull(8))];
        for number in 3..=4 {
            let mut building = queued(number, pull(7));
            building.state = State::Building {
                builder: "avalanche-1".parse().unwrap(),
                progress: Progress::Ordered,
                since: at(0),
                silence: None,
            };
            builds.push(building);
        }
        builds.push(queued(5, pull(8)));
        builds.push(queued(6, pull(8)));
        // The third build of #8 and the first of #7 have equal shares; the older build goes first.
        assert_eq!(turns(&builds), [2, 5, 1, 6].map(id));
    }
}
