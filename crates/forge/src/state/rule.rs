//! What keeps a pull request from being merged, besides a conflict.

use thiserror::Error;

use crate::state::pull::PullRequest;

/// Why a pull request without a conflict cannot be merged. The words are GitHub's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Obstacle {
    /// It is a draft.
    #[error("Pull Request is still a draft")]
    Draft,
}

/// What keeps a pull request from being merged.
pub(crate) fn find_obstacle(pull: &PullRequest) -> Option<Obstacle> {
    pull.draft.then_some(Obstacle::Draft)
}
