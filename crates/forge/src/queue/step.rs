//! The next step of a repository's merge queues, as it follows from the tables.

use std::collections::BTreeMap;

use crate::id::{AccountId, RepositoryId};
use crate::name::{Branch, Sha};
use crate::obstacle::{self, Standing};
use crate::state::State;
use crate::state::pull::State as PullState;
use crate::state::queue::{Entry, Reason, Stage};

/// What is to be done for a pull request in a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) key: (RepositoryId, u64),
    /// In whose name.
    pub(super) by: AccountId,
    pub(super) deed: Deed,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    /// It leaves the queue.
    Leave(Reason),
    /// The base moves to its group.
    Merge,
    /// Its group goes: what is before it is another.
    Discard,
    /// Its group is made, onto this.
    Make(Sha),
    /// Its group gets its branch, and checks are asked for.
    Ask,
}

/// A pull request's number and its place in the queue.
type Waiting<'state> = (u64, &'state Entry);

/// The next step in a repository, if there is one.
pub(super) fn find(state: &State, repository: RepositoryId) -> Option<Step> {
    let mut queues: BTreeMap<&Branch, Vec<Waiting<'_>>> = BTreeMap::new();
    let entries = state.queue.range((repository, 0)..=(repository, u64::MAX));
    for ((_, number), entry) in entries {
        queues
            .entry(&entry.branch)
            .or_default()
            .push((*number, entry));
    }
    queues.into_iter().find_map(|(branch, mut queue)| {
        queue.sort_by_key(|(_, entry)| entry.place);
        let (number, by, deed) = of_queue(state, repository, branch, &queue)?;
        let key = (repository, number);
        Some(Step { key, by, deed })
    })
}

fn of_queue(
    state: &State,
    repository: RepositoryId,
    branch: &Branch,
    queue: &[Waiting<'_>],
) -> Option<(u64, AccountId, Deed)> {
    let tip = state.find_tip(repository, branch);
    for (number, entry) in queue {
        let reason = match tip {
            None => Some(Reason::Cleared),
            Some(_) => find_reason(state, (repository, *number), entry),
        };
        if let Some(reason) = reason {
            return Some((*number, entry.by, Deed::Leave(reason)));
        }
    }
    let mut onto = tip?;
    for (place, (number, entry)) in queue.iter().enumerate() {
        let step = |deed| Some((*number, entry.by, deed));
        let Some(group) = &entry.group else {
            return step(Deed::Make(onto.clone()));
        };
        if group.base != *onto {
            return step(Deed::Discard);
        }
        match group.stage {
            Stage::Made => return step(Deed::Ask),
            Stage::Asked if place == 0 && has_passed(state, repository, branch, &group.head) => {
                return step(Deed::Merge);
            }
            Stage::Asked => onto = &group.head,
        }
    }
    None
}

/// Why a pull request leaves the queue, if it does.
fn find_reason(state: &State, key: (RepositoryId, u64), entry: &Entry) -> Option<Reason> {
    let Some(pull) = state.pulls.get(&key) else {
        return Some(Reason::Changed);
    };
    let group = entry.group.as_ref();
    match &pull.state {
        PullState::Merged { commit, .. } => {
            let is_group = group.is_some_and(|group| group.head == *commit);
            return Some(if is_group {
                Reason::Merged
            } else {
                Reason::AlreadyMerged
            });
        }
        PullState::Closed { .. } => return Some(Reason::Changed),
        PullState::Open => {}
    }
    if entry.leaves.is_some() {
        return entry.leaves;
    }
    if pull.draft || pull.head.sha != entry.head || pull.base.branch != entry.branch {
        return Some(Reason::Changed);
    }
    if !state.has_queue(key.0, &entry.branch) {
        return Some(Reason::Cleared);
    }
    let asked = group.filter(|group| group.stage == Stage::Asked)?;
    let mut standings = obstacle::standings(state, key.0, &entry.branch, &asked.head);
    standings
        .any(|(_, standing)| standing == Standing::Failing)
        .then_some(Reason::Failure)
}

fn has_passed(state: &State, repository: RepositoryId, branch: &Branch, sha: &Sha) -> bool {
    obstacle::standings(state, repository, branch, sha)
        .all(|(_, standing)| standing == Standing::Passed)
}
