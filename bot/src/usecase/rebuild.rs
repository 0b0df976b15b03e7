//! Builds again: a new build replaces the old one, and builds that waited for the old one wait for
//! the new one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use api::id::{BuildId, CommitSha};
use jiff::Timestamp;
use moss_db::{Error, RoTxn};

use super::look::names;
use crate::db::{ChangeError, Progress, Tables, Write, look_key};
use crate::domain::build::{Build, Event, FailureKind, Hold, NotAgain, Plan, State};
use crate::domain::name::RepositoryId;
use crate::github::Authorised;

/// The result of a request to build again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rebuilt {
    /// New builds were made.
    Builds {
        /// The new builds.
        begun: Vec<BuildId>,
        /// The other requested builds, with the reasons.
        others: Vec<(Build, NotAgain)>,
    },
    /// No build was made. These are the requested builds, with the reasons.
    Nothing(Vec<(Build, NotAgain)>),
    /// The author of the pull request may not write, so none of its code is run.
    Unapproved {
        /// The author's login.
        author: String,
    },
}

/// A head to build again.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// The repository.
    pub repository: RepositoryId,
    /// The commit.
    pub commit: CommitSha,
}

/// Builds one build again, if it is the newest of its recipe and not under way.
///
/// # Errors
/// When the database fails.
pub fn build(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    asked: &Authorised<Build>,
    login: &str,
    now: Timestamp,
) -> Result<Result<BuildId, NotAgain>, Error> {
    let build = asked.asked();
    if let Some(reason) = why_not(tables, txn, build)? {
        return Ok(Err(reason));
    }
    let again = Again {
        builds: HashSet::from([build.id]),
        login,
        now,
    };
    let new = begin(tables, txn, build, &again)?;
    replace(tables, txn, &HashMap::from([(build.id, new)]))?;
    Ok(Ok(new))
}

/// The builds that are replaced together, with the person and the time.
struct Again<'a> {
    builds: HashSet<BuildId>,
    login: &'a str,
    now: Timestamp,
}

/// Makes a new build in place of an old one from `again`. The caller then has to run [`replace`] to
/// update the other builds.
fn begin(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    build: &Build,
    again: &Again<'_>,
) -> Result<BuildId, Error> {
    let (id, now) = (BuildId::new(), again.now);
    let plan = Plan {
        created_at: now,
        asked_by: Some(again.login.to_owned()),
        ..Plan::clone(&build.plan)
    };
    let new = Build {
        after: build.after.clone(),
        behind: build.behind.clone(),
        cycle: remaining_cycle(tables, txn, build, id, &again.builds)?,
        path_seconds: build.path_seconds,
        conflict: build.conflict.clone(),
        ..Build::new(id, Arc::new(plan))
    };
    tables.put_build(txn, &new)?;
    // A held build ends its wait, and nobody needs the assets of the pull request's old build.
    if let State::Held { .. } | State::Built(_) = &build.state {
        let event = Event::Superseded { by: Some(new.id) };
        match tables.change(txn, build.id, event, now) {
            Ok(_) => {}
            Err(ChangeError::Storage(error)) => return Err(error),
            // Its assets were already released.
            Err(ChangeError::Unknown(_) | ChangeError::Illegal(_)) => {}
        }
    }
    Ok(new.id)
}

/// Why a build is not built again; `None` if it is.
fn why_not(tables: &Tables, txn: &RoTxn<'_>, build: &Build) -> Result<Option<NotAgain>, Error> {
    if let Some(reason) = build.why_not_again() {
        return Ok(Some(reason));
    }
    Ok(if !tables.is_newest(txn, build)? {
        Some(NotAgain::Older)
    } else if !has_its_name(tables, txn, build)? {
        Some(NotAgain::NameTaken)
    } else if is_closed(tables, txn, build)? {
        Some(NotAgain::PullClosed)
    } else {
        None
    })
}

/// The cycle of `build` with `new` in its place. Empty when no other member is open or built again
/// too.
fn remaining_cycle(
    tables: &Tables,
    txn: &RoTxn<'_>,
    build: &Build,
    new: BuildId,
    again: &HashSet<BuildId>,
) -> Result<Vec<BuildId>, Error> {
    for member in build.cycle.iter().filter(|member| **member != build.id) {
        let is_open = |member: Build| !member.is_settled();
        if again.contains(member) || tables.find_build(txn, *member)?.is_some_and(is_open) {
            let cycle = build.cycle.iter();
            return Ok(cycle
                .map(|member| if *member == build.id { new } else { *member })
                .collect());
        }
    }
    Ok(Vec::new())
}

/// The builds of a head to build again: those without success, or all of them when all succeeded.
/// Only the newest build of each recipe is considered.
///
/// # Errors
/// When the database fails.
pub fn choose(tables: &Tables, txn: &RoTxn<'_>, head: Head) -> Result<Vec<Build>, Error> {
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

/// Builds one part of the remaining builds again: each that is the newest of its recipe and not
/// under way. Members of a cycle stay together. Returns the new progress.
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
    let again = Again {
        builds: chosen.iter().map(|build| build.id).collect(),
        login,
        now,
    };
    for build in &chosen {
        let new = begin(tables, txn, build, &again)?;
        progress.done.push((build.id, new));
    }
    // `replace` includes the builds of earlier parts: a new build copies its predecessors, which
    // may be replaced too.
    replace(tables, txn, &progress.done.iter().copied().collect())?;
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
    let author = others
        .iter()
        .find_map(|(build, _)| build.trust.find_stranger());
    Ok(match author {
        Some(author) => Rebuilt::Unapproved {
            author: author.to_owned(),
        },
        None => Rebuilt::Nothing(others),
    })
}

/// Updates every build that waits for a replaced one or shares a cycle with it. All replacements
/// are applied in one pass, because a build can name many of them.
fn replace(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    replaced: &HashMap<BuildId, BuildId>,
) -> Result<(), Error> {
    let mut naming = BTreeMap::new();
    for old in replaced.keys() {
        let found = tables.builds_that_name(txn, *old)?;
        naming.extend(found.into_iter().map(|build| (build.id, build)));
    }
    for (own, mut build) in naming {
        let mut changed = false;
        let mut follow = |other: &mut BuildId| {
            if let Some(new) = replaced.get(other).filter(|new| **new != own) {
                *other = *new;
                changed = true;
            }
        };
        let others = build.after.iter_mut().chain(&mut build.behind);
        others.chain(&mut build.cycle).for_each(&mut follow);
        if let State::Held {
            by: Hold::Suspected { of, .. },
            ..
        } = &mut build.state
        {
            of.iter_mut().for_each(|suspect| follow(&mut suspect.build));
        }
        if changed {
            tables.put_build(txn, &build)?;
        }
    }
    Ok(())
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
