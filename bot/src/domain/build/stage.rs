//! A build's state without its data, for lists and counts, and the meaning of a state to the builds
//! that come after.

use super::{Build, By, State};

/// The kind of a [`State`].
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
    /// All stages, in the order of a build's life.
    pub const ALL: [Self; 11] = [
        Self::Planned,
        Self::Waiting,
        Self::Held,
        Self::Queued,
        Self::Building,
        Self::Built,
        Self::Publishing,
        Self::Published,
        Self::Failed,
        Self::Cancelled,
        Self::Superseded,
    ];

    /// Its number in an index. It must never change, because databases store it.
    pub fn number(self) -> u8 {
        match self {
            Self::Planned => 0,
            Self::Waiting => 1,
            Self::Queued => 2,
            Self::Building => 3,
            Self::Built => 4,
            Self::Publishing => 5,
            Self::Published => 6,
            Self::Held => 7,
            Self::Failed => 8,
            Self::Cancelled => 9,
            Self::Superseded => 10,
        }
    }

    /// The stage with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }

    /// Its name in errors, logs and API answers.
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

    /// True for the states between which the scheduler moves a build.
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
    /// The kind of this state.
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

/// What a build means to the builds that come after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bearing {
    /// It is not decided yet.
    Open,
    /// It is built and not published. That is enough for the members of its cycle.
    Built,
    /// The builds after it can start.
    Success,
    /// It will not succeed without help.
    Dead,
}

impl Build {
    /// What it means to the builds that come after it.
    pub fn bearing(&self) -> Bearing {
        match &self.state {
            State::Published { .. } => Bearing::Success,
            // The channel has this release already.
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
