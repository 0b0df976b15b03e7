//! Builds in the database: writing transitions with their effects, and queries.
//!
//! All code reads and writes builds through these functions, so that only they know the rows and
//! indexes.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use api::id::{AttemptId, BuildId, CommitSha, RecipeFolder, Sha256};
use jiff::Timestamp;
use moss_db::{Error, RoTxn};
use service::error::Chain;

use super::key::{RecipePlace, recipe_key, target_key};
use super::row::Standing;
use super::tables::Tables;
use super::write::Write;
use crate::domain::build::{
    Build, By, Event, Failure, FailureKind, IllegalTransition, Plan, Stage, State, Target,
};
use crate::domain::name::RepositoryId;

/// Why a build was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The database failed.
    #[error("cannot change a build")]
    Storage(#[from] Error),
    /// There is no such build.
    #[error("there is no build {0}")]
    Unknown(BuildId),
    /// The build's state does not take the event.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
}

/// Builds whose rows cannot be read, with the reasons.
pub type Unreadable = BTreeMap<BuildId, String>;

impl Tables {
    /// Applies `event` to a build and stores the new state with its effects. Returns the changed
    /// build.
    ///
    /// # Errors
    /// When the build is unknown, does not take the event, or the database fails.
    pub fn change(
        &self,
        txn: &mut Write<'_, '_>,
        id: BuildId,
        event: Event,
        now: Timestamp,
    ) -> Result<Build, ChangeError> {
        let build = self.find_build(txn, id)?.ok_or(ChangeError::Unknown(id))?;
        self.change_build(txn, build, event, now)
    }

    /// Like [`Self::change`], for a build that was read in the same transaction.
    ///
    /// # Errors
    /// When the build does not take the event, or the database fails.
    pub fn change_build(
        &self,
        txn: &mut Write<'_, '_>,
        build: Build,
        event: Event,
        now: Timestamp,
    ) -> Result<Build, ChangeError> {
        let id = build.id;
        let (next, effects) = build.apply(event, now)?;
        if next == build {
            return Ok(build);
        }
        self.put_build(txn, &next)?;
        if let Some(seconds) = seconds_of(&build, &next, now) {
            let key = duration_key(next.repository, &next.folder);
            self.durations.put(txn, &key, &seconds)?;
        }
        for effect in effects {
            let number = self.effects.next(txn)?;
            self.outbox.put(txn, &number, &effect)?;
            txn.note_effect();
        }
        if let Some(attempt) = build.find_attempt()
            && next.state.stage() != Stage::Building
        {
            self.orders.delete(txn, &attempt)?;
        }
        if build.keeps_assets() && !next.keeps_assets() {
            let attempt = AttemptId::new(id, build.attempts);
            self.manifests.delete(txn, &attempt)?;
        }
        if build.state.stage() != next.state.stage() {
            tracing::info!(
                build.id = %id,
                build.recipe = %next.recipe,
                build.state = next.state.name(),
                "{}", next.explain()
            );
        }
        Ok(next)
    }

    /// Finds a build.
    ///
    /// # Errors
    /// When the database fails, or a row of the build cannot be read.
    pub fn find_build(&self, txn: &RoTxn<'_>, id: BuildId) -> Result<Option<Build>, Error> {
        let Some(standing) = self.standings.find(txn, &id)? else {
            return Ok(None);
        };
        let Some(plan) = self.plans.find(txn, &id)? else {
            return Ok(None);
        };
        let shown = self.shown.find(txn, &id)?.unwrap_or_default();
        Ok(Some(standing.into_build(id, plan, shown)))
    }

    /// Stores a build. Its plan is stored only the first time.
    ///
    /// # Errors
    /// When the database fails.
    pub fn put_build(&self, txn: &mut Write<'_, '_>, build: &Build) -> Result<(), Error> {
        if !self.plans.contains(txn, &build.id)? {
            self.plans.put(txn, &build.id, &build.plan)?;
        }
        debug_assert_eq!(
            self.plans.find(txn, &build.id).ok().flatten().as_ref(),
            Some(&*build.plan)
        );
        self.standings.put(txn, &build.id, &Standing::of(build))?;
        if self.shown.find(txn, &build.id)?.unwrap_or_default() != build.shown {
            self.shown.put(txn, &build.id, &build.shown)?;
        }
        self.file_unshown(txn, build)?;
        self.touch_head(txn, build.into())?;
        txn.note_build(build.id, Some(build.clone()));
        Ok(())
    }

