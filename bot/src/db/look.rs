//! Wishes for looks, and the bases of pull requests at their last look.

use api::id::CommitSha;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::build::{Conflict, Target};
use crate::domain::name::RepositoryId;

/// A wish for a look at a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// The repository.
    pub repository: RepositoryId,
    /// The target. A branch is the default branch or the base branch of pull requests.
    pub target: Target,
    /// How many wishes were made.
    pub count: u64,
    /// How many looks in a row started and never ended, because the process ended first.
    #[serde(default)]
    pub unreturned: u32,
    /// When the last look started.
    #[serde(default)]
    pub begun_at: Option<Timestamp>,
    /// The failure of the last look, if it failed.
    #[serde(default)]
    pub failure: Option<LookFailure>,
    /// The heads that webhooks reported since the last look, the latest ones.
    #[serde(default)]
    pub heads: Vec<Reported>,
}

/// A head that a webhook reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// The commit.
    pub commit: CommitSha,
    /// When it became the head, by GitHub's clock.
    pub at: Timestamp,
}

/// The failure of a look, and its retry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookFailure {
    /// How many looks in a row failed.
    pub times: u32,
    /// The error of the last one, for people.
    pub reason: String,
    /// When summit retries. A new wish does not wait until then.
    pub again_at: Timestamp,
}

impl Look {
    /// After this many unreturned looks the target is set aside.
    pub const MAX_UNRETURNED: u32 = 3;

    /// How long it is set aside before each further try.
    const ASIDE: SignedDuration = SignedDuration::from_hours(1);

    /// The pause after the first failed look. It doubles after each further failure.
    const FIRST_PAUSE: SignedDuration = SignedDuration::from_millis(250);

    /// The longest pause.
    const LAST_PAUSE: SignedDuration = SignedDuration::from_mins(2);

    /// How many reported heads a wish keeps.
    const MAX_HEADS: usize = 16;

    /// When a commit became the head, as far as webhooks told.
    pub fn since(&self, commit: CommitSha) -> Option<Timestamp> {
        let reports = self.heads.iter().filter(|report| report.commit == commit);
        reports.map(|report| report.at).max()
    }

    /// Adds a reported head.
    pub(super) fn report(&mut self, head: Reported) {
        self.heads
            .retain(|known| known.commit != head.commit || known.at > head.at);
        if !self.heads.iter().any(|known| known.commit == head.commit) {
            self.heads.push(head);
        }
        let older = self.heads.len().saturating_sub(Self::MAX_HEADS);
        self.heads.drain(..older);
    }

    /// When the look may start. A target with too many unreturned looks is set aside: the target
    /// itself may crash the process, and a look at each start would block all other work.
    pub fn due_at(&self) -> Timestamp {
        let aside = (self.unreturned >= Self::MAX_UNRETURNED)
            .then_some(self.begun_at)
            .flatten()
            .map(|begun| begun.saturating_add(Self::ASIDE).unwrap_or(Timestamp::MAX));
        let again = self.failure.as_ref().map(|failure| failure.again_at);
        aside.max(again).unwrap_or(Timestamp::MIN)
    }

    /// True when the look may start.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.due_at() <= now
    }

    /// Records that the look failed at `now`, and sets the time of the retry.
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

/// A pull request and its base branch at the last look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// The head of the pull request.
    pub head: CommitSha,
    /// The base branch.
    pub branch: String,
    /// The head of the base branch.
    pub tip: CommitSha,
    /// The merge base; none when the two have no common ancestor.
    pub base: Option<CommitSha>,
    /// The merge conflict, if there is one.
    pub conflict: Option<Conflict>,
}
