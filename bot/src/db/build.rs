//! Builds: their transitions with their effects, and those of a kind.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use api::id::{BuildId, CommitSha, RecipeFolder, Sha256};
use jiff::Timestamp;
use moss_db::{Error, RoTxn, RwTxn};

use super::Tables;
use crate::domain::build::{Build, Event, IllegalTransition, State, Target};
use crate::domain::name::RepositoryId;

/// A change to a build that was not made.
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

impl Tables {
    /// Applies `event` to a build and commits state and effects together. Returns the build.
    ///
    /// # Errors
    /// When the build is unknown, does not take the event, or the database fails.
    pub fn change(
        &self,
        txn: &mut RwTxn<'_>,
        id: BuildId,
        event: Event,
        now: Timestamp,
    ) -> Result<Build, ChangeError> {
        let build = self
            .builds
            .find(txn, &id)?
            .ok_or(ChangeError::Unknown(id))?;
        let before = build.state.name();
        let (next, effects) = build.apply(event, now)?;
        if next == build {
            return Ok(build);
        }
        self.builds.put(txn, &id, &next)?;
        for effect in effects {
            let number = self.effects.next(txn)?;
            self.outbox.put(txn, &number, &effect)?;
        }
        if let Some(attempt) = build.find_attempt()
            && !matches!(next.state, State::Building { .. })
        {
            self.orders.delete(txn, &attempt)?;
        }
        if before != next.state.name() {
            tracing::info!(
                build.id = %id,
                build.recipe = %next.recipe,
                build.state = next.state.name(),
                "{}", next.explain()
            );
        }
        Ok(next)
    }

    /// The builds that are under way, and those whose assets a builder keeps, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub fn active_builds(&self, txn: &RoTxn<'_>) -> Result<Vec<Build>, Error> {
        self.builds
            .find_by(txn, &self.builds_active, &0)?
            .map(|row| Ok(row?.1))
            .collect()
    }

    /// The builds whose check run does not agree with them, where the App can see it: what is gone
    /// shows nothing until it is back.
    ///
    /// # Errors
    /// When the database fails.
    pub fn unshown_builds(&self, txn: &RoTxn<'_>) -> Result<Vec<Build>, Error> {
        let mut gone = HashMap::new();
        let mut unshown = Vec::new();
        for row in self.builds.find_by(txn, &self.builds_unshown, &0)? {
            let (_, build) = row?;
            let number = build.repository.number();
            let is_gone = match gone.entry(number) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(free) => {
                    let row = self.repositories.find(txn, &number)?;
                    *free.insert(row.is_some_and(|row| row.gone_at.is_some()))
                }
            };
            if !is_gone {
                unshown.push(build);
            }
        }
        Ok(unshown)
    }

    /// The builds of a target that are not settled.
    ///
    /// # Errors
    /// When the database fails.
    pub fn builds_of(
        &self,
        txn: &RoTxn<'_>,
        repository: RepositoryId,
        target: &Target,
    ) -> Result<Vec<Build>, Error> {
        let mut builds = self.active_builds(txn)?;
        builds.extend(self.builds_set_aside(txn, repository)?);
        builds.retain(|build| build.repository == repository && build.target == *target);
        Ok(builds)
    }

    /// The last build of each recipe and target at a head, oldest first: for one target, or for all.
    /// Another head can have a newer one.
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
        let head = (repository.number(), commit);
        let mut newest: HashMap<(Target, RecipeFolder), Build> = HashMap::new();
        for row in self.builds.find_by(txn, &self.builds_by_head, &head)? {
            let (_, build) = row?;
            if target.is_some_and(|target| build.target != *target) {
                continue;
            }
            match newest.entry((build.target.clone(), build.folder.clone())) {
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

    /// True for the newest build of its recipe's folder and target.
    ///
    /// # Errors
    /// When the database fails.
    pub fn is_newest(&self, txn: &RoTxn<'_>, build: &Build) -> Result<bool, Error> {
        let key = folder_key(build.repository, &build.target, &build.folder);
        let mut newest = None;
        for id in self.builds_by_folder.keys(txn, &key)? {
            newest = newest.max(Some(id?));
        }
        Ok(newest == Some(build.id))
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
        self.builds
            .find_by(txn, &self.builds_aside, &repository.number())?
            .map(|row| Ok(row?.1))
            .collect()
    }
}

/// The key of a recipe's folder in `builds_by_folder`: a digest, because a folder can be longer than
/// a key may be.
pub fn folder_key(
    repository: RepositoryId,
    target: &Target,
    folder: &RecipeFolder,
) -> (u64, [u8; 32]) {
    let text = format!("{}\n{folder}", target.git_ref());
    (repository.number(), *Sha256::of(text.as_bytes()).as_bytes())
}
