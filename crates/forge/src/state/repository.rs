//! Repositories and the roles people have in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{AccountId, RepositoryId};
use crate::name::{Branch, Login, RepositoryName};

/// A repository: a bare git repository on disk and what belongs to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Repository {
    pub(crate) id: RepositoryId,
    pub(crate) owner: AccountId,
    pub(crate) name: RepositoryName,
    pub(crate) default_branch: Branch,
    /// The repository this is a fork of.
    pub(crate) parent: Option<RepositoryId>,
    pub(crate) standing: Standing,
    pub(crate) roles: BTreeMap<AccountId, Role>,
    /// Where the bare repository lies below the folder of all, if not at the place that [`folder`]
    /// gives: one that is renamed stays where it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) folder: Option<String>,
    #[serde(default)]
    pub(crate) activity: Activity,
    #[serde(default)]
    pub(crate) visibility: Visibility,
    /// Follows from the above, so that the data can be moved.
    #[serde(skip)]
    pub(crate) path: PathBuf,
    pub(crate) last_number: u64,
    pub(crate) created_at: Timestamp,
    pub(crate) pushed_at: Timestamp,
    /// Held while git or the forge changes refs, so that what changed is attributed to the one
    /// who changed it.
    #[serde(skip)]
    pub(crate) refs_lock: Arc<tokio::sync::Mutex<()>>,
}

impl Repository {
    pub(crate) fn is_archived(&self) -> bool {
        self.activity == Activity::Archived
    }

    /// Whether the App is in it where it is installed on the owner.
    pub(crate) fn has_app(&self) -> bool {
        self.standing == Standing::Here
    }
}

/// Whether a repository takes changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Activity {
    #[default]
    Active,
    /// Everything in it stays as it is.
    Archived,
}

/// Who may read a repository.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Who has a role in it.
    #[default]
    Private,
    /// Every account.
    Public,
}

impl Visibility {
    /// GitHub's word for it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Public => "public",
        }
    }
}

/// The folder in the data below which all bare repositories lie.
pub(crate) fn root(data: &Path) -> PathBuf {
    data.join("git")
}

/// Where the bare repository of that owner and name is made, below the folder of all.
pub(crate) fn folder(owner: &Login, name: &RepositoryName) -> String {
    format!("{owner}/{name}.git")
}

/// Where it is made if another one lies there that was renamed. No name has a `~` in it.
pub(crate) fn other_folder(owner: &Login, name: &RepositoryName, attempt: usize) -> String {
    format!("{owner}/{name}~{attempt}.git")
}

/// Whether a repository is there, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    /// For people, and for the App where it is installed on the owner.
    Here,
    /// For people only: the App was taken out of it.
    WithoutApp,
    /// For nobody. The record stays, so that what is under way finds it.
    Deleted,
}

/// What a person may do in a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Nothing: the repository does not exist for them.
    None,
    /// Clone, comment.
    Read,
    /// As read; manages issues on GitHub.
    Triage,
    /// Push.
    Write,
    /// As write; manages the repository on GitHub.
    Maintain,
    /// Everything.
    Admin,
    /// An organisation's own role with the rights of one of the above.
    Custom {
        /// The organisation's name for it, which the API reports as `role_name`.
        name: String,
        /// The role whose rights it has.
        base: Box<Role>,
    },
}

/// The rights GitHub knows, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Right {
    None,
    Pull,
    Triage,
    Push,
    Maintain,
    Admin,
}

impl Role {
    pub(crate) fn right(&self) -> Right {
        match self {
            Self::None => Right::None,
            Self::Read => Right::Pull,
            Self::Triage => Right::Triage,
            Self::Write => Right::Push,
            Self::Maintain => Right::Maintain,
            Self::Admin => Right::Admin,
            Self::Custom { base, .. } => base.right(),
        }
    }

    /// GitHub's `role_name`.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Triage => "triage",
            Self::Write => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
            Self::Custom { name, .. } => name,
        }
    }

    /// GitHub's legacy `permission`, which folds maintain into write and triage into read.
    pub(crate) fn permission(&self) -> &'static str {
        match self.right() {
            Right::None => "none",
            Right::Pull | Right::Triage => "read",
            Right::Push | Right::Maintain => "write",
            Right::Admin => "admin",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_legacy_permission_folds_maintain_and_triage() {
        assert_eq!(Role::Maintain.permission(), "write");
        assert_eq!(Role::Triage.permission(), "read");
        let custom = Role::Custom {
            name: "packager".to_owned(),
            base: Box::new(Role::Write),
        };
        assert_eq!((custom.name(), custom.permission()), ("packager", "write"));
    }
}
