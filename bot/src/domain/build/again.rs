//! Whether a person can have a build rebuilt.

use super::{Build, By, FailureKind, Hold, NoRebuild, Scope, State};

impl Build {
    /// Why the build cannot be rebuilt, judged by the build alone; none when it can.
    pub fn why_no_rebuild(&self) -> Option<NoRebuild> {
        // The asker may write, but asking for a rebuild does not approve an outsider's commit.
        if !self.permits_running() {
            return Some(NoRebuild::Unapproved);
        }
        // It stands for all recipes of a head, which were not planned.
        if self.scope != Scope::Recipe {
            return Some(NoRebuild::SameRecipe);
        }
        match &self.state {
            State::Failed(failure) => {
                (failure.kind == FailureKind::Recipe).then_some(NoRebuild::SameRecipe)
            }
            State::Cancelled { by, .. } => match by {
                By::RepositoryGone => Some(NoRebuild::RepositoryGone),
                By::Person { .. }
                | By::PullClosed
                | By::GroupGone
                | By::AlreadyPublished { .. } => None,
            },
            State::Published { .. } => None,
            State::Held { by, .. } => match by {
                Hold::Needs { .. } | Hold::Suspected { .. } | Hold::Scattered { .. } => None,
                Hold::Draft => None,
                Hold::Approval(_) => Some(NoRebuild::Unapproved),
                Hold::TooLarge { .. } => Some(NoRebuild::SameRecipe),
                Hold::Build { .. } => Some(NoRebuild::Held),
            },
            State::Built(_) if !self.target.is_published() => None,
            State::Built(_)
            | State::Planned
            | State::Waiting { .. }
            | State::Queued { .. }
            | State::Building { .. }
            | State::Publishing { .. } => Some(NoRebuild::UnderWay),
            State::Superseded { .. } => Some(NoRebuild::Superseded),
        }
    }
}
