//! A build's state without what belongs to it: for lists, counts and what others make of it.

use super::{Build, By, State};

/// Which state it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// See [`State::Planned`].
    Planned,
    /// See [`State::Waiting`].
    Waiting,
    /// See [`State::Queued`].
    Queued,
    /// See [`State::Building`].
    Building,
    /// See [`State::Built`].
    Built,
    /// See [`State::Publishing`].
    Publishing,
    /// See [`State::Published`].
    Published,
    /// See [`State::Held`].
    Held,
    /// See [`State::Failed`].
    Failed,
    /// See [`State::Cancelled`].
    Cancelled,
    /// See [`State::Superseded`].
    Superseded,
}

impl Stage {
    /// Its name in errors, logs and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Waiting => "waiting",
            Self::Queued => "queued",
            Self::Building => "building",
            Self::Built => "built",
            Self::Publishing => "publishing",
            Self::Published => "published",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
        }
    }

    /// True for the states that the scheduler decides between, by what comes before.
    pub fn is_scheduled(self) -> bool {
        match self {
            Self::Planned | Self::Waiting | Self::Queued | Self::Held => true,
            Self::Building
            | Self::Built
            | Self::Publishing
            | Self::Published
            | Self::Failed
            | Self::Cancelled
            | Self::Superseded => false,
        }
    }
}

impl State {
    /// Which state it is.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Planned => Stage::Planned,
            Self::Waiting { .. } => Stage::Waiting,
            Self::Queued { .. } => Stage::Queued,
            Self::Building { .. } => Stage::Building,
            Self::Built(_) => Stage::Built,
            Self::Publishing { .. } => Stage::Publishing,
            Self::Published { .. } => Stage::Published,
            Self::Held { .. } => Stage::Held,
            Self::Failed(_) => Stage::Failed,
            Self::Cancelled { .. } => Stage::Cancelled,
            Self::Superseded { .. } => Stage::Superseded,
        }
    }
}

/// What a build means to those that come after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bearing {
    /// It is under way.
    Open,
    /// It is built, which is enough for the members of its cycle.
    Built,
    /// Those that come after can go on.
    Success,
    /// It will not succeed by itself.
    Dead,
}

impl Build {
    /// What it means to those that come after it.
    pub fn bearing(&self) -> Bearing {
        match &self.state {
            State::Published { .. } => Bearing::Success,
            // The channel had it all along.
            State::Cancelled {
                by: By::AlreadyPublished { .. },
                ..
            } => Bearing::Success,
            State::Built(_) if !self.target.is_published() => Bearing::Success,
            State::Built(_) | State::Publishing { .. } => Bearing::Built,
            State::Planned
            | State::Waiting { .. }
            | State::Queued { .. }
            | State::Building { .. } => Bearing::Open,
            State::Held { .. }
            | State::Failed(_)
            | State::Cancelled { .. }
            | State::Superseded { .. } => Bearing::Dead,
        }
    }
}
