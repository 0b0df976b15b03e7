//! What people do, as methods of [`Forge`].

mod create;
mod edit_comment;
mod ensure;
mod hook;
mod installations;
pub(crate) mod pulls;
mod queue;
mod repositories;
mod reviews;
mod rules;
mod settings;
mod setup;
mod talk;
mod teams;
mod testing;

use thiserror::Error;

use crate::forge::Forge;
use crate::git::GitError;
use crate::id::{AccountId, RepositoryId};
use crate::name::Invalid;
use crate::obstacle::Obstacle;
use crate::queue::Stuck;
use crate::records::Unrecorded;
use crate::state::State;
use crate::state::repository::{Repository, Right};

pub use pulls::{EditPull, MergePull, OpenPull};
pub use queue::Queued;
pub(crate) use repositories::remove_leftovers;

/// Why something was not done.
#[derive(Debug, Error)]
pub enum Refused {
    /// A name is none.
    #[error(transparent)]
    Name(#[from] Invalid),
    /// It is not there.
    #[error("there is no {what} {name}")]
    Missing {
        /// Its kind.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// It is there already.
    #[error("there already is a {what} {name}")]
    Taken {
        /// Its kind.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The person may not.
    #[error("{login} may not write to the repository")]
    Forbidden {
        /// The person's login.
        login: String,
    },
    /// A pull request conflicts with its base.
    #[error("pull request {0} conflicts with its base")]
    Conflict(u64),
    /// A pull request's head is another than the one that was looked at.
    #[error("the head of pull request {0} was moved")]
    Moved(u64),
    /// A pull request cannot be merged yet.
    #[error(transparent)]
    Blocked(#[from] Obstacle),
    /// It is not in the state for that.
    #[error("{0}")]
    State(String),
    /// Git could not.
    #[error(transparent)]
    Git(#[from] GitError),
    /// It cannot be recorded.
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
}

impl Refused {
    fn missing(what: &'static str, name: impl ToString) -> Self {
        Self::Missing {
            what,
            name: name.to_string(),
        }
    }

    fn taken(what: &'static str, name: impl ToString) -> Self {
        Self::Taken {
            what,
            name: name.to_string(),
        }
    }
}

impl From<Stuck> for Refused {
    fn from(stuck: Stuck) -> Self {
        match stuck {
            Stuck::Git(error) => Self::Git(error),
            Stuck::Unrecorded(error) => Self::Unrecorded(error),
        }
    }
}

/// The account of that login.
fn account(state: &State, login: &str) -> Result<AccountId, Refused> {
    state
        .find_account(login)
        .map(|account| account.id)
        .ok_or_else(|| Refused::missing("account", login))
}

/// The repository `owner/name`.
fn repository<'state>(state: &'state State, name: &str) -> Result<&'state Repository, Refused> {
    name.split_once('/')
        .and_then(|(owner, name)| state.find_repository(owner, name))
        .ok_or_else(|| Refused::missing("repository", name))
}

/// Refuses a change of what is in an archived repository.
fn refuse_archived(repository: &Repository) -> Result<(), Refused> {
    if repository.is_archived() {
        let problem = format!("the repository {} is archived", repository.name);
        return Err(Refused::State(problem));
    }
    Ok(())
}

/// Refuses a person who may not write to a repository.
fn writer(
    state: &State,
    repository: &Repository,
    person: AccountId,
    login: &str,
) -> Result<(), Refused> {
    if state.role(repository, person).right() < Right::Push {
        return Err(Refused::Forbidden {
            login: login.to_owned(),
        });
    }
    Ok(())
}

impl Forge {
    fn repository_id(&self, name: &str) -> Result<RepositoryId, Refused> {
        Ok(repository(&self.shared.lock(), name)?.id)
    }
}
