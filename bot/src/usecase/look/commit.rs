//! Committing a plan: the new builds, and what becomes of those under way.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use api::id::{BuildId, RecipeFolder};
use jiff::SignedDuration;
use moss_db::{RoTxn, RwTxn};

use super::names::{self, Standings};
use super::released::Released;
use crate::db::{ChangeError, Look, RecipePlace, Tables, Write, look_key};
use crate::domain::build::{Build, By, Event, Scope, Stage, State};
use crate::domain::claim::{Holder, Names};
use crate::domain::plan::{self, Candidate, Frame, Others};

/// How far vessel's clock may be behind ours.
const CLOCKS: SignedDuration = SignedDuration::from_mins(1);

/// Takes the wish away, unless a newer one came in meanwhile.
pub(super) fn done(tables: &Tables, txn: &mut RwTxn<'_>, look: &Look) -> Result<(), ChangeError> {
    let key = look_key(look.repository, &look.target);
    match tables.looks.find(txn, &key)? {
        Some(now) if now.count == look.count => drop(tables.looks.delete(txn, &key)?),
        Some(_) | None => tables.end_look(txn, &key)?,
    }
    Ok(())
}

/// Ends a build that the database says is under way; one that is being published goes on.
pub(super) fn give_up(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
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
    /// Recipes that changed.
    pub(super) candidates: Vec<Candidate>,
    /// The folders of recipes that are no more.
    pub(super) removed: BTreeSet<RecipeFolder>,
    /// What all recipes are called that changed, also those that are not to be built or are planned
    /// in another part.
    pub(super) names: Arc<Names>,
    /// The branch that a pull request goes to.
    pub(super) branch: Option<String>,
}

