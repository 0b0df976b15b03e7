//! What follows a change of refs: push events, check suites, and the pull requests that the
//! change is about.

use std::path::PathBuf;
use std::sync::Arc;

use crate::forge::{Shared, blocking};
use crate::git::commit::{self, Pushed};
use crate::git::refs::{self, Change, ChangeKind, Refs};
use crate::git::{GitError, merge};
use crate::id::{AccountId, RepositoryId};
use crate::name::Sha;
use crate::state::pull::{PullRequest, State as PullState};
use crate::state::{Novelty, State};
use crate::webhook::event;

/// With more tags than this at once GitHub makes no events for them.
const MAX_TAGS: usize = 3;
/// With more branches than this at once GitHub makes no events for them.
const MAX_BRANCHES: usize = 5_000;

/// Settles what changed since `before`. The caller holds the repository's `refs_lock`.
pub(crate) async fn settle(
    shared: &Arc<Shared>,
    repository: RepositoryId,
    pusher: AccountId,
    before: Refs,
) -> Result<(), GitError> {
    let path = shared.lock().repository(repository).path.clone();
    let facts = blocking(move || read(&path, &before)).await?;
    if facts.is_empty() {
        return Ok(());
    }
    announce(shared, repository, pusher, &facts);
    for (change, _) in &facts {
        if let Some(branch) = change.branch() {
            follow_head(shared, repository, pusher, branch, change.kind).await?;
            follow_base(shared, repository, pusher, branch, change.kind).await?;
        }
    }
    shared.changed();
    Ok(())
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

/// Sends the push events and the check suites of new heads.
fn announce(
    shared: &Arc<Shared>,
    repository: RepositoryId,
    pusher: AccountId,
    facts: &[(Change, Pushed)],
) {
    let now = shared.clock.now();
    let mut state = shared.lock();
    if let Some(record) = state.repositories.get_mut(&repository) {
        record.pushed_at = now;
    }
    let branches = facts
        .iter()
        .filter(|(change, _)| change.branch().is_some())
        .count();
    let tags = facts.len() - branches;
    for (change, pushed) in facts {
        let silent = match change.branch() {
            Some(_) => branches > MAX_BRANCHES,
            None => tags > MAX_TAGS,
        };
        if silent {
            continue;
        }
        event::push(shared, &mut state, repository, pusher, change, pushed);
        if let (Some(branch), Some(head)) = (change.branch(), &pushed.head) {
            let (suite, novelty) = state.suite(repository, &head.sha, Some(branch), now);
            if novelty == Novelty::New {
                event::check_suite(shared, &mut state, suite, pusher, "requested", head);
            }
        }
    }
}

/// Moves the pull requests whose head the branch is.
async fn follow_head(
    shared: &Arc<Shared>,
    repository: RepositoryId,
    pusher: AccountId,
    branch: &str,
    kind: ChangeKind,
) -> Result<(), GitError> {
    let affected = open_pulls(&shared.lock(), |pull| {
        pull.head.repository == repository && pull.head.branch.as_str() == branch
    });
    for (target, number) in affected {
        let Some(after) = kind.after() else {
            close(shared, target, number, pusher).await?;
            continue;
        };
        let after = Sha::from_oid(after);
        let before = {
            let mut state = shared.lock();
            let Some(pull) = state.pulls.get_mut(&(target, number)) else {
                continue;
            };
            pull.updated_at = shared.clock.now();
            std::mem::replace(&mut pull.head.sha, after.clone())
        };
        refresh(shared, target, number).await?;
        event::pull_request(
            shared,
            target,
            number,
            pusher,
            event::PullAction::Synchronize { before, after },
        )
        .await?;
    }
    Ok(())
}

/// Looks again at the pull requests whose base the branch is: merged by this push, or to be
/// merged with something else now.
async fn follow_base(
    shared: &Arc<Shared>,
    repository: RepositoryId,
    pusher: AccountId,
    branch: &str,
    kind: ChangeKind,
) -> Result<(), GitError> {
    let Some(after) = kind.after().map(Sha::from_oid) else {
        return Ok(());
    };
    let affected = open_pulls(&shared.lock(), |pull| {
        pull.repository == repository && pull.base.branch.as_str() == branch
    });
    for (target, number) in affected {
        let (path, head) = {
            let state = shared.lock();
            let Some(pull) = state.pulls.get(&(target, number)) else {
                continue;
            };
            (state.repository(target).path.clone(), pull.head.sha.clone())
        };
        let tip = after.clone();
        if blocking(move || merge::contains(&path, &tip, &head)).await? {
            conclude(shared, target, number, pusher, after.clone());
            event::pull_request(shared, target, number, pusher, event::PullAction::Closed).await?;
        } else {
            if let Some(pull) = shared.lock().pulls.get_mut(&(target, number)) {
                pull.base.sha = after.clone();
            }
            refresh(shared, target, number).await?;
        }
    }
    Ok(())
}

fn open_pulls(state: &State, matches: impl Fn(&PullRequest) -> bool) -> Vec<(RepositoryId, u64)> {
    state
        .pulls
        .values()
        .filter(|pull| pull.is_open() && matches(pull))
        .map(|pull| (pull.repository, pull.number))
        .collect()
}

fn conclude(shared: &Shared, target: RepositoryId, number: u64, by: AccountId, commit: Sha) {
    let at = shared.clock.now();
    if let Some(pull) = shared.lock().pulls.get_mut(&(target, number)) {
        pull.state = PullState::Merged { at, by, commit };
        pull.updated_at = at;
    }
}

/// Closes a pull request without a merge.
pub(crate) async fn close(
    shared: &Arc<Shared>,
    target: RepositoryId,
    number: u64,
    by: AccountId,
) -> Result<(), GitError> {
    let at = shared.clock.now();
    if let Some(pull) = shared.lock().pulls.get_mut(&(target, number)) {
        pull.state = PullState::Closed { at };
        pull.updated_at = at;
    }
    event::pull_request(shared, target, number, by, event::PullAction::Closed).await?;
    shared.changed();
    Ok(())
}

/// Brings a pull request's refs up to date: its head where the base repository serves it, and
/// the merge that would be made.
pub(crate) async fn refresh(
    shared: &Shared,
    target: RepositoryId,
    number: u64,
) -> Result<(), GitError> {
    let Some((from, into, head, base, message)) = ({
        let state = shared.lock();
        state.pulls.get(&(target, number)).map(|pull| {
            let from: PathBuf = state.repository(pull.head.repository).path.clone();
            let into: PathBuf = state.repository(target).path.clone();
            let message = format!("Merge {} into {}", pull.head.sha, pull.base.sha);
            (
                from,
                into,
                pull.head.sha.clone(),
                pull.base.sha.clone(),
                message,
            )
        })
    }) else {
        return Ok(());
    };
    let mergeable = blocking(move || {
        merge::fetch(&from, &into, &head, &format!("refs/pull/{number}/head"))?;
        merge::attempt(&into, number, &base, &head, &message)
    })
    .await?;
    if let Some(pull) = shared.lock().pulls.get_mut(&(target, number)) {
        pull.mergeable = mergeable;
    }
    Ok(())
}
