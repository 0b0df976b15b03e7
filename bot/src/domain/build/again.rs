//! Whether a person can have a build again.

use super::{Build, By, FailureKind, Hold, NotAgain, State};

impl Build {
    /// Why a person cannot have the build again, as far as the build tells.
    pub fn why_not_again(&self) -> Option<NotAgain> {
        // Who asks may write, but did not say that this author's commit may be run.
        if !self.permits_running() {
            return Some(NotAgain::Unapproved);
        }
        match &self.state {
            State::Failed(failure) => {
                (failure.kind == FailureKind::Recipe).then_some(NotAgain::SameRecipe)
            }
            State::Cancelled { by, .. } => match by {
                By::RepositoryGone => Some(NotAgain::RepositoryGone),
                By::Person { .. } | By::PullClosed | By::AlreadyPublished { .. } => None,
            },
            State::Published { .. } => None,
            State::Held { by, .. } => match by {
                Hold::Needs { .. } | Hold::Suspected { .. } | Hold::Scattered { .. } => None,
                Hold::Approval { .. } => Some(NotAgain::Unapproved),
                Hold::TooLarge { .. } => Some(NotAgain::SameRecipe),
                Hold::Build { .. } => Some(NotAgain::Held),
            },
            State::Built(_) if !self.target.is_published() => None,
            State::Built(_)
            | State::Planned
            | State::Waiting { .. }
            | State::Queued { .. }
            | State::Building { .. }
            | State::Publishing { .. } => Some(NotAgain::UnderWay),
            State::Superseded { .. } => Some(NotAgain::Superseded),
        }
    }
}
