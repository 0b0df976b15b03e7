//! What keeps a pull request from being merged, besides a conflict.

use std::fmt;

use thiserror::Error;

use crate::id::RepositoryId;
use crate::name::{Branch, Sha};
use crate::state::State;
use crate::state::check_run::{Conclusion, Status};
use crate::state::pull::PullRequest;

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
    /// Its base branch has a merge queue.
    #[error("Changes must be made through the merge queue")]
    Queue,
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

/// What keeps a pull request from being merged in any way: the first obstacle, if there is one.
pub(crate) fn find(state: &State, pull: &PullRequest) -> Option<Obstacle> {
    if pull.draft {
        return Some(Obstacle::Draft);
    }
    standings(state, pull.repository, &pull.base.branch, &pull.head.sha)
        .find(|(_, standing)| *standing != Standing::Passed)
        .map(|(name, standing)| Obstacle::Check {
            name: name.to_owned(),
            standing,
        })
}

/// As [`find`], and what keeps it from being merged without a merge queue.
pub(crate) fn find_direct(state: &State, pull: &PullRequest) -> Option<Obstacle> {
    if state.has_queue(pull.repository, &pull.base.branch) {
        return Some(Obstacle::Queue);
    }
    find(state, pull)
}

/// The checks that a branch requires, and how each stands on a commit.
pub(crate) fn standings<'state>(
    state: &'state State,
    repository: RepositoryId,
    branch: &Branch,
    sha: &'state Sha,
) -> impl Iterator<Item = (&'state str, Standing)> + use<'state> {
    let rule = state.find_rule(repository, branch);
    let checks = rule.map(|rule| rule.checks.as_slice()).unwrap_or_default();
    checks.iter().map(move |check| {
        let standing = standing(state, repository, sha, &check.name);
        (check.name.as_str(), standing)
    })
}

/// How a required check stands on a commit: its newest run counts.
fn standing(state: &State, repository: RepositoryId, sha: &Sha, name: &str) -> Standing {
    let newest = state.runs_on(repository, sha).find(|run| run.name == name);
    match newest.map(|run| run.status) {
        None => Standing::Expected,
        Some(Status::Queued) => Standing::Queued,
        Some(Status::InProgress) => Standing::InProgress,
        Some(Status::Completed { conclusion, .. }) => match conclusion {
            Conclusion::Success | Conclusion::Neutral | Conclusion::Skipped => Standing::Passed,
            Conclusion::ActionRequired
            | Conclusion::Cancelled
            | Conclusion::Failure
            | Conclusion::Stale
            | Conclusion::TimedOut => Standing::Failing,
        },
    }
}
