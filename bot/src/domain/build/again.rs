//! Whether a person can have a build rebuilt.

use super::{Build, By, FailureKind, Hold, NotAgain, State};

impl Build {
    /// Why the build cannot be rebuilt, judged by the build alone; none when it can.
    pub fn why_not_again(&self) -> Option<NotAgain> {
        // The asker may write, but asking for a rebuild does not approve an outsider's commit.
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
