//! Pull requests follow a branch that changed: as their head or as their base. What followed
//! already stays as it is, so that this can be done again after a crash.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::forge::{Shared, blocking};
use crate::git::{GitError, merge};
use crate::id::{AccountId, RepositoryId};
use crate::name::Sha;
use crate::pull::{self, Changed, Key, Step};
use crate::state::State;
use crate::state::pull::{PullRequest, State as PullState};
use crate::webhook::event::PullAction;

/// Lets the pull requests follow a branch, and takes its mark away.
pub(super) async fn follow(
    shared: &Arc<Shared>,
    repository: RepositoryId,
    pusher: AccountId,
    branch: &str,
) -> Result<(), GitError> {
    let after = {
        let key = (repository, format!("refs/heads/{branch}"));
        shared.lock().refs.get(&key).cloned()
    };
    follow_head(shared, repository, pusher, branch, after.as_ref()).await?;
    if let Some(after) = &after {
        follow_base(shared, repository, pusher, branch, after).await?;
    }
    let key = (repository, branch.to_owned());
    shared.lock().follows.remove(&key);
    Ok(())
}

/// Moves the pull requests whose head the branch is, or closes them when it is gone.
async fn follow_head(
    shared: &Arc<Shared>,
    repository: RepositoryId,
    pusher: AccountId,
    branch: &str,
    after: Option<&Sha>,
) -> Result<(), GitError> {
    let is_head = |pull: &PullRequest| {
        pull.is_open() && pull.head.repository == repository && pull.head.branch.as_str() == branch
    };
    let affected = keys(&shared.lock(), is_head);
    for key in affected {
        let now = shared.clock.now();
        let step = |_: &State, pull: &mut PullRequest| {
            if !is_head(pull) || Some(&pull.head.sha) == after {
                return Step::Stay;
            }
            pull.updated_at = now;
            let Some(after) = after.cloned() else {
                pull.state = PullState::Closed { at: now };
                return Step::Tell(PullAction::Closed);
            };
            let before = std::mem::replace(&mut pull.head.sha, after.clone());
            pull.base.synchronize();
            Step::Tell(PullAction::Synchronize { before, after })
        };
        pull::change(shared, key, pusher, step).await?;
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
    after: &Sha,
) -> Result<(), GitError> {
    let is_base = |pull: &PullRequest| {
        pull.is_open() && pull.repository == repository && pull.base.branch.as_str() == branch
    };
    let affected = keys(&shared.lock(), is_base);
    for key in affected {
        loop {
            let found = find_head(&shared.lock(), key, is_base);
            let Some((path, head)) = found else {
                break;
            };
            let made = shared.lock().merging.get(&key).cloned();
            let (tip, asked) = (after.clone(), head.clone());
            let merged = blocking(move || find_merge(&path, &tip, &asked, made)).await?;
            let mut has_moved = false;
            let now = shared.clock.now();
            let step = |_: &State, pull: &mut PullRequest| {
                has_moved = is_base(pull) && pull.head.sha != head;
                if !is_base(pull) || has_moved {
                    return Step::Stay;
                }
                if let Some(commit) = merged.clone() {
                    let (at, by) = (now, pusher);
                    pull.state = PullState::Merged { at, by, commit };
                    pull.updated_at = now;
                    return Step::Tell(PullAction::Closed);
                }
                if pull.base.tip() == after {
                    return Step::Stay;
                }
                pull.base.follow(after);
                Step::Quiet
            };
            let changed = pull::change(shared, key, pusher, step).await?;
            if changed == Changed::Yes || !has_moved {
                break;
            }
        }
    }
    Ok(())
}

/// The commit by which the base holds a pull request, if it does: the one `made` for it, else the
/// base's newest.
fn find_merge(
    path: &Path,
    tip: &Sha,
    head: &Sha,
    made: Option<Sha>,
) -> Result<Option<Sha>, GitError> {
    if let Some(made) = made
        && merge::contains(path, tip, &made)?
    {
        return Ok(Some(made));
    }
    Ok(merge::contains(path, tip, head)?.then(|| tip.clone()))
}

fn keys(state: &State, matches: impl Fn(&PullRequest) -> bool) -> Vec<Key> {
    state
        .pulls
        .values()
        .filter(|pull| matches(pull))
        .map(|pull| (pull.repository, pull.number))
        .collect()
}

/// The head of a pull request that still matches, and where its base repository lies.
fn find_head(
    state: &State,
    key: Key,
    matches: impl Fn(&PullRequest) -> bool,
) -> Option<(PathBuf, Sha)> {
    let pull = state.pulls.get(&key).filter(|pull| matches(pull))?;
    let path = state.repository(pull.repository).path.clone();
    Some((path, pull.head.sha.clone()))
}
