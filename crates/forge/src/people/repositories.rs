//! Repositories that go and come: deleted, or without the App.

use std::sync::Arc;

use crate::forge::{Forge, Shared, blocking};
use crate::git::{self, GitError};
use crate::id::RepositoryId;
use crate::name::Branch;
use crate::people::{Refused, account, refuse_archived, repository};
use crate::push;
use crate::state::State;
use crate::state::repository::{Repository, Standing};
use crate::webhook::event::{self, AppChange, RepositoryAction};

impl Forge {
    /// Deletes a repository with all that is in it. Its name is free then; what is made under it
    /// later is another repository.
    ///
    /// # Errors
    /// When it or the person is missing, when a pull request to another repository comes from it,
    /// or when its folder cannot be removed.
    pub async fn delete_repository(&self, name: &str, by: &str) -> Result<(), Refused> {
        let (id, lock) = {
            let state = self.shared.lock();
            let record = repository(&state, name)?;
            (record.id, Arc::clone(&record.refs_lock))
        };
        // A push that is under way is settled first.
        let _held = lock.lock_owned().await;
        let path = {
            let mut state = self.shared.lock();
            let person = account(&state, by)?;
            // It may be gone, or another of its name, by now.
            let record = repository(&state, name)?.clone();
            if record.id != id {
                return Err(Refused::missing("repository", name));
            }
            refuse_sources(&state, id)?;
            stand(&mut state, id, Standing::Deleted);
            push::forget(&mut state, id);
            state.leftovers.insert(id, ());
            event::repository(
                &self.shared,
                &mut state,
                &record,
                person,
                &RepositoryAction::Deleted,
            );
            record.path
        };
        self.shared.changed();
        self.shared.recorded().await?;
        blocking(move || git::remove(&path)).await?;
        self.shared.lock().leftovers.remove(&id);
        Ok(())
    }

    /// Deletes a branch as a person, as a push would, webhooks included.
    ///
    /// # Errors
    /// When something is missing, the repository is archived, or git fails.
    pub async fn delete_branch(&self, name: &str, by: &str, branch: &str) -> Result<(), Refused> {
        let branch: Branch = branch.parse()?;
        let (id, path, person) = {
            let state = self.shared.lock();
            let record = repository(&state, name)?;
            refuse_archived(record)?;
            (record.id, record.path.clone(), account(&state, by)?)
        };
        let turn = push::begin(&self.shared, id, person).await?;
        blocking(move || git::delete_branch(&path, &branch)).await?;
        push::settle(&self.shared, turn).await?;
        Ok(())
    }

    /// Makes another branch of a repository, which has to be there, its default branch.
    ///
    /// # Errors
    /// When the repository, the branch or the person is missing, or git fails.
    pub async fn set_default_branch(
        &self,
        name: &str,
        by: &str,
        branch: Branch,
    ) -> Result<(), Refused> {
        let (person, id, path, lock) = {
            let state = self.shared.lock();
            let record = repository(&state, name)?;
            (
                account(&state, by)?,
                record.id,
                record.path.clone(),
                Arc::clone(&record.refs_lock),
            )
        };
        let _held = lock.lock_owned().await;
        let (folder, wanted) = (path, branch.clone());
        blocking(move || git::set_default(&folder, &wanted)).await?;
        {
            let mut state = self.shared.lock();
            let Some(record) = state.repositories.get_mut(&id) else {
                return Err(Refused::missing("repository", name));
            };
            let before = std::mem::replace(&mut record.default_branch, branch);
            let record = record.clone();
            let action = RepositoryAction::DefaultBranch { from: before };
            event::repository(&self.shared, &mut state, &record, person, &action);
        }
        self.shared.changed();
        Ok(())
    }

    /// Takes the App out of a repository of an organisation.
    ///
    /// # Errors
    /// When it or the person is missing, or the App is not in it.
    pub fn remove_app(&self, name: &str, by: &str) -> Result<(), Refused> {
        let mut state = self.shared.lock();
        let person = account(&state, by)?;
        let record = repository(&state, name)?.clone();
        if state.installation_of(&record).is_none() {
            return Err(Refused::State(format!("the App is not in {name}")));
        }
        stand(&mut state, record.id, Standing::WithoutApp);
        event::app_moved(
            &self.shared,
            &mut state,
            &record,
            person,
            AppChange::Removed,
        );
        drop(state);
        self.shared.changed();
        Ok(())
    }

    /// Whether there is a repository of that name that the App is in.
    #[must_use]
    pub fn has_app(&self, name: &str) -> bool {
        let state = self.shared.lock();
        repository(&state, name).is_ok_and(|record| state.installation_of(record).is_some())
    }

    /// Puts the App back into a repository that it was taken out of.
    ///
    /// # Errors
    /// When it or the person is missing, or the App was not taken out of it.
    pub fn put_app_back(&self, name: &str, by: &str) -> Result<(), Refused> {
        let mut state = self.shared.lock();
        let person = account(&state, by)?;
        let record = repository(&state, name)?;
        if record.standing != Standing::WithoutApp {
            return Err(Refused::State(format!(
                "the App was not taken out of {name}"
            )));
        }
        let id = record.id;
        let record = stand(&mut state, id, Standing::Here);
        event::app_moved(&self.shared, &mut state, &record, person, AppChange::Added);
        drop(state);
        self.shared.changed();
        Ok(())
    }
}

/// Removes the folders of repositories that an earlier process deleted.
pub(crate) async fn remove_leftovers(shared: &Shared) -> Result<(), GitError> {
    let leftovers: Vec<_> = {
        let state = shared.lock();
        let paths = state.leftovers.keys();
        paths
            .map(|id| (*id, state.repository(*id).path.clone()))
            .collect()
    };
    for (id, path) in leftovers {
        blocking(move || git::remove(&path)).await?;
        shared.lock().leftovers.remove(&id);
    }
    Ok(())
}

/// On GitHub such a pull request stays, without a repository that it comes from; here it cannot.
fn refuse_sources(state: &State, id: RepositoryId) -> Result<(), Refused> {
    let source = state
        .pulls
        .values()
        .find(|pull| pull.is_open() && pull.head.repository == id && pull.repository != id);
    match source {
        Some(pull) => Err(Refused::State(format!(
            "pull request {} of {} comes from it",
            pull.number,
            state.full_name(state.repository(pull.repository))
        ))),
        None => Ok(()),
    }
}

/// Changes how a repository stands, and gives it as it is then.
fn stand(state: &mut State, id: RepositoryId, standing: Standing) -> Repository {
    let record = state.repositories.get_mut(&id).expect("it was just found");
    record.standing = standing;
    record.clone()
}
