//! One step of a merge queue: refs, then records and webhooks.

use std::path::PathBuf;
use std::sync::Arc;

use super::Stuck;
use super::step::{Deed, Step};
use crate::forge::{Shared, blocking};
use crate::git::commit::{self, Commit};
use crate::git::merge::method::{self, MergeMethod, Words};
use crate::git::{GitError, refs};
use crate::name::Sha;
use crate::pull::{self, Key};
use crate::push::{self, Turn};
use crate::state::State;
use crate::state::queue::{Entry, Group, Reason, Stage};
use crate::webhook::event::{self, GroupAction, PullAction};

/// Does a step in a turn of the repository's refs.
pub(super) async fn carry_out(shared: &Arc<Shared>, turn: Turn, step: Step) -> Result<(), Stuck> {
    let key = step.key;
    match step.deed {
        Deed::Make(onto) => {
            let made = make(shared, key, onto).await?;
            change(&mut shared.lock(), key, |entry| match made {
                Some(group) => entry.group = Some(group),
                None => entry.leaves = Some(Reason::Conflict),
            });
            push::settle(shared, turn).await?;
        }
        Deed::Ask => ask(shared, turn, key).await?,
        Deed::Merge => merge(shared, turn, key).await?,
        Deed::Discard => discard(shared, turn, key).await?,
        Deed::Leave(reason) => leave(shared, turn, key, reason).await?,
    }
    Ok(())
}

fn change(state: &mut State, key: Key, change: impl FnOnce(&mut Entry)) {
    if let Some(entry) = state.queue.get_mut(&key) {
        change(entry);
    }
}

/// Merges a pull request onto what is before it, without a branch yet. None where they conflict.
async fn make(shared: &Arc<Shared>, key: Key, onto: Sha) -> Result<Option<Group>, GitError> {
    let (path, head, message, by) = {
        let state = shared.lock();
        let (Some(entry), Some(pull)) = (state.queue.get(&key), state.pulls.get(&key)) else {
            return Ok(None);
        };
        (
            state.repository(key.0).path.clone(),
            entry.head.clone(),
            format!("{}\n\n{}", pull::merge_title(&state, pull), pull.title),
            state.account(entry.by).login.to_string(),
        )
    };
    let base = onto.clone();
    let made = blocking(move || {
        let email = format!("{by}@users.noreply.forge.invalid");
        let by = (by.as_str(), email.as_str());
        let words = Words {
            message: &message,
            by,
            author: by,
        };
        method::make(&path, MergeMethod::Merge, &onto, &head, &words)
    });
    let stage = Stage::Made;
    Ok(made.await?.map(|head| Group { base, head, stage }))
}

/// A group as git needs it.
struct Place {
    path: PathBuf,
    /// `refs/heads/gh-readonly-queue/…`
    reference: String,
    /// `refs/heads/…`
    base: String,
    group: Group,
}

fn find_place(state: &State, key: Key) -> Option<Place> {
    let entry = state.queue.get(&key)?;
    let group = entry.group.clone()?;
    Some(Place {
        path: state.repository(key.0).path.clone(),
        reference: entry.group_branch(key.1, &group.base).reference(),
        base: entry.branch.reference(),
        group,
    })
}

/// Gives a group its branch, and asks for checks.
async fn ask(shared: &Arc<Shared>, turn: Turn, key: Key) -> Result<(), Stuck> {
    let Some(place) = find_place(&shared.lock(), key) else {
        return Ok(push::settle(shared, turn).await?);
    };
    let head = blocking(move || {
        let head = &place.group.head;
        refs::point(&place.path, &place.reference, head, "merge queue")?;
        commit::read(&place.path, head)
    });
    let head = head.await?;
    push::settle(shared, turn).await?;
    let mut state = shared.lock();
    change(&mut state, key, |entry| {
        if let Some(group) = &mut entry.group {
            group.stage = Stage::Asked;
        }
    });
    tell(
        shared,
        &mut state,
        key,
        head.as_ref(),
        GroupAction::ChecksRequested,
    );
    Ok(())
}

/// Moves the base to a group. The pull request follows when that is settled.
async fn merge(shared: &Arc<Shared>, turn: Turn, key: Key) -> Result<(), Stuck> {
    let place = {
        let mut state = shared.lock();
        let place = find_place(&state, key);
        if let Some(place) = &place {
            state.merging.insert(key, place.group.head.clone());
        }
        place
    };
    if let Some(place) = place {
        shared.recorded().await?;
        let moved = blocking(move || {
            refs::point(&place.path, &place.base, &place.group.head, "merge queue")
        });
        moved.await?;
    }
    Ok(push::settle(shared, turn).await?)
}

/// Takes a group away, to be made anew.
async fn discard(shared: &Arc<Shared>, turn: Turn, key: Key) -> Result<(), Stuck> {
    let head = remove_branch(shared, turn, key).await?;
    let mut state = shared.lock();
    let action = GroupAction::Destroyed("invalidated");
    tell(shared, &mut state, key, head.as_ref(), action);
    change(&mut state, key, |entry| entry.group = None);
    Ok(())
}

/// Takes a pull request out of the queue, with its group.
async fn leave(shared: &Arc<Shared>, turn: Turn, key: Key, reason: Reason) -> Result<(), Stuck> {
    let head = remove_branch(shared, turn, key).await?;
    let distance = event::distance(shared, key.0, key.1).await?;
    let mut state = shared.lock();
    let action = GroupAction::Destroyed(reason.of_group());
    tell(shared, &mut state, key, head.as_ref(), action);
    let Some(entry) = state.queue.remove(&key) else {
        return Ok(());
    };
    let action = PullAction::Dequeued {
        reason: reason.of_pull(),
    };
    event::pull_request(shared, &mut state, key, entry.by, action, distance);
    Ok(())
}

/// Removes the branch of a group, if there is one. Gives the group's commit.
async fn remove_branch(
    shared: &Arc<Shared>,
    turn: Turn,
    key: Key,
) -> Result<Option<Commit>, Stuck> {
    let place = find_place(&shared.lock(), key);
    let head = match place {
        None => None,
        Some(place) => {
            let removed = blocking(move || {
                refs::remove(&place.path, &place.reference)?;
                commit::read(&place.path, &place.group.head)
            });
            removed.await?
        }
    };
    push::settle(shared, turn).await?;
    Ok(head)
}

/// Sends `merge_group` of a group that checks were asked for.
fn tell(
    shared: &Arc<Shared>,
    state: &mut State,
    key: Key,
    head: Option<&Commit>,
    action: GroupAction,
) {
    let asked = state.queue.get(&key).cloned();
    let group = asked.as_ref().and_then(|entry| entry.group.as_ref());
    if let (Some(entry), Some(group), Some(head)) = (&asked, group, head)
        && group.stage == Stage::Asked
    {
        event::merge_group(shared, state, (key, entry, group), head, action);
    }
}
