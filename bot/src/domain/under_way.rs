//! The builds under way, in memory, with indexes for the workers.
//!
//! The database is the truth, and this cache follows it: after each commit, and in the order of
//! commits, [`UnderWay::apply`] is called for every build that the commit wrote. It returns which
//! workers the change concerns, so that only these wake up. A restart rebuilds the cache from the
//! database.
//!
//! A build is under way while it can still move without a person, while a builder keeps its assets,
//! and while GitHub does not show its current state. Builds that only a person can move are
//! excluded: a single pull request can have thousands of them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use api::id::{BuildId, ImportId};
use jiff::Timestamp;

use super::build::{Build, Hold, Stage, State, Suspect};
use super::check_run::Status;
use super::check_run::of_build::status;
use super::head::HeadId;
use super::queue::Queue;

/// All builds under way, with their indexes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct UnderWay {
    builds: HashMap<BuildId, Arc<Build>>,
    /// For each build, the builds whose next step depends on it.
    followers: BTreeMap<BuildId, BTreeSet<BuildId>>,
    /// The active builds by state.
    stages: BTreeMap<Stage, BTreeSet<BuildId>>,
    imports: BTreeMap<ImportId, BTreeSet<BuildId>>,
    unshown: BTreeSet<BuildId>,
    /// How many builds of a head are not concluded.
    unconcluded: BTreeMap<HeadId, usize>,
    /// The heads whose check run may say something else than it should.
    moved_heads: BTreeSet<HeadId>,
    /// The active builds that were told of a standstill.
    told: BTreeSet<BuildId>,
    queue: Queue,
    /// The builds that the scheduler has to look at.
    moved: BTreeSet<BuildId>,
}

/// The workers that a change concerns.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Concerns {
    /// The scheduler: a build may go on, or a builder may have a free slot.
    pub schedule: bool,
    /// The worker that attends attempts: one was added or has ended.
    pub attempts: bool,
    /// The worker that follows imports: one was added.
    pub imports: bool,
    /// The worker that reconciles check runs.
    pub check_runs: bool,
}

impl UnderWay {
    /// Loads those of `builds` that are under way. The scheduler has to look at all of them.
    pub fn new(builds: impl IntoIterator<Item = Build>) -> Self {
        let mut under_way = Self::default();
        for build in builds {
            under_way.apply(build.id, Some(Arc::new(build)));
        }
        under_way
    }

    /// Replaces a build by its version `now`; none when the build was removed.
    pub fn apply(&mut self, id: BuildId, now: Option<Arc<Build>>) -> Concerns {
        let kept = now.clone().filter(|build| belongs(build));
        let before = match &kept {
            Some(build) => self.builds.insert(id, Arc::clone(build)),
            None => self.builds.remove(&id),
        };
        self.follow(id, before.as_deref(), kept.as_deref());
        self.sort(id, before.as_deref(), kept.as_deref());
        match kept.as_deref() {
            Some(build) if !build.is_shown() => self.unshown.insert(id),
            Some(_) | None => self.unshown.remove(&id),
        };
        self.note_moved(id, before.as_deref(), now.as_deref(), kept.is_some());
        self.count_of_heads(before.as_deref(), now.as_deref());
        let concerns = concerns(before.as_deref(), now.as_deref());
        Concerns {
            schedule: concerns.schedule || !self.moved.is_empty(),
            ..concerns
        }
    }

    /// Updates what is known of the heads of a build that changed.
    fn count_of_heads(&mut self, before: Option<&Build>, now: Option<&Build>) {
        let is_open = |build: &&Build| !matches!(status(build), Status::Completed(_));
        let (old, new) = (before.filter(is_open), now.filter(is_open));
        if let Some(old) = old.map(HeadId::from)
            && let Entry::Occupied(mut open) = self.unconcluded.entry(old)
        {
            *open.get_mut() -= 1;
            if *open.get() == 0 {
                open.remove();
            }
        }
        if let Some(new) = new.map(HeadId::from) {
            *self.unconcluded.entry(new).or_default() += 1;
        }
        if before.map(|build| build.seq) != now.map(|build| build.seq) {
            self.moved_heads.extend(before.map(HeadId::from));
            self.moved_heads.extend(now.map(HeadId::from));
        }
    }

