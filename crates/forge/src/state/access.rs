//! Tokens: who shows which, what an installation token may do, and when it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::id::{AccountId, InstallationId, RepositoryId};
use crate::state::table::Table;

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) installation: InstallationId,
    pub(crate) repositories: Selection,
    pub(crate) permissions: Permissions,
    pub(crate) expires_at: Timestamp,
}

/// The repositories an installation token reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Selection {
    /// All of the installation, those made later too.
    All,
    /// These.
    Some(BTreeSet<RepositoryId>),
}

/// The SHA-256 of a token: what is kept of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TokenDigest([u8; 32]);

impl TokenDigest {
    pub(crate) fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(…)")
    }
}

impl moss_db::Key for TokenDigest {
    type Item = Self;

    fn encode(item: &Self, out: &mut Vec<u8>) {
        <[u8; 32] as moss_db::Key>::encode(&item.0, out);
    }

    fn decode(input: &mut moss_db::Reader<'_>) -> Result<Self, moss_db::KeyError> {
        <[u8; 32] as moss_db::Key>::decode(input).map(Self)
    }
}

/// Whose a person's token is, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UserToken {
    user: AccountId,
    origin: Origin,
}

/// Where a person's token comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Origin {
    /// The configuration has it: it ends when the configuration has it no more.
    Configured,
    /// It was given out. It does not end.
    Given,
}

/// All tokens, by their digests.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    pub(crate) grants: Table<TokenDigest, Grant>,
    pub(crate) users: Table<TokenDigest, UserToken>,
}

impl Tokens {
    /// Makes a token with a grant.
    pub(crate) fn mint(&mut self, grant: Grant, now: Timestamp) -> String {
        self.grants.retain(|_, grant| grant.expires_at > now);
        let token = format!("ghs_{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.grants.insert(TokenDigest::of(&token), grant);
        token
    }

    /// Makes a token of a user, which does not end.
    pub(crate) fn mint_user(&mut self, user: AccountId) -> String {
        let token = format!("ghp_{}", Uuid::new_v4().simple());
        self.give_user(&token, user);
        token
    }

    /// Gives a user a token chosen by the caller, which does not end.
    pub(crate) fn give_user(&mut self, token: &str, user: AccountId) {
        let origin = Origin::Given;
        self.put_user(TokenDigest::of(token), UserToken { user, origin });
    }

    /// Takes the tokens of the configuration in the place of those that it had at an earlier start.
    pub(crate) fn configure(&mut self, tokens: &BTreeMap<TokenDigest, AccountId>) {
        self.users.retain(|digest, token| match token.origin {
            Origin::Configured => tokens.contains_key(digest),
            Origin::Given => true,
        });
        for (digest, user) in tokens {
            let (user, origin) = (*user, Origin::Configured);
            self.put_user(*digest, UserToken { user, origin });
        }
    }

    fn put_user(&mut self, digest: TokenDigest, token: UserToken) {
        if self.users.get(&digest) != Some(&token) {
            self.users.insert(digest, token);
        }
    }

    /// What a token that still holds may do.
    pub(crate) fn find_grant(&self, token: &str, now: Timestamp) -> Option<&Grant> {
        self.grants
            .get(&TokenDigest::of(token))
            .filter(|grant| grant.expires_at > now)
    }

    pub(crate) fn find_user(&self, token: &str) -> Option<AccountId> {
        let found = self.users.get(&TokenDigest::of(token))?;
        Some(found.user)
    }

    /// Ends the tokens of one installation.
    pub(crate) fn revoke(&mut self, installation: InstallationId) {
        self.grants
            .retain(|_, grant| grant.installation != installation);
    }

    /// Ends all installation tokens at once.
    pub(crate) fn revoke_installations(&mut self) {
        self.grants.retain(|_, _| false);
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