    /// Stores what GitHub shows of a build, and nothing else of it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn put_shown(&self, txn: &mut Write<'_, '_>, build: &Build) -> Result<(), Error> {
        self.shown.put(txn, &build.id, &build.shown)?;
        self.file_unshown(txn, build)?;
        txn.note_build(build.id, Some(build.clone()));
        Ok(())
    }

    fn file_unshown(&self, txn: &mut Write<'_, '_>, build: &Build) -> Result<(), Error> {
        match build.is_shown() {
            true => drop(self.unshown.delete(txn, &build.id)?),
            false => self.unshown.put(txn, &build.id, &())?,
        }
        Ok(())
    }

    /// Gives a build another target, after its branch was renamed.
    ///
    /// # Errors
    /// When the database fails.
    pub fn move_build(
        &self,
        txn: &mut Write<'_, '_>,
        mut build: Build,
        target: Target,
    ) -> Result<(), Error> {
        build.plan = Arc::new(Plan {
            target,
            ..Plan::clone(&build.plan)
        });
        self.plans.put(txn, &build.id, &build.plan)?;
        self.put_build(txn, &build)
    }

    /// Removes a build.
    ///
    /// # Errors
    /// When the database fails.
    pub fn forget_build(&self, txn: &mut Write<'_, '_>, id: BuildId) -> Result<(), Error> {
        self.plans.delete(txn, &id)?;
        self.standings.delete(txn, &id)?;
        self.shown.delete(txn, &id)?;
        self.unshown.delete(txn, &id)?;
        txn.note_build(id, None);
        Ok(())
    }

    /// Takes the rows of a build that cannot be read out of the database, and returns each with a name
    /// for it. If its plan can be read, the build counts as failed from now on. Otherwise nothing
    /// is known of it any more, and the builds that name it are cancelled.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_aside(
        &self,
        txn: &mut Write<'_, '_>,
        id: BuildId,
        now: Timestamp,
    ) -> Result<Vec<(&'static str, Vec<u8>)>, Error> {
        let plan = legible(self.plans.find(txn, &id))?;
        let shown = legible(self.shown.find(txn, &id))?.unwrap_or_default();
        let rows = [
            ("plan", self.plans.tear_out(txn, &id)?),
            ("standing", self.standings.tear_out(txn, &id)?),
            ("shown", self.shown.tear_out(txn, &id)?),
        ];
        self.unshown.delete(txn, &id)?;
        let attempts = self.forget_attempts(txn, id)?;
        let rows = rows.into_iter();
        let rows: Vec<_> = rows.filter_map(|(name, row)| Some((name, row?))).collect();
        match plan {
            Some(plan) => {
                let failure = Failure {
                    kind: FailureKind::Attempt,
                    phase: None,
                    message: "summit could not read this build, and an operator set it aside"
                        .to_owned(),
                    annotations: Vec::new(),
                    at: now,
                };
                let build = Build {
                    seq: shown.seq + 1,
                    attempts,
                    shown,
                    state: State::Failed(failure),
                    ..Build::new(id, Arc::new(plan))
                };
                self.put_build(txn, &build)?;
            }
            None => {
                let mut followers = self.builds_that_name(txn, id, usize::MAX)?;
                followers.retain(|build| {
                    let needs = build.after.contains(&id) && build.state.stage().is_scheduled();
                    needs || build.cycle.contains(&id)
                });
                for follower in followers {
                    let login = "an operator".to_owned();
                    let event = Event::Cancelled(By::Person { login });
                    match self.change_build(txn, follower, event, now) {
                        Ok(_) | Err(ChangeError::Illegal(_) | ChangeError::Unknown(_)) => {}
                        Err(ChangeError::Storage(error)) => return Err(error),
                    }
                }
            }
        }
        Ok(rows)
    }

    /// Removes the orders and manifests of a build's attempts, and returns the highest number.
    fn forget_attempts(&self, txn: &mut Write<'_, '_>, id: BuildId) -> Result<u32, Error> {
        let orders = self.orders.iter(txn)?.keys();
        let attempts = orders.chain(self.manifests.iter(txn)?.keys());
        let attempts = attempts.collect::<Result<Vec<AttemptId>, Error>>()?;
        let mut highest = 0;
        for attempt in attempts.iter().filter(|attempt| attempt.build() == id) {
            self.orders.delete(txn, attempt)?;
            self.manifests.delete(txn, attempt)?;
            highest = highest.max(attempt.number());
        }
        Ok(highest)
    }

    /// A page of builds, oldest first: at most `most` rows after the id `after`. Also returns the
    /// `after` of the next page, if there may be one.
    ///
    /// # Errors
    /// When the database fails.
    pub fn oldest_builds(
        &self,
        txn: &RoTxn<'_>,
        after: Option<BuildId>,
        most: usize,
    ) -> Result<(Vec<Build>, Option<BuildId>), Error> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.standings.range(txn, (from, Bound::Unbounded))?;
        let ids = rows.keys().take(most).collect::<Result<Vec<_>, _>>()?;
        let next = ids.last().copied().filter(|_| ids.len() == most);
        Ok((
            self.readable(txn, ids.into_iter().map(Ok))
                .collect::<Result<_, _>>()?,
            next,
        ))
    }

    /// All builds under way, and those of them that cannot be read, with the reasons; see
    /// [`crate::domain::under_way`]. Called once, at the start of summit.
    ///
    /// # Errors
    /// When the database fails.
    pub fn builds_under_way(&self, txn: &RoTxn<'_>) -> Result<(Vec<Build>, Unreadable), Error> {
        let active = self.builds_active.keys(txn, &0)?;
        let unshown = self.unshown.iter(txn)?.keys();
        let ids = active
            .chain(unshown)
            .collect::<Result<BTreeSet<BuildId>, Error>>()?;
        let (mut builds, mut unreadable) = (Vec::new(), Unreadable::new());
        for id in ids {
            match self.find_build(txn, id) {
                Ok(build) => builds.extend(build),
                Err(error) if error.is_of_a_row() => {
                    unreadable.insert(id, Chain(&error).to_string());
                }
                Err(error) => return Err(error),
            }
        }
        Ok((builds, unreadable))
    }

    /// The active builds of branches, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub fn active_builds_of_branches(&self, txn: &RoTxn<'_>) -> Result<Vec<Build>, Error> {
        self.readable(txn, self.builds_of_branches.keys(txn, &0)?)
            .collect()
    }

    /// The builds of a target that are not settled, oldest first. These include builds that only a
    /// person can move, and builds whose assets a builder keeps.
    ///
    /// # Errors
    /// When the database fails.
    pub fn builds_of(
        &self,
        txn: &RoTxn<'_>,
        repository: RepositoryId,
        target: &Target,
    ) -> Result<Vec<Build>, Error> {
        let key = target_key(repository, target);
        self.readable(txn, self.builds_by_target.keys(txn, &key)?)
            .collect()
    }

    /// Like [`Self::builds_of`], for all targets of a repository.
    ///
    /// # Errors
    /// When the database fails.
    pub fn builds_of_repository(
        &self,
        txn: &RoTxn<'_>,
        repository: RepositoryId,
    ) -> Result<Vec<Build>, Error> {
        let key = repository.number();
        self.readable(txn, self.builds_by_repository.keys(txn, &key)?)
            .collect()
    }

    /// The builds of a repository that only a person can move, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub fn builds_set_aside(
        &self,
        txn: &RoTxn<'_>,
        repository: RepositoryId,
    ) -> Result<Vec<Build>, Error> {
        let key = repository.number();
        self.readable(txn, self.builds_aside.keys(txn, &key)?)
            .collect()
    }

    /// The active builds that come after the build `id`, are held by it as a suspect, or are in its
    /// cycle: at most `most`.
    ///
    /// # Errors
    /// When the database fails.
    pub fn builds_that_name(
        &self,
        txn: &RoTxn<'_>,
        id: BuildId,
        most: usize,
    ) -> Result<Vec<Build>, Error> {
        let ids = self.builds_by_named.keys(txn, &id)?;
        self.readable(txn, ids).take(most).collect()
    }

    /// True when [`Self::builds_that_name`] has any builds.
    ///
    /// # Errors
    /// When the database fails.
    pub fn is_named(&self, txn: &RoTxn<'_>, id: BuildId) -> Result<bool, Error> {
        let mut keys = self.builds_by_named.keys(txn, &id)?;
        Ok(keys.next().transpose()?.is_some())
    }

    /// All builds of a head, oldest first.
    ///
    /// # Errors
    /// When the database fails, or a row cannot be read: without that row, the caller could build
    /// the wrong thing.
    pub fn builds_of_head(
        &self,
        txn: &RoTxn<'_>,
        repository: RepositoryId,
        commit: CommitSha,
    ) -> Result<Vec<Build>, Error> {
        let head = (repository.number(), commit);
        let mut builds = Vec::new();
        for id in self.builds_by_head.keys(txn, &head)? {
            builds.extend(self.find_build(txn, id?)?);
        }
        Ok(builds)
    }

    /// Like [`Self::builds_of_head`], but skips rows that cannot be read.
    ///
    /// # Errors
    /// When the database fails.
    pub fn readable_builds_of_head(
        &self,
        txn: &RoTxn<'_>,
        repository: RepositoryId,
        commit: CommitSha,
    ) -> Result<Vec<Build>, Error> {
        let head = (repository.number(), commit);
        self.readable(txn, self.builds_by_head.keys(txn, &head)?)
            .collect()
    }

    /// The last build of each recipe, target and profile at a head, oldest first: for one target or
    /// for all. Another head can have a newer build of the recipe.
    ///
    /// # Errors
    /// When the database fails.
    pub fn newest_of_head(
        &self,
        txn: &RoTxn<'_>,
        repository: RepositoryId,
        commit: CommitSha,
        target: Option<&Target>,
    ) -> Result<Vec<Build>, Error> {
        let mut newest: HashMap<(u64, [u8; 32]), Build> = HashMap::new();
        for build in self.readable_builds_of_head(txn, repository, commit)? {
            if target.is_some_and(|target| build.target != *target) {
                continue;
            }
            match newest.entry(recipe_key(RecipePlace::from(&*build.plan))) {
                Entry::Vacant(free) => drop(free.insert(build)),
                Entry::Occupied(mut known) if known.get().id < build.id => {
                    known.insert(build);
                }
                Entry::Occupied(_) => {}
            }
        }
        let mut newest: Vec<Build> = newest.into_values().collect();
        newest.sort_by_key(|build| build.id);
        Ok(newest)
    }

    /// The ids of all builds of a recipe for a target and profile, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub fn builds_of_recipe(
        &self,
        txn: &RoTxn<'_>,
        place: RecipePlace<'_>,
    ) -> Result<Vec<BuildId>, Error> {
        let key = recipe_key(place);
        self.builds_by_recipe.keys(txn, &key)?.collect()
    }

    /// The newest build of a recipe for a target and profile.
    ///
    /// # Errors
    /// When the database fails.
    pub fn newest_of_recipe(
        &self,
        txn: &RoTxn<'_>,
        place: RecipePlace<'_>,
    ) -> Result<Option<Build>, Error> {
        let Some(id) = self.newest_id(txn, place)? else {
            return Ok(None);
        };
        match self.find_build(txn, id) {
            // The caller then plans the recipe as new, so that one broken row blocks no other
            // recipe.
            Err(error) if error.is_of_a_row() => Ok(None),
            found => found,
        }
    }

    fn newest_id(&self, txn: &RoTxn<'_>, place: RecipePlace<'_>) -> Result<Option<BuildId>, Error> {
        let key = recipe_key(place);
        let mut ids = self.builds_by_recipe.keys_before(txn, &key, None)?;
        ids.next().transpose()
    }

    /// True for the newest build of its recipe, target and profile.
    ///
    /// # Errors
    /// When the database fails.
    pub fn is_newest(&self, txn: &RoTxn<'_>, build: &Build) -> Result<bool, Error> {
        let newest = self.newest_id(txn, RecipePlace::from(&*build.plan))?;
        Ok(newest == Some(build.id))
    }

    /// The duration of the last successful attempt of a recipe for any target, in seconds.
    ///
    /// # Errors
    /// When the database fails.
    pub fn took(
        &self,
        txn: &RoTxn<'_>,
        repository: RepositoryId,
        folder: &RecipeFolder,
    ) -> Result<Option<u64>, Error> {
        self.durations.find(txn, &duration_key(repository, folder))
    }

    /// Removes the durations of a repository's recipes.
    ///
    /// # Errors
    /// When the database fails.
    pub fn forget_durations(
        &self,
        txn: &mut Write<'_, '_>,
        repository: RepositoryId,
    ) -> Result<(), Error> {
        let rows = self.durations.iter_prefix(txn, &repository.number())?;
        let keys = rows.keys().collect::<Result<Vec<_>, Error>>()?;
        for key in keys {
            self.durations.delete(txn, &key)?;
        }
        Ok(())
    }

    /// Reads builds and skips those that cannot be read, so that one broken row does not block the
    /// others.
    fn readable<'txn>(
        &self,
        txn: &'txn RoTxn<'_>,
        ids: impl Iterator<Item = Result<BuildId, Error>> + 'txn,
    ) -> impl Iterator<Item = Result<Build, Error>> {
        ids.filter_map(move |id| match id.and_then(|id| self.find_build(txn, id)) {
            Err(error) if error.is_of_a_row() => {
                tracing::error!(error = %Chain(&error), "skipped a build that cannot be read");
                None
            }
            found => found.transpose(),
        })
    }
}

/// The row; `None` also if it cannot be read.
fn legible<T>(row: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    match row {
        Err(error) if error.is_of_a_row() => Ok(None),
        row => row,
    }
}

/// The duration of the attempt in seconds, if this change is its success.
fn seconds_of(before: &Build, after: &Build, now: Timestamp) -> Option<u64> {
    let State::Building { since, .. } = &before.state else {
        return None;
    };
    let has_succeeded = after.state.stage() == Stage::Built;
    let took = now.duration_since(*since).as_secs();
    took.try_into().ok().filter(|_| has_succeeded)
}

fn duration_key(repository: RepositoryId, folder: &RecipeFolder) -> (u64, [u8; 32]) {
    let digest = Sha256::of(folder.to_string().as_bytes());
    (repository.number(), *digest.as_bytes())
}