    /// Notes heads of which something other than a build changed.
    pub fn note_heads(&mut self, heads: impl IntoIterator<Item = HeadId>) {
        self.moved_heads.extend(heads);
    }

    /// Takes the heads whose check run may say something else than it should.
    pub fn take_moved_heads(&mut self) -> BTreeSet<HeadId> {
        std::mem::take(&mut self.moved_heads)
    }

    /// True when builds of a head are not concluded.
    pub fn is_unconcluded(&self, head: HeadId) -> bool {
        self.unconcluded.contains_key(&head)
    }

    /// Updates [`Self::followers`].
    fn follow(&mut self, id: BuildId, before: Option<&Build>, now: Option<&Build>) {
        let (old, new) = (
            before.map(looked_at_by).unwrap_or_default(),
            now.map(looked_at_by).unwrap_or_default(),
        );
        for gone in old.difference(&new) {
            refile(&mut self.followers, id, Some(*gone), None);
        }
        for other in new.difference(&old) {
            refile(&mut self.followers, id, None, Some(*other));
        }
    }

    /// Updates the queue, the builds that were told, and the indexes by state and import.
    fn sort(&mut self, id: BuildId, before: Option<&Build>, now: Option<&Build>) {
        let active = |build: &&Build| build.is_active();
        let (before, now) = (before.filter(active), now.filter(active));
        if let Some(before) = before {
            self.queue.remove(before);
        }
        if let Some(now) = now {
            self.queue.put(now);
        }
        match now {
            Some(build) if build.standstill.is_some() => self.told.insert(id),
            Some(_) | None => self.told.remove(&id),
        };
        refile(&mut self.stages, id, before.map(stage), now.map(stage));
        refile(
            &mut self.imports,
            id,
            before.and_then(import),
            now.and_then(import),
        );
    }

    /// Notes the builds that the scheduler has to look at because of a change. A build that is
    /// settled and shown leaves this cache; to the builds after it, that changes nothing.
    fn note_moved(
        &mut self,
        id: BuildId,
        before: Option<&Build>,
        now: Option<&Build>,
        is_kept: bool,
    ) {
        if before.map(Build::bearing) != now.map(Build::bearing)
            && let Some(followers) = self.followers.get(&id)
        {
            self.moved.extend(followers);
        }
        let Some(now) = now.filter(|_| is_kept) else {
            self.moved.remove(&id);
            return;
        };
        let (old, new) = (before.map(stage), stage(now));
        let is_same = before.is_some_and(|before| {
            old == Some(new)
                && looked_at_by(before) == looked_at_by(now)
                && (new == Stage::Queued || before.state == now.state)
        });
        if !is_same && (new.is_scheduled() || new == Stage::Built) {
            self.moved.insert(id);
        }
    }

    /// Takes the oldest builds that the scheduler has to look at, at most `most`.
    pub fn take_moved(&mut self, most: usize) -> BTreeSet<BuildId> {
        let rest = match self.moved.iter().nth(most) {
            Some(first) => {
                let first = *first;
                self.moved.split_off(&first)
            }
            None => BTreeSet::new(),
        };
        std::mem::replace(&mut self.moved, rest)
    }

    /// Gives back builds that were taken and not looked at.
    pub fn give_back_moved(&mut self, moved: BTreeSet<BuildId>) {
        self.moved.extend(moved);
    }

    /// A build, if it is under way.
    pub fn find(&self, id: BuildId) -> Option<&Arc<Build>> {
        self.builds.get(&id)
    }

