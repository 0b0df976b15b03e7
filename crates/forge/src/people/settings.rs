//! What the settings of a repository change: its name, its owner, who may read it, and whether it
//! takes changes.

use crate::forge::Forge;
use crate::id::AccountId;
use crate::name::RepositoryName;
use crate::people::{Refused, account, repository};
use crate::state::State;
use crate::state::repository::{Activity, Repository, Visibility};
use crate::webhook::event::{self, RepositoryAction};

impl Forge {
    /// Gives a repository another name. The old one leads to it until another repository takes it.
    ///
    /// # Errors
    /// When it or the person is missing, or the name is none or taken.
    pub fn rename_repository(&self, name: &str, by: &str, to: &str) -> Result<(), Refused> {
        let to: RepositoryName = to.parse()?;
        let mut state = self.shared.lock();
        let by = account(&state, by)?;
        let (id, owner, from) = {
            let record = repository(&state, name)?;
            (record.id, record.owner, record.name.clone())
        };
        refuse_taken(&state, owner, &to)?;
        state.move_repository(id, owner, to);
        let record = state.repository(id).clone();
        self.tell_of(&mut state, &record, by, &RepositoryAction::Renamed { from });
        Ok(())
    }

    /// Gives a repository to another organisation or person, under the same name. The old name leads
    /// to it until another repository takes it.
    ///
    /// # Errors
    /// When it, the person or the new owner is missing, or the new owner has one of that name.
    pub fn transfer_repository(&self, name: &str, by: &str, to: &str) -> Result<(), Refused> {
        let mut state = self.shared.lock();
        let (by, to) = (account(&state, by)?, account(&state, to)?);
        let (id, from, own) = {
            let record = repository(&state, name)?;
            (record.id, record.owner, record.name.clone())
        };
        refuse_taken(&state, to, &own)?;
        state.move_repository(id, to, own);
        let record = state.repository(id).clone();
        let action = RepositoryAction::Transferred { from };
        self.tell_of(&mut state, &record, by, &action);
        Ok(())
    }

    /// Archives a repository: it takes no more changes.
    ///
    /// # Errors
    /// When it or the person is missing, or it is archived already.
    pub fn archive_repository(&self, name: &str, by: &str) -> Result<(), Refused> {
        let action = RepositoryAction::Archived;
        self.set(name, by, &action, |record| {
            let before = std::mem::replace(&mut record.activity, Activity::Archived);
            before != Activity::Archived
        })
    }

    /// Lets an archived repository take changes again.
    ///
    /// # Errors
    /// When it or the person is missing, or it is not archived.
    pub fn unarchive_repository(&self, name: &str, by: &str) -> Result<(), Refused> {
        let action = RepositoryAction::Unarchived;
        self.set(name, by, &action, |record| {
            let before = std::mem::replace(&mut record.activity, Activity::Active);
            before != Activity::Active
        })
    }

    /// Says who may read a repository.
    ///
    /// # Errors
    /// When it or the person is missing, or that is so already.
    pub fn set_visibility(&self, name: &str, by: &str, to: Visibility) -> Result<(), Refused> {
        let action = match to {
            Visibility::Public => RepositoryAction::Publicized,
            Visibility::Private => RepositoryAction::Privatized,
        };
        self.set(name, by, &action, |record| {
            std::mem::replace(&mut record.visibility, to) != to
        })
    }

    /// Changes a setting and tells of it. `change` says whether the setting was another before.
    fn set(
        &self,
        name: &str,
        by: &str,
        action: &RepositoryAction,
        change: impl FnOnce(&mut Repository) -> bool,
    ) -> Result<(), Refused> {
        let mut state = self.shared.lock();
        let (id, by) = (repository(&state, name)?.id, account(&state, by)?);
        let record = state.repositories.get_mut(&id).expect("it was just found");
        if !change(record) {
            let problem = format!("{name} is {} already", action.word());
            return Err(Refused::State(problem));
        }
        let record = record.clone();
        self.tell_of(&mut state, &record, by, action);
        Ok(())
    }

    fn tell_of(
        &self,
        state: &mut State,
        record: &Repository,
        by: AccountId,
        action: &RepositoryAction,
    ) {
        event::repository(&self.shared, state, record, by, action);
        self.shared.changed();
    }
}

fn refuse_taken(state: &State, owner: AccountId, name: &RepositoryName) -> Result<(), Refused> {
    let login = &state.account(owner).login;
    if state.has_repository(login, name) {
        return Err(Refused::taken("repository", format!("{login}/{name}")));
    }
    Ok(())
}
