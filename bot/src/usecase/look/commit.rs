//! Committing a plan: the new builds, and what becomes of those under way.

use std::collections::{BTreeSet, HashMap, HashSet};

use api::id::{BuildId, RecipeFolder};
use moss_db::{RoTxn, RwTxn};

use crate::db::{ChangeError, Look, Tables, folder_key, look_key};
use crate::domain::build::{Build, By, Event, State, Target};
use crate::domain::name::RepositoryId;
use crate::domain::plan::{self, Candidate, Frame, Others};

/// Takes the wish away, unless a newer one came in meanwhile.
pub(super) fn done(tables: &Tables, txn: &mut RwTxn<'_>, look: &Look) -> Result<(), ChangeError> {
    let key = look_key(look.repository, &look.target);
    if tables
        .looks
        .find(txn, &key)?
        .is_some_and(|now| now.count == look.count)
    {
        tables.looks.delete(txn, &key)?;
    }
    Ok(())
}

/// The builds of a target that are under way.
pub(super) fn of_target(
    tables: &Tables,
    txn: &RoTxn<'_>,
    repository: RepositoryId,
    target: &Target,
) -> Result<Vec<Build>, moss_db::Error> {
    let mut builds = tables.active_builds(txn)?;
    builds.retain(|build| build.repository == repository && build.target == *target);
    Ok(builds)
}

/// Ends a build that the database says is under way; one that is being published goes on.
pub(super) fn give_up(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    build: &Build,
    event: Event,
    now: jiff::Timestamp,
) -> Result<(), ChangeError> {
    match tables.change(txn, build.id, event, now) {
        Ok(_) | Err(ChangeError::Illegal(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// What a plan is made of.
pub(super) struct Changes {
    /// The recipes that changed.
    pub(super) candidates: Vec<Candidate>,
    /// The folders of recipes that are no more.
    pub(super) removed: Vec<RecipeFolder>,
}

/// Writes the builds of a plan, and lets them take the place of older ones.
pub(super) fn commit_plan(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    frame: &Frame,
    changes: Changes,
    released: &HashMap<String, u64>,
) -> Result<(), ChangeError> {
    let mut places: HashMap<RecipeFolder, Option<BuildId>> = HashMap::new();
    places.extend(changes.removed.into_iter().map(|folder| (folder, None)));
    let candidates = changes.candidates.iter();
    places.extend(candidates.map(|new| (new.folder.clone(), Some(new.id))));
    let others = if frame.target.is_published() {
        others(tables, txn, frame, &places)?
    } else {
        Others::default()
    };
    let before = of_target(tables, txn, frame.repository, &frame.target)?;
    let released = with_published(tables, txn, frame, &changes.candidates, released)?;
    let builds = plan::plan(changes.candidates, frame, &others, &released);
    tracing::info!(
        repository.id = %frame.repository,
        target = %frame.target,
        commit = %frame.commit,
        builds = builds.len(),
        "planned"
    );
    for build in &builds {
        tables.builds.put(txn, &build.id, build)?;
    }
    for build in before {
        let by = match places.get(&build.folder) {
            Some(by) => *by,
            // A pull request is planned whole from its base each time; a branch goes on from what
            // was.
            None if frame.target.is_published() => continue,
            None => None,
        };
        // A new build that ends at once, as one of the same release does, takes no place.
        let is_over = |id| {
            builds
                .iter()
                .any(|new| new.id == id && new.state.is_final())
        };
        let publishing = matches!(build.state, State::Publishing { .. });
        if publishing && by.is_some_and(is_over) {
            continue;
        }
        give_up(tables, txn, &build, Event::Superseded { by }, frame.now)?;
    }
    Ok(())
}

/// What the channel has, and what it has by the time a new build would be done: a build that is
/// being published, or was after the channel was read, takes its release too.
fn with_published(
    tables: &Tables,
    txn: &RwTxn<'_>,
    frame: &Frame,
    candidates: &[Candidate],
    released: &HashMap<String, u64>,
) -> Result<HashMap<String, u64>, moss_db::Error> {
    let mut released = released.clone();
    if !frame.target.is_published() {
        return Ok(released);
    }
    for candidate in candidates {
        let key = folder_key(frame.repository, &frame.target, &candidate.folder);
        for row in tables.builds.find_by(txn, &tables.builds_by_folder, &key)? {
            let (_, build) = row?;
            if is_newer_than_the_channel_read(&build, frame) {
                let release = released.entry(build.recipe.to_string()).or_default();
                *release = build.release.max(*release);
            }
        }
    }
    Ok(released)
}

/// True for a build that is being published, or was in the last minute: the channel was read less
/// long ago. What was published before, only the channel knows: it may have been set back.
fn is_newer_than_the_channel_read(build: &Build, frame: &Frame) -> bool {
    match &build.state {
        State::Publishing { .. } => true,
        State::Published { at, .. } => frame.now.duration_since(*at).as_secs() < 60,
        State::Planned
        | State::Waiting { .. }
        | State::Queued { .. }
        | State::Building { .. }
        | State::Built(_)
        | State::Held { .. }
        | State::Failed(_)
        | State::Cancelled { .. }
        | State::Superseded { .. } => false,
    }
}

/// What a plan of a branch has to fit in with. `places` says by which new build a folder's builds
/// are replaced; by none when the recipe is gone.
fn others(
    tables: &Tables,
    txn: &RwTxn<'_>,
    frame: &Frame,
    places: &HashMap<RecipeFolder, Option<BuildId>>,
) -> Result<Others, moss_db::Error> {
    let place = |build: &Build| {
        let here = build.repository == frame.repository && build.target == frame.target;
        places.get(&build.folder).filter(|_| here)
    };
    let mut builds = tables.active_builds(txn)?;
    builds.retain(|build| build.target.is_published() && place(build).is_none());
    let known: HashSet<BuildId> = builds.iter().map(|build| build.id).collect();
    let named: BTreeSet<BuildId> = builds
        .iter()
        .flat_map(|build| build.after.iter().chain(&build.cycle))
        .filter(|id| !known.contains(*id))
        .copied()
        .collect();
    let mut replaced = HashMap::new();
    // In the order of their ids, so that the newest is kept.
    for id in named {
        let Some(build) = tables.builds.find(txn, &id)? else {
            continue;
        };
        match place(&build) {
            Some(Some(new)) => drop(replaced.insert(*new, build)),
            Some(None) => {}
            None if stands_in_the_way(&build) => builds.push(build),
            None => {}
        }
    }
    Ok(Others { builds, replaced })
}

/// True for a build that ended without success and whose place no other took.
fn stands_in_the_way(build: &Build) -> bool {
    match &build.state {
        State::Failed(_)
        | State::Cancelled {
            by: By::PullClosed | By::Person { .. },
            ..
        } => true,
        State::Cancelled {
            by: By::AlreadyPublished { .. },
            ..
        }
        | State::Superseded { .. }
        | State::Planned
        | State::Waiting { .. }
        | State::Queued { .. }
        | State::Building { .. }
        | State::Built(_)
        | State::Publishing { .. }
        | State::Published { .. }
        | State::Held { .. } => false,
    }
}

#[cfg(test)]
mod tests;