    /// All builds, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Build>> {
        self.builds.values()
    }

    /// The active builds in a state, oldest first.
    pub fn in_stage(&self, stage: Stage) -> impl Iterator<Item = &Arc<Build>> {
        let ids = self.stages.get(&stage).into_iter().flatten();
        ids.filter_map(|id| self.builds.get(id))
    }

    /// The builds that a builder can take at `now`, in the order of the [`Queue`].
    pub fn ready(&self, now: Timestamp) -> impl Iterator<Item = &Arc<Build>> {
        let is_due = move |id| self.builds.get(&id).is_some_and(|build| build.is_due(now));
        let in_turn = self.queue.in_turn(is_due);
        in_turn.filter_map(|id| self.builds.get(&id))
    }

    /// True when builds are queued, even if they still pause.
    pub fn has_queued(&self) -> bool {
        self.stages.contains_key(&Stage::Queued)
    }

    /// The number of active builds in each state.
    pub fn counts(&self) -> BTreeMap<Stage, usize> {
        let stages = self.stages.iter();
        stages.map(|(stage, ids)| (*stage, ids.len())).collect()
    }

    /// The imports under way with their builds.
    pub fn imports(&self) -> impl Iterator<Item = (ImportId, Vec<Arc<Build>>)> {
        self.imports.iter().map(|(import, ids)| {
            let builds = ids.iter().filter_map(|id| self.builds.get(id));
            (*import, builds.cloned().collect())
        })
    }

    /// The active builds that were told of a standstill, oldest first.
    pub fn told(&self) -> impl Iterator<Item = BuildId> {
        self.told.iter().copied()
    }

    /// The builds whose current state GitHub does not show yet, oldest first.
    pub fn unshown(&self) -> impl Iterator<Item = &Arc<Build>> {
        self.unshown.iter().filter_map(|id| self.builds.get(id))
    }
}

/// The workers that a build's change from `before` to `now` concerns.
fn concerns(before: Option<&Build>, now: Option<&Build>) -> Concerns {
    let attempt_of = |build: &Build| (stage(build) == Stage::Building).then_some(build.attempts);
    let new_import = now.and_then(import);
    Concerns {
        schedule: before.map(stage) != now.map(stage),
        attempts: before.and_then(attempt_of) != now.and_then(attempt_of),
        imports: new_import.is_some() && before.and_then(import) != new_import,
        check_runs: before.map(|build| build.seq) != now.map(|build| build.seq),
    }
}

fn belongs(build: &Build) -> bool {
    build.is_active() || !build.is_shown()
}

fn stage(build: &Build) -> Stage {
    build.state.stage()
}

fn import(build: &Build) -> Option<ImportId> {
    let State::Publishing { import, .. } = &build.state else {
        return None;
    };
    Some(*import)
}

/// The builds on which the next step of `build` depends.
pub fn looked_at_by(build: &Build) -> BTreeSet<BuildId> {
    let named = build.after.iter().chain(&build.behind).chain(&build.cycle);
    looked_at(build.id, named, &build.state)
}

/// Like [`looked_at_by`], for the build `id` in `state` that comes after the `named` builds.
pub fn looked_at<'named>(
    id: BuildId,
    named: impl Iterator<Item = &'named BuildId>,
    state: &State,
) -> BTreeSet<BuildId> {
    let mut others: BTreeSet<BuildId> = named.copied().collect();
    if let Some(Hold::Suspected { of, .. }) = state.find_hold() {
        others.extend(of.iter().map(|Suspect { build, .. }| *build));
    }
    others.remove(&id);
    others
}

/// Moves a build from its old key of an index to its new one.
fn refile<K: Ord>(
    index: &mut BTreeMap<K, BTreeSet<BuildId>>,
    id: BuildId,
    old: Option<K>,
    new: Option<K>,
) {
    if old == new {
        return;
    }
    if let Some(old) = old
        && let Some(filed) = index.get_mut(&old)
    {
        filed.remove(&id);
        if filed.is_empty() {
            index.remove(&old);
        }
    }
    if let Some(new) = new {
        index.entry(new).or_default().insert(id);
    }
}

#[cfg(test)]
mod tests;