/// Writes the builds of a plan, and lets them take the place of older ones.
pub(super) fn commit_plan(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    frame: &Frame,
    mut changes: Changes,
    channels: &Released,
) -> Result<(), ChangeError> {
    if frame.target.is_published() {
        leave_out_planned(tables, txn, frame, &mut changes.candidates)?;
    }
    let (names, branch) = (&changes.names, changes.branch.as_deref());
    let standings = names::settle(tables, txn, frame, branch, names, &changes.removed)?;
    let taken = name(tables, txn, &mut changes.candidates, frame, &standings)?;
    let released = with_published(tables, txn, frame, &changes.candidates, channels)?;
    let place = (frame.repository, frame.now);
    names::revive(tables, txn, place, standings.freed, names, channels)?;
    let mut places: HashMap<RecipeFolder, Option<BuildId>> = HashMap::new();
    places.extend(changes.removed.into_iter().map(|folder| (folder, None)));
    let candidates = changes.candidates.iter();
    places.extend(candidates.map(|new| (new.folder.clone(), Some(new.id))));
    let mut others = if frame.target.is_published() {
        others(tables, txn, frame, &places)?
    } else {
        Others::default()
    };
    others.taken = taken;
    others.took = took(tables, txn, frame, &changes.candidates)?;
    let before = tables.builds_of(txn, frame.repository, &frame.target)?;
    let builds = plan::plan(changes.candidates, frame, &others, &released);
    tracing::info!(
        repository.id = %frame.repository,
        target = %frame.target,
        commit = %frame.commit,
        builds = builds.len(),
        "planned"
    );
    for build in &builds {
        tables.put_build(txn, build)?;
    }
    // What a profile is for that nobody builds for any more goes with what any other is for.
    let is_ours = |build: &Build| {
        build.scope != Scope::Recipe
            || build.profile == frame.profile
            || !channels.0.contains_key(&build.profile)
    };
    for build in before.into_iter().filter(is_ours) {
        let by = match places.get(&build.folder) {
            Some(by) => *by,
            // A pull request is planned whole from its base each time; a branch goes on from what
            // was.
            None if frame.target.is_published() && build.scope == Scope::Recipe => continue,
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

/// The place of a recipe in what is planned.
fn place_in<'a>(frame: &'a Frame, folder: &'a RecipeFolder) -> RecipePlace<'a> {
    RecipePlace {
        repository: frame.repository,
        target: &frame.target,
        profile: &frame.profile,
        folder,
    }
}

/// How long the recipes took when they were built last.
fn took(
    tables: &Tables,
    txn: &RoTxn<'_>,
    frame: &Frame,
    candidates: &[Candidate],
) -> Result<HashMap<RecipeFolder, u64>, moss_db::Error> {
    let mut took = HashMap::new();
    for candidate in candidates {
        if let Some(seconds) = tables.took(txn, frame.repository, &candidate.folder)? {
            took.insert(candidate.folder.clone(), seconds);
        }
    }
    Ok(took)
}

/// Leaves out what an earlier part of the same plan wrote before it was cut short, and what was planned
/// before of the same content: a branch that is looked at anew brings nothing new of it.
fn leave_out_planned(
    tables: &Tables,
    txn: &RoTxn<'_>,
    frame: &Frame,
    candidates: &mut Vec<Candidate>,
) -> Result<(), moss_db::Error> {
    let mut left = Vec::with_capacity(candidates.len());
    for candidate in candidates.drain(..) {
        let newest = tables.newest_of_recipe(txn, place_in(frame, &candidate.folder))?;
        let is_planned = newest.is_some_and(|build| {
            let stands = match build.state.stage() {
                // The channel may have lost it since.
                Stage::Published | Stage::Cancelled => build.commit == frame.commit,
                Stage::Superseded => false,
                Stage::Planned
                | Stage::Waiting
                | Stage::Queued
                | Stage::Building
                | Stage::Built
                | Stage::Publishing
                | Stage::Held
                | Stage::Failed => true,
            };
            stands && build.tree == candidate.tree && build.scope == Scope::Recipe
        });
        if !is_planned {
            left.push(candidate);
        }
    }
    *candidates = left;
    Ok(())
}

/// Gives recipes that cannot be read the names that they had, and says in whose way the others are:
/// by folder, where the recipe lies that has the name.
fn name(
    tables: &Tables,
    txn: &RoTxn<'_>,
    candidates: &mut [Candidate],
    frame: &Frame,
    standings: &Standings,
) -> Result<HashMap<RecipeFolder, String>, moss_db::Error> {
    let mut taken = HashMap::new();
    for candidate in candidates {
        let folder = &candidate.folder;
        let mut holder = standings.taken.get(folder).cloned();
        if let Err(unreadable) = &mut candidate.recipe {
            match standings.known.get(folder) {
                Some(name) => unreadable.name = name.clone(),
                // Its check run must not be taken for that of a recipe that is called so.
                None => {
                    holder = names::holder(tables, txn, &unreadable.name)?.map(Holder::from);
                    holder.take_if(|holder| {
                        (holder.repository, &holder.folder) == (frame.repository, folder)
                    });
                }
            }
        }
        if let Some(holder) = holder {
            let place = place_of(tables, txn, frame, &holder)?;
            taken.insert(folder.clone(), place);
        }
    }
    Ok(taken)
}

/// Where a recipe lies, as seen from the repository that is planned.
fn place_of(
    tables: &Tables,
    txn: &RoTxn<'_>,
    frame: &Frame,
    holder: &Holder,
) -> Result<String, moss_db::Error> {
    let folder = holder.folder.to_string();
    if holder.repository == frame.repository {
        return Ok(folder);
    }
    let repository = tables.repositories.find(txn, &holder.repository.number())?;
    Ok(match repository {
        Some(repository) => format!("{folder} of {}", repository.name),
        None => format!("{folder} of another repository"),
    })
}

/// Writes the one build that stands for all recipes of a head. What was planned of a pull request
/// before has no place in it.
pub(super) fn commit_whole(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    frame: &Frame,
    whole: &Build,
) -> Result<(), ChangeError> {
    tracing::info!(
        repository.id = %frame.repository,
        target = %frame.target,
        commit = %frame.commit,
        "{}", whole.explain()
    );
    for build in tables.builds_of(txn, frame.repository, &frame.target)? {
        if !frame.target.is_published() || build.scope != Scope::Recipe {
            let by = Event::Superseded { by: None };
            give_up(tables, txn, &build, by, frame.now)?;
        }
    }
    tables.put_build(txn, whole)?;
    Ok(())
}

/// What the channel has, and what it has by the time a new build would be done: a build that is
/// being published, or was after the channel was read, takes its release too.
fn with_published(
    tables: &Tables,
    txn: &RoTxn<'_>,
    frame: &Frame,
    candidates: &[Candidate],
    channels: &Released,
) -> Result<HashMap<String, u64>, moss_db::Error> {
    let Some(channel) = channels.0.get(&frame.profile) else {
        return Ok(HashMap::new());
    };
    let mut released = HashMap::new();
    for candidate in candidates {
        if let Ok(recipe) = &candidate.recipe
            && let Some(release) = channel.snapshot.release_of(recipe.name.as_str())
        {
            released.insert(recipe.name.to_string(), release);
        }
    }
    if !frame.target.is_published() {
        return Ok(released);
    }
    for candidate in candidates {
        let ids = tables.builds_of_recipe(txn, place_in(frame, &candidate.folder))?;
        // From the newest on, down to one that the channel is sure to have.
        for id in ids.into_iter().rev() {
            let Some(build) = tables.find_build(txn, id)? else {
                continue;
            };
            if is_in_channel(&build, channel.read_at) {
                break;
            }
            if is_newer(&build, channel.read_at) {
                let release = released.entry(build.recipe.to_string()).or_default();
                *release = build.release.max(*release);
            }
        }
    }
    Ok(released)
}

/// True for a build that is being published, or was after the channel was read, as far as two clocks
/// tell. What was published before, only the channel knows: it may have been set back.
fn is_newer(build: &Build, read_at: jiff::Timestamp) -> bool {
    match &build.state {
        State::Publishing { .. } => true,
        State::Published { at, .. } => read_at.duration_since(*at) < CLOCKS,
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

/// True for a build that was published well before the channel was read, as those before it were.
fn is_in_channel(build: &Build, read_at: jiff::Timestamp) -> bool {
    matches!(build.state, State::Published { .. }) && !is_newer(build, read_at)
}

/// What a plan of a branch has to fit in with. `places` says by which new build a folder's builds
/// are replaced; by none when the recipe is gone.
fn others(
    tables: &Tables,
    txn: &RoTxn<'_>,
    frame: &Frame,
    places: &HashMap<RecipeFolder, Option<BuildId>>,
) -> Result<Others, moss_db::Error> {
    let place = |build: &Build| {
        let here = build.repository == frame.repository && build.target == frame.target;
        places.get(&build.folder).filter(|_| here)
    };
    let mut builds = tables.active_builds_of_branches(txn)?;
    builds.retain(|build| build.profile == frame.profile && place(build).is_none());
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
        let build = match tables.find_build(txn, id) {
            Ok(Some(build)) => build,
            Ok(None) => continue,
            // It ended long ago, or `Summit::unreadable` names it: no reason not to plan others.
            Err(error) if error.is_of_a_row() => continue,
            Err(error) => return Err(error),
        };
        match place(&build) {
            Some(Some(new)) => drop(replaced.insert(*new, build)),
            Some(None) => {}
            None if stands_in_the_way(&build) => builds.push(build),
            None => {}
        }
    }
    Ok(Others {
        builds,
        replaced,
        ..Others::default()
    })
}

/// True for a build that ended without success and whose place no other took.
fn stands_in_the_way(build: &Build) -> bool {
    match &build.state {
        State::Failed(_)
        | State::Cancelled {
            by: By::PullClosed | By::RepositoryGone | By::Person { .. },
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
pub(super) mod tests;
