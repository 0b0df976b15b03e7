//! Check runs, their annotations, and the suites that gather them.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::id::{CheckRunId, CheckSuiteId, RepositoryId};
use crate::name::Sha;

/// A check run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRun {
    /// Its id.
    pub id: CheckRunId,
    /// The repository its commit is in.
    pub repository: RepositoryId,
    /// The suite it belongs to.
    pub suite: CheckSuiteId,
    /// The commit it is about.
    pub head_sha: Sha,
    /// Its name: on one commit the newest of a name counts.
    pub name: String,
    /// The App's own id for it.
    pub external_id: Option<String>,
    /// Where its details are.
    pub details_url: Option<String>,
    /// How far it is.
    pub status: Status,
    /// When it began.
    pub started_at: Timestamp,
    /// What it says.
    pub output: Output,
    /// The annotations, in the order they came.
    pub annotations: Vec<Annotation>,
    /// Its buttons, shown once it is completed.
    pub actions: Vec<Action>,
}

/// How far a check run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waiting.
    Queued,
    /// Running.
    InProgress,
    /// Ended.
    Completed {
        /// How it ended.
        conclusion: Conclusion,
        /// When it ended.
        at: Timestamp,
    },
}

/// How a check run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words are GitHub's and say it all")]
pub enum Conclusion {
    ActionRequired,
    Cancelled,
    Failure,
    Neutral,
    Success,
    Skipped,
    /// It did not for fourteen days. No App can say so.
    Stale,
    TimedOut,
}

/// What a check run says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Its headline.
    pub title: Option<String>,
    /// Its summary, in Markdown.
    pub summary: Option<String>,
    /// Its details, in Markdown.
    pub text: Option<String>,
}

/// A remark on lines of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// The file, from the root of the repository.
    pub path: String,
    /// The first line.
    pub start_line: u64,
    /// The last line.
    pub end_line: u64,
    /// The first column; only on a single line.
    pub start_column: Option<u64>,
    /// The last column; only on a single line.
    pub end_column: Option<u64>,
    /// How grave it is.
    pub annotation_level: AnnotationLevel,
    /// What it says: at most 64 KB.
    pub message: String,
    /// Its headline: at most 255 characters.
    pub title: Option<String>,
    /// Details: at most 64 KB.
    pub raw_details: Option<String>,
}

/// How grave an annotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words are GitHub's and say it all")]
pub enum AnnotationLevel {
    Notice,
    Warning,
    Failure,
}

/// A button of a completed check run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// What the button says: at most 20 characters.
    pub label: String,
    /// What it does: at most 40 characters.
    pub description: String,
    /// What the App is told when it is pressed: at most 20 characters.
    pub identifier: String,
}

/// All check runs of the App on one commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Suite {
    pub(crate) id: CheckSuiteId,
    pub(crate) repository: RepositoryId,
    pub(crate) head_sha: Sha,
    pub(crate) head_branch: Option<String>,
    pub(crate) created_at: Timestamp,
}

impl Status {
    /// GitHub's word for it.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::Completed { .. } => "completed",
        }
    }

    /// How it ended, once it has.
    #[must_use]
    pub const fn conclusion(&self) -> Option<Conclusion> {
        match self {
            Self::Completed { conclusion, .. } => Some(*conclusion),
            Self::Queued | Self::InProgress => None,
        }
    }

    /// When it ended, once it has.
    #[must_use]
    pub const fn completed_at(&self) -> Option<Timestamp> {
        match self {
            Self::Completed { at, .. } => Some(*at),
            Self::Queued | Self::InProgress => None,
        }
    }
}

impl Conclusion {
    /// GitHub's word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ActionRequired => "action_required",
            Self::Cancelled => "cancelled",
            Self::Failure => "failure",
            Self::Neutral => "neutral",
            Self::Success => "success",
            Self::Skipped => "skipped",
            Self::Stale => "stale",
            Self::TimedOut => "timed_out",
        }
    }
}

/// As long as a check run may be unfinished.
const LIFE: SignedDuration = SignedDuration::from_hours(14 * 24);

impl CheckRun {
    /// Whether it is unfinished and too old for that.
    pub(crate) fn is_overdue(&self, now: Timestamp) -> bool {
        self.status.conclusion().is_none() && now.duration_since(self.started_at) >= LIFE
    }
}

impl Conclusion {
    /// How a suite ended whose runs ended so: like the gravest of them.
    pub(crate) fn of_suite(runs: impl IntoIterator<Item = Self>) -> Option<Self> {
        runs.into_iter()
            .max_by_key(|conclusion| conclusion.gravity())
    }

    const fn gravity(self) -> u8 {
        match self {
            Self::Skipped => 0,
            Self::Neutral => 1,
            Self::Success => 2,
            Self::Stale => 3,
            Self::Cancelled => 4,
            Self::ActionRequired => 5,
            Self::TimedOut => 6,
            Self::Failure => 7,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_ends_like_the_gravest_of_its_runs() {
        use Conclusion::{Failure, Skipped, Success, TimedOut};
        assert_eq!(
            Conclusion::of_suite([Success, Failure, TimedOut]),
            Some(Failure)
        );
        assert_eq!(Conclusion::of_suite([Skipped, Success]), Some(Success));
        assert_eq!(Conclusion::of_suite([Skipped]), Some(Skipped));
        assert_eq!(Conclusion::of_suite([]), None);
    }
}
