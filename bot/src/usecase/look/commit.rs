//! Commits a plan: writes the new builds and supersedes old ones.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use api::id::{BuildId, CommitSha, RecipeFolder};
use jiff::{SignedDuration, Timestamp};
use moss_db::{RoTxn, RwTxn};

use super::names::{self, Standings};
use super::released::Released;
use crate::db::{ChangeError, Look, RecipePlace, Tables, Write, look_key};
use crate::domain::build::{Build, By, Event, Scope, State};
use crate::domain::claim::{Holder, Names};
use crate::domain::head::{HeadId, HeadTarget};
use crate::domain::plan::{self, Candidate, Frame, Others};

/// The largest tolerated difference between vessel's clock and ours.
const CLOCKS: SignedDuration = SignedDuration::from_mins(1);

/// Deletes the wish, unless a newer one came in meanwhile.
pub(super) fn done(tables: &Tables, txn: &mut RwTxn<'_>, look: &Look) -> Result<(), ChangeError> {
    let key = look_key(look.repository, &look.target);
    match tables.looks.find(txn, &key)? {
        Some(now) if now.count == look.count => drop(tables.looks.delete(txn, &key)?),
        Some(_) | None => tables.end_look(txn, &key)?,
    }
    Ok(())
}

/// How far a head is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Planned {
    /// Further builds follow.
    Partly,
    /// All builds are there.
    Wholly,
}

/// Makes `commit` the head of the target of a look. `at` is when it became the head, unless a webhook
/// told.
pub(super) fn put_head(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    look: &Look,
    commit: CommitSha,
    (planned, at): (Planned, Option<Timestamp>),
    now: Timestamp,
) -> Result<(), moss_db::Error> {
    let id = HeadId {
        repository: look.repository,
        commit,
    };
    let of = HeadTarget {
        target: look.target.clone(),
        since: look.since(commit).or(at),
        is_planned: planned == Planned::Wholly,
    };
    tables.put_head(txn, id, of, now)
}

/// Ends a build that is under way. A build that is being published goes on.
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

/// The input of a plan.
pub(super) struct Changes {
    /// The changed recipes.
    pub(super) candidates: Vec<Candidate>,
    /// The folders of deleted recipes.
    pub(super) removed: BTreeSet<RecipeFolder>,
    /// The names of all changed recipes, including those of other parts and those that are not
    /// built.
    pub(super) names: Arc<Names>,
    /// The branch into which a pull request is to be merged.
    pub(super) branch: Option<String>,
}

/// Writes the builds of a plan and supersedes older ones.
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
        repository.id = frame.repository.number(),
        look.target = %frame.target,
        commit = %frame.commit,
        builds = builds.len(),
        "planned"
    );
    for build in &builds {
        tables.put_build(txn, build)?;
    }
    // A build for a removed profile is ended together with whichever profile is planned.
    let is_ours = |build: &Build| {
        build.scope != Scope::Recipe
            || build.profile == frame.profile
            || !channels.0.contains_key(&build.profile)
    };
    for build in before.into_iter().filter(is_ours) {
        let by = match places.get(&build.folder) {
            Some(by) => *by,
            // A pull request is planned whole from its base each time. A branch plan only adds to
            // earlier ones.
            None if frame.target.is_published() && build.scope == Scope::Recipe => continue,
            None => None,
        };
        // A new build of a published release ends at once. It supersedes nothing.
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

/// The place of a recipe in the planned target.
fn place_in<'a>(frame: &'a Frame, folder: &'a RecipeFolder) -> RecipePlace<'a> {
    RecipePlace {
        repository: frame.repository,
        target: &frame.target,
        profile: &frame.profile,
        folder,
    }
}

/// How long the last builds of the recipes took.
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

/// Leaves out the candidates that an earlier, interrupted run of the same plan committed already.
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
            build.commit == frame.commit
                && build.tree == candidate.tree
                && build.scope == Scope::Recipe
                && !matches!(build.state, State::Superseded { .. })
        });
        if !is_planned {
            left.push(candidate);
        }
    }
    *candidates = left;
    Ok(())
}

/// Gives unreadable recipes their last known name. Returns, for each folder whose name is taken,
/// where the name's holder lies.
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
                // Its check run must not be mistaken for one of the recipe that holds the name.
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

/// The location of a recipe, as seen from the planned repository.
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

/// Writes the placeholder build for all recipes of a head. It ends all earlier builds of a pull
/// request.
pub(super) fn commit_whole(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    frame: &Frame,
    whole: &Build,
) -> Result<(), ChangeError> {
    tracing::info!(
        repository.id = frame.repository.number(),
        look.target = %frame.target,
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

/// Merges the channel with builds that vessel is publishing or has published since the channel was
/// read: a new build must have a higher release than those.
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
        // From the newest to the first build that the channel has for certain.
        for id in ids.into_iter().rev() {
            let build = match tables.find_build(txn, id) {
                Ok(Some(build)) => build,
                Ok(None) => continue,
                Err(error) if error.is_of_a_row() => continue,
                Err(error) => return Err(error),
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

/// True for a build that is being published, or was published after the channel was read. The check
/// allows for a clock difference. For older builds the channel decides: somebody may have set it
/// back.
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

/// True for a build that was published well before the channel was read. Then earlier builds were
/// too.
fn is_in_channel(build: &Build, read_at: jiff::Timestamp) -> bool {
    matches!(build.state, State::Published { .. }) && !is_newer(build, read_at)
}

/// The existing builds that the plan of a branch has to respect. `places` maps a folder to the new
/// build that replaces its old ones, or to `None` for a deleted recipe.
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
    // In order of ids, so that the newest build remains.
    for id in named {
        let build = match tables.find_build(txn, id) {
            Ok(Some(build)) => build,
            Ok(None) => continue,
            // An unreadable row belongs to an old build or is listed in `Summit::unreadable`. The
            // plan goes on without it.
            Err(error) if error.is_of_a_row() => continue,
            Err(error) => return Err(error),
        };
        match place(&build) {
            Some(Some(new)) => drop(replaced.insert(*new, build)),
            Some(None) => {}
            // A rebuilt one is replaced as soon as its followers name the new one.
            None if stands_in_the_way(&build) && tables.is_newest(txn, &build)? => {
                builds.push(build);
            }
            None => {}
        }
    }
    Ok(Others {
        builds,
        replaced,
        ..Others::default()
    })
}

/// True for a build that ended without success and was not superseded.
fn stands_in_the_way(build: &Build) -> bool {
    match &build.state {
        State::Failed(_)
        | State::Cancelled {
            by: By::PullClosed | By::GroupGone | By::RepositoryGone | By::Person { .. },
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
