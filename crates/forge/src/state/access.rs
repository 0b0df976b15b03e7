//! Tokens: who shows which, what an installation token may do, and when it ends.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::id::{AccountId, InstallationId, RepositoryId};

/// A permission of a GitHub App that the forge enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words are GitHub's and say it all")]
pub enum Permission {
    Actions,
    Administration,
    Checks,
    Contents,
    Deployments,
    Issues,
    Members,
    MergeQueues,
    Metadata,
    PullRequests,
    Statuses,
    Workflows,
}

/// How far a permission goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Look.
    Read,
    /// Look and change.
    Write,
}

/// Permissions with their levels, as GitHub writes them.
pub type Permissions = BTreeMap<Permission, Level>;

/// What an installation token may do.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) installation: InstallationId,
    pub(crate) repositories: Selection,
    pub(crate) permissions: Permissions,
    pub(crate) expires_at: Timestamp,
}

/// The repositories an installation token reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All of the installation, those made later too.
    All,
    /// These.
    Some(BTreeSet<RepositoryId>),
}

/// All tokens.
#[derive(Default)]
pub(crate) struct Tokens {
    installations: HashMap<String, Grant>,
    users: HashMap<String, AccountId>,
}

impl Tokens {
    /// Makes a token with a grant.
    pub(crate) fn mint(&mut self, grant: Grant, now: Timestamp) -> String {
        self.installations.retain(|_, grant| grant.expires_at > now);
        let token = format!("ghs_{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.installations.insert(token.clone(), grant);
        token
    }

    /// Makes a token of a user, which does not end.
    pub(crate) fn mint_user(&mut self, user: AccountId) -> String {
        let token = format!("ghp_{}", Uuid::new_v4().simple());
        self.users.insert(token.clone(), user);
        token
    }

    /// Gives a user a token chosen by the configuration.
    pub(crate) fn insert_user(&mut self, token: String, user: AccountId) {
        self.users.insert(token, user);
    }

    /// What a token that still holds may do.
    pub(crate) fn find_grant(&self, token: &str, now: Timestamp) -> Option<&Grant> {
        self.installations
            .get(token)
            .filter(|grant| grant.expires_at > now)
    }

    pub(crate) fn find_user(&self, token: &str) -> Option<AccountId> {
        self.users.get(token).copied()
    }

    /// Ends all installation tokens at once.
    pub(crate) fn revoke_installations(&mut self) {
        self.installations.clear();
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("installations", &self.installations.len())
            .field("users", &self.users.len())
            .finish()
    }
}

impl Grant {
    pub(crate) fn reaches(&self, repository: RepositoryId) -> bool {
        match &self.repositories {
            Selection::All => true,
            Selection::Some(repositories) => repositories.contains(&repository),
        }
    }

    pub(crate) fn allows(&self, permission: Permission, level: Level) -> bool {
        self.permissions
            .get(&permission)
            .is_some_and(|granted| *granted >= level)
    }
}
