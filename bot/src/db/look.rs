//! Wishes to look at a target, and what pull requests were planned against.

use api::id::CommitSha;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::build::{Conflict, Target};
use crate::domain::name::RepositoryId;

/// A wish to look at a target again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// The repository.
    pub repository: RepositoryId,
    /// What to look at.
    pub target: Target,
    /// How many wishes came in.
    pub count: u64,
    /// How many looks at it in a row were begun and did not come back, because the process ended.
    #[serde(default)]
    pub unreturned: u32,
    /// When the last one was begun.
    #[serde(default)]
    pub begun_at: Option<Timestamp>,
    /// What the last one failed with, when it is to be repeated.
    #[serde(default)]
    pub failure: Option<LookFailure>,
}

/// A look that has to be repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookFailure {
    /// How many looks in a row failed.
    pub times: u32,
    /// What the last one failed with, for people.
    pub reason: String,
    /// When it is repeated; a new wish does not wait for that.
    pub again_at: Timestamp,
}

impl Look {
    /// How many looks may be cut off before the target is set aside.
    pub const MAX_UNRETURNED: u32 = 3;

    /// How long it is set aside then, until it is tried once more.
    const ASIDE: SignedDuration = SignedDuration::from_hours(1);

    /// The pause after the first look that failed; after each further one it is twice as long, …
    const FIRST_PAUSE: SignedDuration = SignedDuration::from_millis(250);

    /// … up to this.
    const LAST_PAUSE: SignedDuration = SignedDuration::from_mins(2);

    /// When it may be begun. One that did not come back too often is set aside: something in the
    /// target may be what ends the process, and then looking again at each start would keep
    /// everything else from being done.
    pub fn due_at(&self) -> Timestamp {
        let aside = (self.unreturned >= Self::MAX_UNRETURNED)
            .then_some(self.begun_at)
            .flatten()
            .map(|begun| begun.saturating_add(Self::ASIDE).unwrap_or(Timestamp::MAX));
        let again = self.failure.as_ref().map(|failure| failure.again_at);
        aside.max(again).unwrap_or(Timestamp::MIN)
    }

    /// True when it may be begun.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.due_at() <= now
    }

    /// Notes that the look failed at `now`.
    pub(super) fn fail(&mut self, reason: String, now: Timestamp) {
        let before = self.failure.as_ref().map_or(0, |failure| failure.times);
        let pause = Self::FIRST_PAUSE
            .saturating_mul(2_i32.saturating_pow(before))
            .min(Self::LAST_PAUSE);
        self.failure = Some(LookFailure {
            times: before.saturating_add(1),
            reason,
            again_at: now.saturating_add(pause).unwrap_or(Timestamp::MAX),
        });
    }
}

/// What a pull request would be merged into, as it was when it was last looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// The head.
    pub head: CommitSha,
    /// The branch that it goes to.
    pub branch: String,
    /// That branch's head.
    pub tip: CommitSha,
    /// Where the two part; none when they have nothing in common.
    pub base: Option<CommitSha>,
    /// Why they cannot be merged, if that is so.
    pub conflict: Option<Conflict>,
}
