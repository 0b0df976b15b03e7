//! Merge queues: which pull requests wait in which order, and the groups that were made of them.

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, Numbered, Sequence};
use crate::name::{Branch, Sha};

/// Where a pull request stands in its queue. The lower one is before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Place(u64);

impl Numbered for Place {
    const SEQUENCE: Sequence = Sequence::QueuePlaces;

    fn numbered(number: u64) -> Self {
        Self(number)
    }
}

/// A pull request in the queue of its base branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) place: Place,
    pub(crate) branch: Branch,
    /// Who put it there.
    pub(crate) by: AccountId,
    /// Its head then: with another one it leaves the queue.
    pub(crate) head: Sha,
    pub(crate) group: Option<Group>,
    /// Why it is to leave the queue.
    pub(crate) leaves: Option<Reason>,
}

/// The merge of a pull request with all that is before it, on a branch of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    /// What it was merged onto: the base, or the group before it.
    pub(crate) base: Sha,
    pub(crate) head: Sha,
    pub(crate) stage: Stage,
}

/// How far a group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// Its commit is there. Its branch may be.
    Made,
    /// Its branch is there, and checks were asked for.
    Asked,
}

/// Why a pull request leaves the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// It is merged as its group.
    Merged,
    /// It was merged in another way.
    AlreadyMerged,
    /// It was closed, changed or sent elsewhere.
    Changed,
    /// Somebody took it out.
    Manual,
    /// It conflicts with what is before it.
    Conflict,
    /// A required check failed.
    Failure,
    /// A required check did not end in time.
    Timeout,
    /// The branch has no queue any more.
    Cleared,
}

impl Entry {
    /// The branch of a group that is merged onto `base`.
    pub(crate) fn group_branch(&self, number: u64, base: &Sha) -> Branch {
        format!("gh-readonly-queue/{}/pr-{number}-{base}", self.branch)
            .parse()
            .expect("a branch with more parts around it is a branch")
    }
}

impl Reason {
    /// The `reason` of `pull_request` `dequeued`.
    pub(crate) const fn of_pull(self) -> &'static str {
        match self {
            Self::Merged => "MERGE",
            Self::AlreadyMerged => "ALREADY_MERGED",
            Self::Changed => "UNKNOWN_REMOVAL_REASON",
            Self::Manual => "MANUAL",
            Self::Conflict => "MERGE_CONFLICT",
            Self::Failure => "CI_FAILURE",
            Self::Timeout => "CI_TIMEOUT",
            Self::Cleared => "QUEUE_CLEARED",
        }
    }

    /// The `reason` of `merge_group` `destroyed`.
    pub(crate) const fn of_group(self) -> &'static str {
        match self {
            Self::Merged => "merged",
            Self::AlreadyMerged | Self::Changed | Self::Manual => "dequeued",
            Self::Conflict | Self::Failure | Self::Timeout | Self::Cleared => "invalidated",
        }
    }
}
