//! Heads: commits that a branch, a pull request or a merge group has as its newest one.
//!
//! Each head has one check run, `snekbook`, whatever it changes. A branch rule can require it. One
//! commit can head several targets, as after a fast-forward; its check run then speaks of all.

use api::id::CommitSha;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::build::{Build, Shown, Target};
use super::name::RepositoryId;

/// A commit of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeadId {
    /// The repository.
    pub repository: RepositoryId,
    /// The commit.
    pub commit: CommitSha,
}

impl From<&Build> for HeadId {
    /// The head that the check run of a build belongs to.
    fn from(build: &Build) -> Self {
        Self {
            repository: build.repository,
            commit: build.commit,
        }
    }
}

/// A head, and what GitHub shows of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// When summit planned it first.
    pub created_at: Timestamp,
    /// The targets that have it as their head; empty once all have moved on.
    pub targets: Vec<HeadTarget>,
    /// The branches that were planned for it and have moved on: their builds go on, unless newer
    /// ones take their place.
    #[serde(default)]
    pub former: Vec<HeadTarget>,
    /// What GitHub shows.
    pub shown: Shown,
}

/// A target and its head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadTarget {
    /// The target.
    pub target: Target,
    /// When the commit became the head, by GitHub's clock; none when summit cannot tell.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// False while the builds are still being planned.
    pub is_planned: bool,
}

impl Head {
    /// A head without targets.
    pub fn new(created_at: Timestamp) -> Self {
        Self {
            created_at,
            targets: Vec::new(),
            former: Vec::new(),
            shown: Shown::default(),
        }
    }

    /// The entry of a target.
    pub fn find(&self, target: &Target) -> Option<&HeadTarget> {
        self.targets.iter().find(|of| of.target == *target)
    }

    /// Adds a target, or replaces its entry. A known time stays. False when nothing changes.
    pub fn put(&mut self, mut new: HeadTarget) -> bool {
        self.former.retain(|of| of.target != new.target);
        let Some(known) = self.targets.iter_mut().find(|of| of.target == new.target) else {
            self.targets.push(new);
            self.targets.sort_by(|a, b| a.target.cmp(&b.target));
            return true;
        };
        new.since = known.since.or(new.since);
        let is_changed = *known != new;
        *known = new;
        is_changed
    }

    /// Removes a target. False when it was not there.
    pub fn remove(&mut self, target: &Target) -> bool {
        let place = self.targets.iter().position(|of| of.target == *target);
        let Some(of) = place.map(|place| self.targets.remove(place)) else {
            return false;
        };
        let goes_on = of.is_planned && of.target.is_published();
        self.former.extend(goes_on.then_some(of));
        true
    }
}
