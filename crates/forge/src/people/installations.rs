//! Installations of the App that are suspended, taken away and put back.

use crate::forge::Forge;
use crate::id::{AccountId, InstallationId};
use crate::people::{Refused, account};
use crate::state::State;
use crate::state::account::Kind;
use crate::state::installation::Suspension;
use crate::state::repository::Standing;
use crate::webhook::event::{self, InstallationAction};

impl Forge {
    /// Suspends the App's installation on an organisation: its tokens are refused, no new ones are
    /// given out, and its webhooks stop with the one that says so.
    ///
    /// # Errors
    /// When the organisation or the person is missing, when the App is not installed, or when it is
    /// suspended already.
    pub fn suspend_installation(&self, organisation: &str, by: &str) -> Result<(), Refused> {
        let mut state = self.shared.lock();
        let (id, by) = (installation(&state, organisation)?, account(&state, by)?);
        if state.suspensions.contains_key(&id) {
            let problem = format!("the App is suspended on {organisation} already");
            return Err(Refused::State(problem));
        }
        let at = self.shared.clock.now();
        state.suspensions.insert(id, Suspension { by, at });
        self.tell(&mut state, id, by, InstallationAction::Suspended);
        Ok(())
    }

    /// Ends the suspension of the App's installation on an organisation.
    ///
    /// # Errors
    /// When the organisation or the person is missing, or the App is not suspended there.
    pub fn unsuspend_installation(&self, organisation: &str, by: &str) -> Result<(), Refused> {
        let mut state = self.shared.lock();
        let (id, by) = (installation(&state, organisation)?, account(&state, by)?);
        if state.suspensions.remove(&id).is_none() {
            let problem = format!("the App is not suspended on {organisation}");
            return Err(Refused::State(problem));
        }
        self.tell(&mut state, id, by, InstallationAction::Unsuspended);
        Ok(())
    }

    /// Takes the App's installation away from an organisation. Its tokens end.
    ///
    /// # Errors
    /// When the organisation or the person is missing, or the App is not installed.
    pub fn uninstall_app(&self, organisation: &str, by: &str) -> Result<(), Refused> {
        let mut state = self.shared.lock();
        let (id, by) = (installation(&state, organisation)?, account(&state, by)?);
        self.tell(&mut state, id, by, InstallationAction::Deleted);
        state.installations.remove(&id);
        state.suspensions.remove(&id);
        state.tokens.revoke(id);
        Ok(())
    }

    /// Installs the App on an organisation that it was taken away from, for all its repositories.
    /// The installation is another one than before.
    ///
    /// # Errors
    /// When the organisation or the person is missing, or the App is installed.
    pub fn reinstall_app(&self, organisation: &str, by: &str) -> Result<InstallationId, Refused> {
        let mut state = self.shared.lock();
        let (on, by) = (
            find_organisation(&state, organisation)?,
            account(&state, by)?,
        );
        if state.installation_on(on).is_some() {
            let problem = format!("the App is installed on {organisation} already");
            return Err(Refused::State(problem));
        }
        let without: Vec<_> = state
            .standing_repositories()
            .filter(|record| record.owner == on && !record.has_app())
            .map(|record| record.id)
            .collect();
        for id in without {
            if let Some(record) = state.repositories.get_mut(&id) {
                record.standing = Standing::Here;
            }
        }
        let id = state.next_id();
        state.installations.insert(id, on);
        self.tell(&mut state, id, by, InstallationAction::Created);
        Ok(id)
    }

    fn tell(&self, state: &mut State, id: InstallationId, by: AccountId, what: InstallationAction) {
        event::installation(&self.shared, state, id, by, what);
        self.shared.changed();
    }
}

fn find_organisation(state: &State, login: &str) -> Result<AccountId, Refused> {
    state
        .find_account(login)
        .filter(|account| account.kind == Kind::Organisation)
        .map(|account| account.id)
        .ok_or_else(|| Refused::missing("organisation", login))
}

/// The App's installation on an organisation.
fn installation(state: &State, login: &str) -> Result<InstallationId, Refused> {
    let on = find_organisation(state, login)?;
    state
        .installation_on(on)
        .ok_or_else(|| Refused::missing("installation of the App on", login))
}
