//! Pull requests.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{AccountId, PullId, RepositoryId};
use crate::name::{Branch, Sha};

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullRequest {
    /// Its id, which is not its number.
    pub id: PullId,
    /// Its number within the repository.
    pub number: u64,
    /// The repository it wants to change.
    pub repository: RepositoryId,
    /// Its title.
    pub title: String,
    /// Its description.
    pub body: Option<String>,
    /// Who opened it.
    pub author: AccountId,
    /// Whether it is a draft, which cannot be merged.
    #[serde(default)]
    pub draft: bool,
    /// What it brings.
    pub head: Head,
    /// Where it wants to go.
    pub base: Base,
    /// Open, closed or merged.
    pub state: State,
    /// Whether it would merge now.
    pub mergeable: Mergeability,
    /// Whether GitHub would know that yet.
    #[serde(default)]
    pub(crate) computed: Computed,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The commits a pull request brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The repository they are in: the pull request's own or a fork.
    pub repository: RepositoryId,
    /// The branch in it.
    pub branch: Branch,
    /// Its newest commit.
    pub sha: Sha,
}

/// The branch a pull request wants to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// Its name.
    pub branch: Branch,
    /// Its newest commit when the head last changed.
    pub sha: Sha,
    /// Its newest commit, if that is another one by now.
    #[serde(default)]
    pub(crate) moved_to: Option<Sha>,
}

impl Base {
    pub(crate) const fn new(branch: Branch, sha: Sha) -> Self {
        Self {
            branch,
            sha,
            moved_to: None,
        }
    }

    /// Its newest commit.
    #[must_use]
    pub fn tip(&self) -> &Sha {
        self.moved_to.as_ref().unwrap_or(&self.sha)
    }

    /// Takes note of its newest commit, with a head that is still the same.
    pub(crate) fn follow(&mut self, tip: &Sha) {
        self.moved_to = (*tip != self.sha).then(|| tip.clone());
    }

    /// Takes note of another head.
    pub(crate) fn synchronize(&mut self) {
        if let Some(tip) = self.moved_to.take() {
            self.sha = tip;
        }
    }
}

/// The life of a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waiting.
    Open,
    /// Closed without a merge.
    Closed {
        /// When.
        at: Timestamp,
    },
    /// Merged into its base.
    Merged {
        /// When.
        at: Timestamp,
        /// By whom.
        by: AccountId,
        /// The commit that holds it on the base branch.
        commit: Sha,
    },
}

/// Whether a pull request merges without conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mergeability {
    /// It merges: the commit `refs/pull/N/merge` points to.
    Clean(Sha),
    /// It conflicts with its base.
    Conflicting,
}

/// Whether GitHub would know if a pull request merges. It finds out once somebody asks, so that the
/// first to ask after a change is told that it is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Computed {
    /// Nobody has asked since the head or the base changed.
    NotYet,
    /// Somebody has.
    #[default]
    Done,
}

impl PullRequest {
    /// Whether it is open.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        match self.state {
            State::Open => true,
            State::Closed { .. } | State::Merged { .. } => false,
        }
    }

    /// Whether its head lies in another repository.
    #[must_use]
    pub fn is_from_fork(&self) -> bool {
        self.head.repository != self.repository
    }
}
