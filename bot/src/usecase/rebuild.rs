//! Building again: a new build takes the place of the old one, and what waited for the old one
//! waits for the new.

use std::collections::{HashMap, HashSet};

use api::id::{BuildId, CommitSha};
use jiff::Timestamp;
use moss_db::{Error, RoTxn, RwTxn};

use super::look::names;
use crate::db::{ChangeError, Tables, look_key};
use crate::domain::build::{Build, Event, FailureKind, Hold, NotAgain, Shown, State};
use crate::domain::name::RepositoryId;
use crate::github::Authorised;

/// What building again came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rebuilt {
    /// Builds were begun.
    Builds {
        /// The new ones.
        begun: Vec<BuildId>,
        /// Those that were asked for and are not built again.
        others: Vec<(BuildId, NotAgain)>,
    },
    /// There was nothing to build again: of these builds, for these reasons.
    Nothing(Vec<(BuildId, NotAgain)>),
    /// Nothing of the pull request is run, because its author may not write.
    Unapproved {
        /// The author's login.
        author: String,
    },
}

/// A head whose builds are asked for again.
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
    txn: &mut RwTxn<'_>,
    asked: &Authorised<Build>,
    now: Timestamp,
) -> Result<Result<BuildId, NotAgain>, Error> {
    let build = asked.asked();
    if let Some(reason) = why_not(tables, txn, build)? {
        return Ok(Err(reason));
    }
    let new = begin(tables, txn, build, &HashSet::from([build.id]), now)?;
    replace(tables, txn, &HashMap::from([(build.id, new)]))?;
    Ok(Ok(new))
}

/// Begins a new build in the place of an old one, one of `again`; [`replace`] then has to let the
/// others know.
fn begin(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    build: &Build,
    again: &HashSet<BuildId>,
    now: Timestamp,
) -> Result<BuildId, Error> {
    let id = BuildId::new();
    let new = Build {
        id,
        created_at: now,
        cycle: remaining_cycle(tables, txn, build, id, again)?,
        answer: None,
        attempts: 0,
        losses: Vec::new(),
        logs_removed_at: None,
        seq: 1,
        state: State::Planned,
        shown: Shown::default(),
        ..build.clone()
    };
    tables.builds.put(txn, &new.id, &new)?;
    // A held build waits no longer, and what a pull request's build left is not needed any more.
    if let State::Held { .. } | State::Built(_) = &build.state {
        let event = Event::Superseded { by: Some(new.id) };
        match tables.change(txn, build.id, event, now) {
            Ok(_) => {}
            Err(ChangeError::Storage(error)) => return Err(error),
            // Its assets were released before.
            Err(ChangeError::Unknown(_) | ChangeError::Illegal(_)) => {}
        }
    }
    Ok(new.id)
}

/// Why a build is not built again, if it is not.
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

/// The cycle of `build` with `new` in its place, as long as members wait to be imported with it or are
/// built again too.
fn remaining_cycle(
    tables: &Tables,
    txn: &RoTxn<'_>,
    build: &Build,
    new: BuildId,
    again: &HashSet<BuildId>,
) -> Result<Vec<BuildId>, Error> {
    for member in build.cycle.iter().filter(|member| **member != build.id) {
        let is_open = |member: Build| !member.is_settled();
        if again.contains(member) || tables.builds.find(txn, member)?.is_some_and(is_open) {
            let cycle = build.cycle.iter();
            return Ok(cycle
                .map(|member| if *member == build.id { new } else { *member })
                .collect());
        }
    }
    Ok(Vec::new())
}

/// Builds again what did not succeed at a head; when all did, all of it. Only the newest build of
/// each recipe counts.
///
/// # Errors
/// When the database fails.
pub fn head(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    asked: &Authorised<Head>,
    now: Timestamp,
) -> Result<Rebuilt, Error> {
    let Head { repository, commit } = *asked.asked();
    let mut builds = Vec::new();
    for build in tables.newest_of_head(txn, repository, commit, None)? {
        if tables.is_newest(txn, &build)? {
            builds.push(build);
        }
    }
    if !builds.iter().all(Build::is_success) {
        builds.retain(|build| !build.is_success());
    }
    all(tables, txn, &asked.comes_to(builds), now)
}

/// Builds these builds again, each if it is the newest of its recipe and not under way. Members of a
/// cycle stay together.
///
/// # Errors
/// When the database fails.
pub fn all(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    asked: &Authorised<Vec<Build>>,
    now: Timestamp,
) -> Result<Rebuilt, Error> {
    let builds = asked.asked();
    let mut again = HashSet::new();
    let mut others = Vec::new();
    for build in builds {
        match why_not(tables, txn, build)? {
            Some(reason) => others.push((build.id, reason)),
            None => drop(again.insert(build.id)),
        }
    }
    let mut begun = Vec::new();
    let mut replaced = HashMap::new();
    for build in builds.iter().filter(|build| again.contains(&build.id)) {
        let new = begin(tables, txn, build, &again, now)?;
        begun.push(new);
        replaced.insert(build.id, new);
    }
    replace(tables, txn, &replaced)?;
    if !begun.is_empty() {
        return Ok(Rebuilt::Builds { begun, others });
    }
    let author = builds.iter().find_map(|build| build.unapproved.clone());
    Ok(match author {
        Some(author) => Rebuilt::Unapproved { author },
        None => Rebuilt::Nothing(others),
    })
}

/// Lets every build that comes after a replaced one, or shares a cycle with it, do so with the new
/// one. Once for all that are replaced: it looks at every build that is under way.
fn replace(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    replaced: &HashMap<BuildId, BuildId>,
) -> Result<(), Error> {
    if replaced.is_empty() {
        return Ok(());
    }
    for mut build in tables.active_builds(txn)? {
        let own = build.id;
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
            tables.builds.put(txn, &own, &build)?;
        }
    }
    Ok(())
}

/// True for a build of a pull request that is closed: nobody would give up what it leaves.
fn is_closed(tables: &Tables, txn: &RoTxn<'_>, build: &Build) -> Result<bool, Error> {
    if build.target.is_published() {
        return Ok(false);
    }
    let key = look_key(build.repository, &build.target);
    Ok(!tables.planned.contains(txn, &key)?)
}

/// False for a build that was refused its name as long as another recipe has it.
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
