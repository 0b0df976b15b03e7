//! What has to be there: found on data that were kept, made where it is not there yet.

use secrecy::{ExposeSecret, SecretString};

use crate::config;
use crate::forge::Forge;
use crate::id::{AccountId, InstallationId, RepositoryId};
use crate::name::Branch;
use crate::people::{Refused, account};
use crate::state::account::Kind;

impl Forge {
    /// The App's installation on the organisation of that login, which is made as by
    /// [`Self::create_organisation`] where it is not there yet.
    ///
    /// # Errors
    /// When the login is none, when an account that is no organisation has it, or when the App was
    /// taken away from it.
    pub fn ensure_organisation(&self, login: &str) -> Result<InstallationId, Refused> {
        let installed = {
            let state = self.shared.lock();
            let id = state.find_account(login).map(|account| account.id);
            let mut all = state.installations.iter();
            all.find(|(_, account)| Some(**account) == id)
                .map(|(installation, _)| *installation)
        };
        match installed {
            Some(installation) => Ok(installation),
            None => self.create_organisation(login),
        }
    }

    /// The person of that login, made where it is not there yet.
    ///
    /// # Errors
    /// When the login is none, or an account that is no person has it.
    pub fn ensure_user(&self, login: &str) -> Result<AccountId, Refused> {
        match self.find_account(login) {
            Some(account) if account.kind == Kind::User => Ok(account.id),
            Some(_) | None => self.create_user(login),
        }
    }

    /// The bot of that slug, made as by [`Self::create_bot`] where it is not there yet.
    ///
    /// # Errors
    /// When the slug is none.
    pub fn ensure_bot(&self, slug: &str) -> Result<AccountId, Refused> {
        match self.find_account(&format!("{slug}[bot]")) {
            Some(account) => Ok(account.id),
            None => self.create_bot(slug),
        }
    }

    /// Gives a person a token that the caller chose, which does not expire. Again it does nothing.
    ///
    /// # Errors
    /// When there is no such person.
    pub fn ensure_token(&self, login: &str, token: &SecretString) -> Result<(), Refused> {
        let mut state = self.shared.lock();
        let id = account(&state, login)?;
        state.tokens.give_user(token.expose_secret(), id);
        Ok(())
    }

    /// The repository that has the name `owner/name` or had it until it was renamed, made as by
    /// [`Self::create_repository`] where there is none.
    ///
    /// # Errors
    /// When the name is none, the owner is missing, or git fails.
    pub async fn ensure_repository(&self, name: &str) -> Result<RepositoryId, Refused> {
        self.ensure_repository_on(name, config::main_branch()).await
    }

    /// As [`Self::ensure_repository`], with another default branch; that of a repository which is
    /// there stays.
    ///
    /// # Errors
    /// When the name is none, the owner is missing, or git fails.
    pub async fn ensure_repository_on(
        &self,
        name: &str,
        default_branch: Branch,
    ) -> Result<RepositoryId, Refused> {
        let known = name.split_once('/').and_then(|(owner, own)| {
            let state = self.shared.lock();
            let found = state.find_by_any_name(owner, own);
            found.map(|record| record.id)
        });
        match known {
            Some(id) => Ok(id),
            None => self.create_repository_on(name, default_branch).await,
        }
    }
}
