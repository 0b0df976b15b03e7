//! Accounts, roles and tokens, and what is in repositories.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use crate::forge::{Forge, blocking};
use crate::git::GitError;
use crate::git::commit::{self, Edit};
use crate::git::refs;
use crate::id::{AccountId, InstallationId};
use crate::name::{Branch, Login, Sha};
use crate::people::{Refused, account, refuse_archived, repository};
use crate::push;
use crate::state::account::{Account, Kind};
use crate::state::repository::Role;
use crate::state::{self, State};

impl Forge {
    /// Where the forge is reached.
    #[must_use]
    pub fn url(&self) -> &str {
        self.shared.urls.web()
    }

    /// Where its REST API is reached: octocrab's `base_uri`.
    #[must_use]
    pub fn api_url(&self) -> String {
        self.shared.urls.api()
    }

    /// Makes an organisation and installs the App on it, for all its repositories.
    ///
    /// # Errors
    /// When the login is none or taken.
    pub fn create_organisation(&self, login: &str) -> Result<InstallationId, Refused> {
        let mut state = self.shared.lock();
        let id = self.insert_account(&mut state, login, Kind::Organisation)?;
        let installation: InstallationId = state.next_id();
        state.installations.insert(installation, id);
        Ok(installation)
    }

    /// Makes a person.
    ///
    /// # Errors
    /// When the login is none or taken.
    pub fn create_user(&self, login: &str) -> Result<AccountId, Refused> {
        self.insert_account(&mut self.shared.lock(), login, Kind::User)
    }

    /// Makes the account of another App, whose login is `slug[bot]`. Its roles let it do what those of
    /// a person do, and still nobody learns of them: its permission is `none` for all who ask.
    ///
    /// # Errors
    /// When the slug is none or taken.
    pub fn create_bot(&self, slug: &str) -> Result<AccountId, Refused> {
        let login = state::account::bot_login(slug)?;
        self.insert_account(&mut self.shared.lock(), login.as_str(), Kind::Bot)
    }

    fn insert_account(
        &self,
        state: &mut State,
        login: &str,
        kind: Kind,
    ) -> Result<AccountId, Refused> {
        let parsed: Login = login.parse()?;
        let has_room = kind == Kind::Bot || !login.ends_with("[bot]");
        if state.find_account(login).is_some() || !has_room {
            return Err(Refused::taken("account", login));
        }
        let id = state.next_id();
        let created_at = self.shared.clock.now();
        state.insert_account(Account {
            id,
            login: parsed,
            kind,
            created_at,
        });
        Ok(id)
    }

    /// The account of that login.
    #[must_use]
    pub fn find_account(&self, login: &str) -> Option<Account> {
        self.shared.lock().find_account(login).cloned()
    }

    /// Gives a person a token: git's password, and the API's bearer token. It does not expire.
    ///
    /// # Errors
    /// When there is no such person.
    pub fn mint_token(&self, login: &str) -> Result<SecretString, Refused> {
        let mut state = self.shared.lock();
        let id = account(&state, login)?;
        Ok(state.tokens.mint_user(id).into())
    }

    /// Says what a person may do in a repository.
    ///
    /// # Errors
    /// When either is missing.
    pub fn set_role(&self, name: &str, login: &str, role: Role) -> Result<(), Refused> {
        let mut state = self.shared.lock();
        let person = account(&state, login)?;
        let id = repository(&state, name)?.id;
        let record = state.repositories.get_mut(&id).expect("it was just found");
        record.roles.insert(person, role);
        Ok(())
    }

    /// Where a repository is cloned from, without credentials.
    #[must_use]
    pub fn clone_url(&self, name: &str) -> String {
        format!("{}/{name}.git", self.shared.urls.web())
    }

    /// Where a person pushes to: the URL with their login and a new token in it.
    ///
    /// # Errors
    /// When there is no such person.
    pub fn push_url(&self, name: &str, login: &str) -> Result<String, Refused> {
        let token = self.mint_token(login)?;
        let (scheme, rest) = self
            .shared
            .urls
            .web()
            .split_once("://")
            .expect("the forge's address has a scheme");
        let login: Login = login.parse()?;
        let login = login.in_url();
        Ok(format!(
            "{scheme}://{login}:{}@{rest}/{name}.git",
            token.expose_secret()
        ))
    }

    /// The folder of a bare repository.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn repository_path(&self, name: &str) -> Result<PathBuf, Refused> {
        Ok(repository(&self.shared.lock(), name)?.path.clone())
    }

    /// What a branch points to.
    ///
    /// # Errors
    /// When there is no such repository, or git fails.
    pub async fn find_branch(&self, name: &str, branch: &str) -> Result<Option<Sha>, Refused> {
        let path = self.repository_path(name)?;
        let branch: Branch = branch.parse()?;
        let reference = branch.reference();
        let found =
            blocking(move || Ok::<_, GitError>(refs::read(&path)?.get(&reference).copied()));
        Ok(found.await?.map(Sha::from_oid))
    }

    /// Commits to a branch as a person, as a push of one commit would, webhooks included. The
    /// branch is made if it is not there.
    ///
    /// # Errors
    /// When something is missing or git fails.
    pub async fn commit(
        &self,
        name: &str,
        login: &str,
        branch: &str,
        message: &str,
        edits: &[(&str, Edit)],
    ) -> Result<Sha, Refused> {
        let branch: Branch = branch.parse()?;
        let (id, path, person) = {
            let state = self.shared.lock();
            let record = repository(&state, name)?;
            refuse_archived(record)?;
            (record.id, record.path.clone(), account(&state, login)?)
        };
        let edits: Vec<_> = edits
            .iter()
            .map(|(file, edit)| ((*file).to_owned(), edit.clone()))
            .collect();
        let (login, message) = (login.to_owned(), message.to_owned());
        let turn = push::begin(&self.shared, id, person).await?;
        let written = blocking(move || {
            let email = format!("{login}@users.noreply.forge.invalid");
            let author = (login.as_str(), email.as_str());
            commit::write(&path, branch.as_str(), author, &message, &edits)
        });
        let sha = written.await?;
        push::settle(&self.shared, turn).await?;
        Ok(sha)
    }
}
