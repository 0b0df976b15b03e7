//! Builds again: a new build replaces the old one, and builds that waited for the old one wait for
//! the new one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use api::id::BuildId;
use jiff::Timestamp;
use moss_db::{Error, RoTxn};

use super::look::names;
use crate::db::{ChangeError, Progress, Tables, Write, look_key};
use crate::domain::build::{Build, Event, FailureKind, Hold, NoRebuild, Plan, State, Target};
use crate::domain::head::HeadId;
use crate::domain::trust::Stranger;
use crate::github::Authorised;

/// The result of a request to build again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rebuilt {
    /// New builds were made.
    Builds {
        /// The new builds.
        begun: Vec<BuildId>,
        /// The other requested builds, with the reasons.
        others: Vec<(Build, NoRebuild)>,
    },
    /// No build was made. These are the requested builds, with the reasons.
    Nothing(Vec<(Build, NoRebuild)>),
    /// Nobody vouches for the pull request, so none of its code is run.
    Unapproved(Stranger),
}

/// Makes a new build in place of an old one. It names the `replaced` builds by their successors.
fn begin(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    build: &Build,
    replaced: &HashMap<BuildId, BuildId>,
    (login, now): (&str, Timestamp),
) -> Result<(), Error> {
    let id = replaced[&build.id];
    let plan = Plan {
        created_at: now,
        own_run: build.own_run_of_next(),
        asked_by: Some(login.to_owned()),
        ..Plan::clone(&build.plan)
    };
    let mut new = Build {
        after: build.after.clone(),
        behind: build.behind.clone(),
        cycle: remaining_cycle(tables, txn, build, replaced)?,
        path_seconds: build.path_seconds,
        conflict: build.conflict.clone(),
        ..Build::new(id, Arc::new(plan))
    };
    follow(&mut new, replaced);
    tables.put_build(txn, &new)?;
    // A held build ends its wait. What comes after it stays held until it names the new one.
    if let State::Held { .. } = &build.state {
        supersede(tables, txn, build.clone(), id, now)?;
    }
    Ok(())
}

/// Ends an old build that still has assets, once no build names it: nobody needs them any more.
fn retire(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    old: BuildId,
    new: BuildId,
    now: Timestamp,
) -> Result<(), Error> {
    match tables.find_build(txn, old) {
        Ok(Some(build)) if !build.state.is_final() => supersede(tables, txn, build, new, now),
        Ok(_) => Ok(()),
        // Nothing can be done about it here.
        Err(error) if error.is_of_a_row() => Ok(()),
        Err(error) => Err(error),
    }
}

fn supersede(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    build: Build,
    new: BuildId,
    now: Timestamp,
) -> Result<(), Error> {
    let event = Event::Superseded { by: Some(new) };
    match tables.change_build(txn, build, event, now) {
        Err(ChangeError::Storage(error)) => Err(error),
        // Its assets were already released.
        Ok(_) | Err(ChangeError::Unknown(_) | ChangeError::Illegal(_)) => Ok(()),
    }
}

/// Why a build is not built again; `None` if it is.
fn why_not(tables: &Tables, txn: &RoTxn<'_>, build: &Build) -> Result<Option<NoRebuild>, Error> {
    if let Some(reason) = build.why_no_rebuild() {
        return Ok(Some(reason));
    }
    Ok(if !tables.is_newest(txn, build)? {
        Some(NoRebuild::HasNewer)
    } else if !has_its_name(tables, txn, build)? {
        Some(NoRebuild::NameTaken)
    } else if is_closed(tables, txn, build)? {
        Some(NoRebuild::PullClosed)
    } else if is_of_old_branch(tables, txn, build)? {
        Some(NoRebuild::OldBranch)
    } else {
        None
    })
}

/// The cycle of `build`. Empty when no other member is open or built again too.
fn remaining_cycle(
    tables: &Tables,
    txn: &RoTxn<'_>,
    build: &Build,
    replaced: &HashMap<BuildId, BuildId>,
) -> Result<Vec<BuildId>, Error> {
    for member in build.cycle.iter().filter(|member| **member != build.id) {
        let is_open = |member: Build| !member.is_settled();
        if replaced.contains_key(member) || tables.find_build(txn, *member)?.is_some_and(is_open) {
            return Ok(build.cycle.clone());
        }
    }
    Ok(Vec::new())
}

/// The builds of a head to build again: those without success, or all of them when all succeeded.
/// Only the newest build of each recipe is considered.
///
/// # Errors
/// When the database fails.
pub fn choose(tables: &Tables, txn: &RoTxn<'_>, head: HeadId) -> Result<Vec<Build>, Error> {
    let mut builds = Vec::new();
    for build in tables.newest_of_head(txn, head.repository, head.commit, None)? {
        if tables.is_newest(txn, &build)? {
            builds.push(build);
        }
    }
    if !builds.iter().all(Build::is_success) {
        builds.retain(|build| !build.is_success());
    }
    Ok(builds)
}

