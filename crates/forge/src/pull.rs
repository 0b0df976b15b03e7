//! Changes of a pull request: its refs, its record and its webhook.
//!
//! Git works without the lock of the state: whether it merges, how far its head is from its base.
//! Then the record is changed and the webhook made under one lock, so that there is never one
//! without the other; when the pull request changed meanwhile, git works again. The refs below
//! `refs/pull` are written before the record; what a crash leaves in them is overwritten when the
//! change is made after all.

use std::path::PathBuf;
use std::sync::Arc;

use crate::forge::{Shared, blocking};
use crate::git::GitError;
use crate::git::merge::{self, Distance};
use crate::id::{AccountId, PullId, RepositoryId};
use crate::name::{Branch, Sha};
use crate::state::State;
use crate::state::pull::{Base, Computed, Mergeability, PullRequest};
use crate::webhook::event::{self, PullAction};

/// Names a pull request: its repository and its number in it.
pub(crate) type Key = (RepositoryId, u64);

/// What is to become of a pull request.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Nothing: it is not, or not any longer, as the change takes it to be.
    Stay,
    /// It changes, and nobody is told.
    Quiet,
    /// It changes, and this is told.
    Tell(PullAction),
}

/// Whether a pull request changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    Yes,
    No,
}

/// Changes a pull request by `step`, which is called again with the present one whenever it changed
/// while git worked.
pub(crate) async fn change(
    shared: &Arc<Shared>,
    key: Key,
    by: AccountId,
    mut step: impl FnMut(&State, &mut PullRequest) -> Step,
) -> Result<Changed, GitError> {
    loop {
        let (was, mut next, step, work) = {
            let state = shared.lock();
            let Some(was) = state.pulls.get(&key).cloned() else {
                return Ok(Changed::No);
            };
            let mut next = was.clone();
            let step = step(&state, &mut next);
            let action = match step {
                Step::Stay => return Ok(Changed::No),
                Step::Quiet => None,
                Step::Tell(action) => Some(action),
            };
            let work = Work::new(&state, &next, needs_merge(&was, &next));
            (was, next, action, work)
        };
        let done = blocking(move || work.run()).await?;
        let mut state = shared.lock();
        if state.pulls.get(&key) != Some(&was) {
            continue;
        }
        if let Some(mergeable) = done.mergeable {
            (next.mergeable, next.computed) = (mergeable, Computed::NotYet);
        }
        state.pulls.insert(key, next);
        if let Some(action) = step {
            event::pull_request(shared, &mut state, key, by, action, done.distance);
        }
        return Ok(Changed::Yes);
    }
}

/// Opens a pull request, whose id and number are given here.
pub(crate) async fn open(
    shared: &Arc<Shared>,
    mut pull: PullRequest,
) -> Result<Result<u64, NotOpened>, GitError> {
    if let Some(number) = find_second(&shared.lock(), &pull) {
        return Ok(Err(NotOpened::Second(number)));
    }
    let key = {
        let mut state = shared.lock();
        (pull.repository, state.next_pull_number(pull.repository))
    };
    (pull.id, pull.number) = (PullId::new(0), key.1);
    loop {
        let work = {
            let state = shared.lock();
            if let Err(missing) = follow_tips(&state, &mut pull) {
                return Ok(Err(missing));
            }
            Work::new(&state, &pull, Merge::Attempt)
        };
        let done = blocking(move || work.run()).await?;
        let mut state = shared.lock();
        let seen = pull.clone();
        if follow_tips(&state, &mut pull).is_err() || pull != seen {
            continue;
        }
        if let Some(number) = find_second(&state, &pull) {
            return Ok(Err(NotOpened::Second(number)));
        }
        pull.mergeable = done.mergeable.unwrap_or(Mergeability::Conflicting);
        let author = pull.author;
        state.insert_pull(pull);
        event::pull_request(
            shared,
            &mut state,
            key,
            author,
            PullAction::Opened,
            done.distance,
        );
        return Ok(Ok(key.1));
    }
}

/// Why a pull request was not opened.
#[derive(Debug)]
pub(crate) enum NotOpened {
    /// A branch is not there.
    Missing(Branch),
    /// The one of this number, from the same branch to the same base, is open already.
    Second(u64),
}

/// An open pull request from the same branch to the same base.
fn find_second(state: &State, pull: &PullRequest) -> Option<u64> {
    let same = state.pulls.values().find(|other| {
        other.is_open()
            && other.repository == pull.repository
            && other.base.branch == pull.base.branch
            && other.head.repository == pull.head.repository
            && other.head.branch == pull.head.branch
    });
    same.map(|other| other.number)
}

/// Sets head and base to what their branches point to, as it was settled last: what is pushed now
/// finds the pull request when it is settled.
fn follow_tips(state: &State, pull: &mut PullRequest) -> Result<(), NotOpened> {
    let (head, base) = (&mut pull.head, &mut pull.base);
    let tip = |repository, branch: &Branch| -> Result<Sha, NotOpened> {
        let found = state.find_tip(repository, branch).cloned();
        found.ok_or_else(|| NotOpened::Missing(branch.clone()))
    };
    head.sha = tip(head.repository, &head.branch)?;
    *base = Base::new(base.branch.clone(), tip(pull.repository, &base.branch)?);
    Ok(())
}

/// The first line of a merge commit.
pub(crate) fn merge_title(state: &State, pull: &PullRequest) -> String {
    let source = state.full_name(state.repository(pull.head.repository));
    let (number, owner, branch) = (pull.number, source.owner(), &pull.head.branch);
    format!("Merge pull request #{number} from {owner}/{branch}")
}

/// Whether git is asked if a pull request merges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Merge {
    Attempt,
    AsItWas,
}

fn needs_merge(was: &PullRequest, next: &PullRequest) -> Merge {
    let has_moved = was.head != next.head || was.base != next.base;
    if next.is_open() && (has_moved || !was.is_open()) {
        Merge::Attempt
    } else {
        Merge::AsItWas
    }
}

/// What git has to do for a change.
struct Work {
    from: PathBuf,
    into: PathBuf,
    number: u64,
    head: Sha,
    base: Sha,
    merge: Merge,
}

struct Done {
    /// None where it was not asked for.
    mergeable: Option<Mergeability>,
    distance: Distance,
}

impl Work {
    fn new(state: &State, pull: &PullRequest, merge: Merge) -> Self {
        Self {
            from: state.repository(pull.head.repository).path.clone(),
            into: state.repository(pull.repository).path.clone(),
            number: pull.number,
            head: pull.head.sha.clone(),
            base: pull.base.tip().clone(),
            merge,
        }
    }

    /// Brings the head to where the base repository serves it, makes the merge that would be made,
    /// and measures.
    fn run(self) -> Result<Done, GitError> {
        let (number, head, base) = (self.number, &self.head, &self.base);
        let mergeable = match self.merge {
            Merge::AsItWas => None,
            Merge::Attempt => {
                let reference = format!("refs/pull/{number}/head");
                merge::fetch(&self.from, &self.into, head, &reference)?;
                let message = format!("Merge {head} into {base}");
                Some(merge::attempt(&self.into, number, base, head, &message)?)
            }
        };
        let distance = merge::distance(&self.into, base, head)?;
        Ok(Done {
            mergeable,
            distance,
        })
    }
}
