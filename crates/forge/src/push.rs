//! What follows a change of refs: push events, check suites, and the pull requests that the
//! change is about.
//!
//! A change has four steps, each of which a crash may follow:
//!
//! 1. Who is going to change the refs is recorded ([`begin`]).
//! 2. Git changes them.
//! 3. They are *settled*: what they point to now, the push events and the check suites are recorded
//!    as one, with a mark on each branch that pull requests have to follow.
//! 4. Each pull request follows, and its webhook with it; then the mark goes.
//!
//! A merge has its commit made and recorded as the pull request's ([`State::merging`]) before 2: a
//! squash or a rebase does not bring the head to the base, by which the pull request would be known.
//!
//! A start does what is left of 4, and then 3 and 4 for all refs that are not as they were settled
//! ([`catch_up`]).

mod catch_up;
mod follow;

use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;

use crate::forge::{Shared, blocking};
use crate::git::GitError;
use crate::git::commit::{self, Pushed};
use crate::git::refs::{self, Change, ChangeKind, Refs};
use crate::id::{AccountId, RepositoryId};
use crate::name::Sha;
use crate::records::Unrecorded;
use crate::state::{Novelty, State};
use crate::webhook::event;

pub(crate) use catch_up::catch_up;

/// With more tags than this at once GitHub makes no events for them.
const MAX_TAGS: usize = 3;
/// With more branches than this at once GitHub makes no events for them.
const MAX_BRANCHES: usize = 5_000;

/// The turn of one who changes a repository's refs: nobody else does meanwhile.
#[must_use = "what was changed has to be settled"]
pub(crate) struct Turn {
    repository: RepositoryId,
    pusher: AccountId,
    _held: OwnedMutexGuard<()>,
}

/// Waits for the turn to change a repository's refs, and records whose it is.
pub(crate) async fn begin(
    shared: &Arc<Shared>,
    repository: RepositoryId,
    pusher: AccountId,
) -> Result<Turn, Unrecorded> {
    let lock = Arc::clone(&shared.lock().repository(repository).refs_lock);
    let turn = Turn {
        repository,
        pusher,
        _held: lock.lock_owned().await,
    };
    shared.lock().pushers.insert(repository, pusher);
    shared.recorded().await?;
    Ok(turn)
}

/// Settles what changed in a turn.
pub(crate) async fn settle(shared: &Arc<Shared>, turn: Turn) -> Result<(), GitError> {
    settle_refs(shared, turn.repository, turn.pusher).await?;
    let merging = &mut shared.lock().merging;
    merging.retain(|(of, _), _| *of != turn.repository);
    Ok(())
}

/// Settles all refs that are not as they were settled last.
async fn settle_refs(
    shared: &Arc<Shared>,
    repository: RepositoryId,
    pusher: AccountId,
) -> Result<(), GitError> {
    let (path, before) = {
        let state = shared.lock();
        let path = state.repository(repository).path.clone();
        (path, settled(&state, repository))
    };
    let facts = blocking(move || read(&path, &before)).await?;
    let branches: Vec<_> = facts
        .iter()
        .filter_map(|(change, _)| change.branch().map(str::to_owned))
        .collect();
    announce(shared, repository, pusher, &facts);
    for branch in branches {
        follow::follow(shared, repository, pusher, &branch).await?;
    }
    shared.changed();
    Ok(())
}

fn settled(state: &State, repository: RepositoryId) -> Refs {
    state
        .refs_of(repository)
        .map(|(name, sha)| (name.to_owned(), sha.oid()))
        .collect()
}

/// Takes the refs of a repository that is new here as settled: nobody is told of them.
pub(crate) fn adopt(state: &mut State, repository: RepositoryId, refs: &Refs) {
    for (name, oid) in refs {
        let key = (repository, name.clone());
        state.refs.insert(key, Sha::from_oid(*oid));
    }
}

/// Forgets the refs of a repository that goes.
pub(crate) fn forget(state: &mut State, repository: RepositoryId) {
    let names: Vec<_> = state
        .refs_of(repository)
        .map(|(name, _)| name.to_owned())
        .collect();
    for name in names {
        state.refs.remove(&(repository, name));
    }
    state.follows.retain(|(of, _), _| *of != repository);
    state.pushers.remove(&repository);
    state.merging.retain(|(of, _), _| *of != repository);
    state.queue.retain(|(of, _), _| *of != repository);
    state.rules.retain(|(of, _), _| *of != repository);
}

fn read(path: &std::path::Path, before: &Refs) -> Result<Vec<(Change, Pushed)>, GitError> {
    let after = refs::read(path)?;
    let changes = refs::changes(before, &after);
    // Commits that another branch had before the push are not news.
    let known: Vec<_> = before.values().copied().collect();
    changes
        .into_iter()
        .map(|change| {
            let others = match change.kind {
                ChangeKind::Created { .. } => known.as_slice(),
                ChangeKind::Updated { .. } | ChangeKind::Deleted { .. } => &[],
            };
            let pushed = commit::pushed(path, &change, others)?;
            Ok((change, pushed))
        })
        .collect()
}

/// Takes the changes as settled, and sends the push events and the check suites of new heads.
fn announce(
    shared: &Arc<Shared>,
    repository: RepositoryId,
    pusher: AccountId,
    facts: &[(Change, Pushed)],
) {
    let now = shared.clock.now();
    let mut state = shared.lock();
    state.pushers.remove(&repository);
    if facts.is_empty() {
        return;
    }
    if let Some(record) = state.repositories.get_mut(&repository) {
        record.pushed_at = now;
    }
    let branches = facts
        .iter()
        .filter(|(change, _)| change.branch().is_some())
        .count();
    let tags = facts.len() - branches;
    for (change, pushed) in facts {
        take(&mut state, repository, pusher, change);
        let silent = match change.branch() {
            Some(_) => branches > MAX_BRANCHES,
            None => tags > MAX_TAGS,
        };
        if silent {
            continue;
        }
        event::reference(shared, &mut state, repository, pusher, change);
        event::push(shared, &mut state, repository, pusher, change, pushed);
        if let (Some(branch), Some(head)) = (change.branch(), &pushed.head) {
            let (suite, novelty) = state.suite(repository, &head.sha, Some(branch), now);
            if novelty == Novelty::New {
                event::check_suite(shared, &mut state, suite, pusher, "requested", head);
            }
        }
    }
}

/// Takes a change as settled, and marks a branch for the pull requests that have to follow it.
fn take(state: &mut State, repository: RepositoryId, pusher: AccountId, change: &Change) {
    let key = (repository, change.name.clone());
    match change.kind.after() {
        Some(after) => state.refs.insert(key, Sha::from_oid(after)),
        None => {
            state.refs.remove(&key);
        }
    }
    if let Some(branch) = change.branch() {
        let key = (repository, branch.to_owned());
        state.follows.insert(key, pusher);
    }
}
