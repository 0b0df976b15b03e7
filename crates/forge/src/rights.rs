//! What a person's role lets them do, as on GitHub. [`crate::Forge`]'s methods need no permission:
//! the pages and the REST calls ask here before they use one.

use thiserror::Error;

use crate::id::AccountId;
use crate::state::State;
use crate::state::repository::{Repository, Right};

/// What a person wants to do in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Copy it into an account of their own.
    Fork,
    /// Comment on a pull request or a commit of it.
    Comment,
    /// Open a pull request to it.
    OpenPull,
    /// Open a pull request from a branch of it.
    OfferBranch,
    /// Press Re-run, or a button of a check run.
    Press,
    /// Change the title, the text or the base of a pull request that this account opened.
    EditPull(AccountId),
    /// Close or reopen a pull request that this account opened.
    ClosePull(AccountId),
    /// Merge a pull request.
    Merge,
}

/// A person may not do something.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Denied {
    /// Their role does not suffice.
    #[error(
        "{login} may not {deed} in {repository}: that needs the role {needed} and {login} has {has}"
    )]
    Role {
        login: String,
        deed: &'static str,
        repository: String,
        /// The least role that would do.
        needed: &'static str,
        has: String,
    },
    /// Nobody may, as the repository takes no changes.
    #[error("nobody may {deed} in {repository}: it is archived")]
    Archived {
        deed: &'static str,
        repository: String,
    },
}

impl Denied {
    /// What GitHub's API says of it.
    pub(crate) fn github(&self) -> &'static str {
        match self {
            Self::Role { needed, .. } => match *needed {
                "read" => "Must have read access to repository",
                "triage" => "Must have triage access to repository",
                _ => "Must have push access to repository",
            },
            Self::Archived { .. } => ARCHIVED,
        }
    }
}

/// What GitHub says to the App and its tokens while an installation is suspended.
pub(crate) const SUSPENDED: &str = "This installation has been suspended";

/// What GitHub's API says to who would change what is in an archived repository.
pub(crate) const ARCHIVED: &str = "Repository was archived so is read-only.";

impl Deed {
    fn needs(self, person: AccountId) -> Right {
        match self {
            Self::Fork | Self::Comment | Self::OpenPull => Right::Pull,
            Self::EditPull(author) | Self::ClosePull(author) if author == person => Right::Pull,
            Self::ClosePull(_) => Right::Triage,
            Self::OfferBranch | Self::Press | Self::EditPull(_) | Self::Merge => Right::Push,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::Comment => "comment",
            Self::OpenPull => "open pull requests",
            Self::OfferBranch => "open pull requests from a branch",
            Self::Press => "press the buttons of checks",
            Self::EditPull(_) => "edit others' pull requests",
            Self::ClosePull(_) => "close or reopen others' pull requests",
            Self::Merge => "merge pull requests",
        }
    }
}

/// Refuses a person whose role does not suffice.
pub(crate) fn check(
    state: &State,
    repository: &Repository,
    person: AccountId,
    deed: Deed,
) -> Result<(), Denied> {
    if repository.is_archived() && deed != Deed::Fork {
        return Err(Denied::Archived {
            deed: deed.words(),
            repository: state.full_name(repository).to_string(),
        });
    }
    let role = state.role(repository, person);
    let needed = deed.needs(person);
    if role.right() >= needed {
        return Ok(());
    }
    Err(Denied::Role {
        login: state.account(person).login.to_string(),
        deed: deed.words(),
        repository: state.full_name(repository).to_string(),
        needed: match needed {
            Right::None | Right::Pull => "read",
            Right::Triage => "triage",
            Right::Push => "write",
            Right::Maintain => "maintain",
            Right::Admin => "admin",
        },
        has: match role.right() {
            Right::None => "none".to_owned(),
            Right::Pull | Right::Triage | Right::Push | Right::Maintain | Right::Admin => {
                role.name().to_owned()
            }
        },
    })
}
