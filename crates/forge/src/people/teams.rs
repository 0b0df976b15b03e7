//! Teams.

use std::collections::BTreeSet;

use crate::forge::Forge;
use crate::id::AccountId;
use crate::people::{Refused, account};
use crate::state::State;
use crate::state::account::Kind;
use crate::state::team::Team;

impl Forge {
    /// Makes a team of an organisation, known by its name in URLs.
    ///
    /// # Errors
    /// When the organisation or a member is missing, or the organisation has such a team.
    pub fn create_team(&self, org: &str, slug: &str, members: &[&str]) -> Result<(), Refused> {
        let mut state = self.shared.lock();
        let key = (organisation(&state, org)?, slug.to_owned());
        if state.teams.contains_key(&key) {
            return Err(Refused::taken("team", slug));
        }
        let members = accounts(&state, members)?;
        state.teams.insert(key, Team { members });
        Ok(())
    }

    /// Says who is in a team from now on.
    ///
    /// # Errors
    /// When the organisation, the team or a member is missing.
    pub fn set_team_members(&self, org: &str, slug: &str, members: &[&str]) -> Result<(), Refused> {
        let mut state = self.shared.lock();
        let key = (organisation(&state, org)?, slug.to_owned());
        let members = accounts(&state, members)?;
        let team = state.teams.get_mut(&key);
        team.ok_or_else(|| Refused::missing("team", slug))?.members = members;
        Ok(())
    }
}

fn organisation(state: &State, login: &str) -> Result<AccountId, Refused> {
    state
        .find_account(login)
        .filter(|account| account.kind == Kind::Organisation)
        .map(|account| account.id)
        .ok_or_else(|| Refused::missing("organisation", login))
}

fn accounts(state: &State, logins: &[&str]) -> Result<BTreeSet<AccountId>, Refused> {
    logins.iter().map(|login| account(state, login)).collect()
}
