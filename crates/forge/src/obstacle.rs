//! What keeps a pull request from being merged, besides a conflict.

use std::fmt;

use thiserror::Error;

use crate::id::RepositoryId;
use crate::name::Sha;
use crate::state::State;
use crate::state::check_run::{Conclusion, Status};
use crate::state::pull::PullRequest;
use crate::state::rule::RequiredCheck;

/// Why a pull request without a conflict cannot be merged. The words are GitHub's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Obstacle {
    /// It is a draft.
    #[error("Pull Request is still a draft")]
    Draft,
    /// A check that its base branch requires has not passed on its head.
    #[error("Required status check \"{name}\" is {standing}.")]
    Check {
        /// The check's name.
        name: String,
        /// How it stands.
        standing: Standing,
    },
}

/// How a required check stands on a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is no check run of that name.
    Expected,
    /// Its newest check run waits.
    Queued,
    /// Its newest check run is running.
    InProgress,
    /// Its newest check run ended in another way than success, neutral or skipped.
    Failing,
    /// Its newest check run ended as success, neutral or skipped.
    Passed,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expected => "expected",
            Self::Queued => "queued",
            Self::InProgress => "in progress",
            Self::Failing => "failing",
            Self::Passed => "successful",
        })
    }
}

/// What keeps a pull request from being merged: the first obstacle, if there is any.
pub(crate) fn find(state: &State, pull: &PullRequest) -> Option<Obstacle> {
    if pull.draft {
        return Some(Obstacle::Draft);
    }
    required(state, pull).iter().find_map(|check| {
        let standing = standing(state, pull.repository, &pull.head.sha, check);
        let name = check.name.clone();
        (standing != Standing::Passed).then_some(Obstacle::Check { name, standing })
    })
}

/// The checks that the base branch of a pull request requires.
fn required<'state>(state: &'state State, pull: &PullRequest) -> &'state [RequiredCheck] {
    let rule = state.find_rule(pull.repository, &pull.base.branch);
    rule.map(|rule| rule.checks.as_slice()).unwrap_or_default()
}

/// How a required check stands on a commit: its newest run counts.
fn standing(state: &State, repository: RepositoryId, sha: &Sha, check: &RequiredCheck) -> Standing {
    let newest = state
        .runs_on(repository, sha)
        .find(|run| run.name == check.name);
    match newest.map(|run| run.status) {
        None => Standing::Expected,
        Some(Status::Queued) => Standing::Queued,
        Some(Status::InProgress) => Standing::InProgress,
        Some(Status::Completed { conclusion, .. }) => match conclusion {
            Conclusion::Success | Conclusion::Neutral | Conclusion::Skipped => Standing::Passed,
            Conclusion::ActionRequired
            | Conclusion::Cancelled
            | Conclusion::Failure
            | Conclusion::TimedOut => Standing::Failing,
        },
    }
}