/// Does one transaction's share of a request and returns the new progress. First it builds again each
/// build that is the newest of its recipe and not under way; members of a cycle stay together. Then
/// the builds that name a replaced build name its successor, each once for the whole request.
///
/// # Errors
/// When the database fails.
pub fn part(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    asked: &Authorised<Progress>,
    login: &str,
    now: Timestamp,
) -> Result<Progress, Error> {
    let mut progress = asked.asked().clone();
    let mut chosen = Vec::new();
    for id in progress.take_part() {
        // The build was removed meanwhile.
        let Some(build) = tables.find_build(txn, id)? else {
            continue;
        };
        match why_not(tables, txn, &build)? {
            reason @ Some(_) => progress.refused.push((id, reason)),
            None => chosen.push(build),
        }
    }
    let ids = chosen.iter().map(|build| build.id);
    progress.named.extend(ids.clone());
    progress.done.extend(ids.map(|id| (id, BuildId::new())));
    let replaced = progress.done.iter().copied().collect();
    for build in &chosen {
        begin(tables, txn, build, &replaced, (login, now))?;
    }
    if progress.left.is_empty() {
        let room = Progress::PART.saturating_sub(chosen.len());
        rename(tables, txn, &mut progress.named, &replaced, room, now)?;
    }
    Ok(progress)
}

/// Does one transaction's share of what an earlier process began and owes: the builds that name a
/// replaced build name its successor. This asks for no rights, because the successor is there.
///
/// # Errors
/// When the database fails.
pub fn settle(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    mut progress: Progress,
    now: Timestamp,
) -> Result<Progress, Error> {
    let replaced = progress.done.iter().copied().collect();
    rename(
        tables,
        txn,
        &mut progress.named,
        &replaced,
        Progress::PART,
        now,
    )?;
    Ok(progress)
}

/// The result, once no build is left.
///
/// # Errors
/// When the database fails.
pub fn outcome(tables: &Tables, txn: &RoTxn<'_>, progress: Progress) -> Result<Rebuilt, Error> {
    let mut others = Vec::new();
    for (id, reason) in progress.refused {
        if let (Some(build), Some(reason)) = (tables.find_build(txn, id)?, reason) {
            others.push((build, reason));
        }
    }
    if !progress.done.is_empty() {
        let begun = progress.done.into_iter().map(|(_, new)| new).collect();
        return Ok(Rebuilt::Builds { begun, others });
    }
    let stranger = others
        .iter()
        .find_map(|(build, _)| build.trust.find_stranger());
    Ok(match stranger {
        Some(stranger) => Rebuilt::Unapproved(stranger.clone()),
        None => Rebuilt::Nothing(others),
    })
}

/// Updates builds that name a build in `named`, and removes from `named` those that no build names any
/// more: at most `room` steps of both kinds.
fn rename(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    named: &mut Vec<BuildId>,
    replaced: &HashMap<BuildId, BuildId>,
    mut room: usize,
    now: Timestamp,
) -> Result<(), Error> {
    while room > 0
        && let Some(old) = named.last().copied()
    {
        let naming = tables.builds_that_name(txn, old, room)?;
        room -= naming.len();
        if room > 0 {
            room -= 1;
            named.pop();
        }
        for mut build in naming {
            follow(&mut build, replaced);
            tables.put_build(txn, &build)?;
        }
        if named.last() != Some(&old)
            && let Some(new) = replaced.get(&old)
        {
            retire(tables, txn, old, *new, now)?;
        }
    }
    Ok(())
}

/// Makes a build name the successors of `replaced` builds instead of them, each once.
fn follow(build: &mut Build, replaced: &HashMap<BuildId, BuildId>) {
    let own = build.id;
    let newest = |other: BuildId| replaced.get(&other).copied().unwrap_or(other);
    for others in [&mut build.after, &mut build.behind, &mut build.cycle] {
        let mut seen = HashSet::new();
        others.iter_mut().for_each(|other| *other = newest(*other));
        others.retain(|other| seen.insert(*other));
    }
    // No build waits for itself.
    build.after.retain(|other| *other != own);
    build.behind.retain(|other| *other != own);
    if let State::Held {
        by: Hold::Suspected { of, .. },
        ..
    } = &mut build.state
    {
        let mut seen = HashSet::from([own]);
        of.iter_mut()
            .for_each(|suspect| suspect.build = newest(suspect.build));
        of.retain(|suspect| seen.insert(suspect.build));
    }
}

/// True for a build of a branch that is not the default branch any more. Nothing of it is published.
fn is_of_old_branch(tables: &Tables, txn: &RoTxn<'_>, build: &Build) -> Result<bool, Error> {
    let Target::Branch { name } = &build.target else {
        return Ok(false);
    };
    let row = tables.repositories.find(txn, &build.repository.number())?;
    Ok(row.is_some_and(|row| row.default_branch != *name))
}

/// True for a build of a closed pull request. Nobody would release its assets.
fn is_closed(tables: &Tables, txn: &RoTxn<'_>, build: &Build) -> Result<bool, Error> {
    if build.target.is_published() {
        return Ok(false);
    }
    let key = look_key(build.repository, &build.target);
    Ok(!tables.planned.contains(txn, &key)?)
}

/// False while a build was refused its name and another recipe still holds the name.
fn has_its_name(tables: &Tables, txn: &RoTxn<'_>, build: &Build) -> Result<bool, Error> {
    let was_refused = matches!(
        &build.state,
        State::Failed(failure) if failure.kind == FailureKind::NameTaken
    );
    if !was_refused {
        return Ok(true);
    }
    let holder = names::holder(tables, txn, &build.recipe)?;
    Ok(holder.is_none_or(|holder| {
        (holder.repository, &holder.folder) == (build.repository, &build.folder)
    }))
}

#[cfg(test)]
mod tests;
