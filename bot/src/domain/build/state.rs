//! The states of a build.

use std::collections::BTreeMap;

use api::attempt::{Asset, Phase};
use api::id::{BuildId, HistoryId, ImportId, ServiceName, Sha256};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Target;
use crate::domain::silence::Silence;
use crate::domain::trust::Stranger;

/// The state of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// Planned; the scheduler has not looked at it yet.
    Planned,
    /// Other builds come first.
    Waiting {
        /// These builds.
        on: Vec<BuildId>,
    },
    /// Ready for a builder.
    Queued {
        /// Since when.
        since: Timestamp,
        /// Why no builder took it at its last turn, or how its last attempt was lost.
        reason: Option<String>,
    },
    /// It is at a builder.
    Building {
        /// The builder.
        builder: ServiceName,
        /// The progress of the attempt.
        progress: Progress,
        /// Since when.
        since: Timestamp,
        /// Set while the builder does not answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        silence: Option<Silence>,
    },
    /// Built; the builder keeps the assets.
    Built(Success),
    /// vessel imports the assets into the channel.
    Publishing {
        /// The import.
        import: ImportId,
        /// The assets.
        built: Success,
        /// The newer build that was planned meanwhile, if any.
        #[serde(default)]
        overtaken: Option<Overtaken>,
        /// vessel's last report on the import, for people.
        #[serde(default)]
        standing: Option<String>,
    },
    /// Clients can install its packages.
    Published {
        /// The history that first holds it.
        history: HistoryId,
        /// When.
        at: Timestamp,
    },
    /// It cannot go on without a change elsewhere.
    Held {
        /// The reason.
        by: Hold,
        /// Since when.
        since: Timestamp,
    },
    /// It was not built, or the channel refused it.
    Failed(Failure),
    /// It was given up on purpose.
    Cancelled {
        /// Who or what gave it up.
        by: By,
        /// When.
        at: Timestamp,
    },
    /// A newer build of the same recipe took its place.
    Superseded {
        /// The newer build; none when the recipe is gone.
        by: Option<BuildId>,
        /// When.
        at: Timestamp,
    },
}

impl State {
    /// True when the state never changes again.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Planned
            | Self::Waiting { .. }
            | Self::Queued { .. }
            | Self::Building { .. }
            | Self::Built(_)
            | Self::Publishing { .. }
            | Self::Held { .. } => false,
            Self::Published { .. }
            | Self::Failed(_)
            | Self::Cancelled { .. }
            | Self::Superseded { .. } => true,
        }
    }

    /// The hold, if the build is held.
    pub fn find_hold(&self) -> Option<&Hold> {
        match self {
            Self::Held { by, .. } => Some(by),
            Self::Planned
            | Self::Waiting { .. }
            | Self::Queued { .. }
            | Self::Building { .. }
            | Self::Built(_)
            | Self::Publishing { .. }
            | Self::Published { .. }
            | Self::Failed(_)
            | Self::Cancelled { .. }
            | Self::Superseded { .. } => None,
        }
    }

    /// True when the builds that wait for this one can start: it is published, or it is built for a
    /// pull request.
    pub fn is_success_for(&self, target: &Target) -> bool {
        match self {
            Self::Published { .. } => true,
            Self::Built(_) => !target.is_published(),
            Self::Planned
            | Self::Waiting { .. }
            | Self::Queued { .. }
            | Self::Building { .. }
            | Self::Publishing { .. }
            | Self::Held { .. }
            | Self::Failed(_)
            | Self::Cancelled { .. }
            | Self::Superseded { .. } => false,
        }
    }

    /// True while the build can still move without a person, or a builder keeps its assets.
    pub fn is_active_for(&self, target: &Target) -> bool {
        let is_settled = self.is_success_for(target) || self.is_final();
        (!is_settled && !self.waits_for_person()) || self.find_assets().is_some()
    }

    /// True when only a person can move the build. There can be very many such builds, so they are
    /// kept apart from the builds under way.
    pub fn waits_for_person(&self) -> bool {
        self.find_hold().is_some_and(|hold| match hold {
            Hold::Approval(_) | Hold::TooLarge { .. } | Hold::Draft => true,
            Hold::Build { .. }
            | Hold::Needs { .. }
            | Hold::Suspected { .. }
            | Hold::Scattered { .. } => false,
        })
    }

    /// True when the recipe, or what it needs, is at fault.
    pub fn is_failure(&self) -> bool {
        let is_hold = |hold: &Hold| match hold {
            Hold::Needs { .. } | Hold::Scattered { .. } | Hold::TooLarge { .. } => true,
            Hold::Build { .. } | Hold::Suspected { .. } | Hold::Approval(_) | Hold::Draft => false,
        };
        matches!(self, Self::Failed(_)) || self.find_hold().is_some_and(is_hold)
    }

    /// The assets of the build, while only its builder has them.
    pub fn find_assets(&self) -> Option<&Success> {
        match self {
            Self::Built(built) | Self::Publishing { built, .. } => {
                built.released_at.is_none().then_some(built)
            }
            Self::Planned
            | Self::Waiting { .. }
            | Self::Queued { .. }
            | Self::Building { .. }
            | Self::Published { .. }
            | Self::Held { .. }
            | Self::Failed(_)
            | Self::Cancelled { .. }
            | Self::Superseded { .. } => None,
        }
    }
}

/// The progress of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "progress", rename_all = "kebab-case")]
pub enum Progress {
    /// The order is on its way to the builder.
    Ordered,
    /// The builder has it in its queue.
    Accepted {
        /// How many attempts are before it.
        ahead: u32,
    },
    /// The builder works on it.
    Running {
        /// The phase.
        phase: Phase,
        /// When the phase began.
        since: Timestamp,
    },
}

/// The newer build that takes the place of a build in `Publishing` if its import fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overtaken {
    /// The newer build; none when the recipe is gone.
    pub by: Option<BuildId>,
}

/// The result of a successful attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Success {
    /// The builder that keeps the assets.
    pub builder: ServiceName,
    /// The assets.
    pub assets: Vec<Asset>,
    /// The fingerprint of the builder's host.
    pub host: Sha256,
    /// When the attempt ended.
    pub at: Timestamp,
    /// When summit released the assets; none while they are needed.
    #[serde(default)]
    pub released_at: Option<Timestamp>,
}

/// The loss of an attempt or of its assets, through no fault of the recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The attempt's number.
    pub attempt: u32,
    /// Its builder.
    pub builder: ServiceName,
    /// The kind of cause.
    #[serde(default)]
    pub cause: Cause,
    /// What happened, for people.
    pub reason: String,
    /// When summit noticed the loss.
    pub at: Timestamp,
}

/// The cause of a loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The builder failed, or it lost the assets. The build itself may be the cause of that.
    #[default]
    Builder,
    /// The repository, a source or GitHub cannot be reached, or the builder's disk is full.
    Outage,
}

/// Why a build cannot go on without a change elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "hold", rename_all = "kebab-case")]
pub enum Hold {
    /// A build that must succeed first did not.
    Build {
        /// That build.
        build: BuildId,
        /// Its recipe, for people.
        recipe: String,
    },
    /// Neither the channel nor a builder's host meets these needs.
    Needs {
        /// The needs, as text.
        missing: Vec<String>,
    },
    /// Nothing meets these needs, and a failed build may be the reason; see
    /// [`crate::domain::suspect`].
    Suspected {
        /// The needs, as text.
        missing: Vec<String>,
        /// The failed builds.
        of: Vec<Suspect>,
    },
    /// Some builder's host meets each need, but no host meets all of them.
    Scattered {
        /// The needs that each host lacks, as text.
        lacking: BTreeMap<ServiceName, Vec<String>>,
    },
    /// The head changes more than summit plans at once.
    TooLarge {
        /// The reason, in a sentence.
        reason: String,
    },
    /// Nobody vouches for the code of a pull request, so none of it runs.
    Approval(Stranger),
    /// The pull request is a draft.
    Draft,
}

/// A failed build that may be the reason why another build lacks something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspect {
    /// The failed build.
    pub build: BuildId,
    /// Its recipe, for people.
    pub recipe: String,
}

/// Who or what cancelled a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum By {
    /// The channel has this release already.
    AlreadyPublished {
        /// The release.
        release: u64,
    },
    /// The pull request was closed.
    PullClosed,
    /// The group of a merge queue was merged or taken apart.
    GroupGone,
    /// The repository was deleted, or the App was uninstalled from it.
    RepositoryGone,
    /// A person.
    Person {
        /// The login, for people.
        login: String,
    },
}

/// Why a build failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind of failure.
    pub kind: FailureKind,
    /// The phase of the attempt, when there was one.
    pub phase: Option<Phase>,
    /// One or more sentences, for people.
    pub message: String,
    /// The lines of the recipe that are at fault.
    pub annotations: Vec<Annotation>,
    /// When.
    pub at: Timestamp,
}

/// The kinds of failure that people treat differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The recipe cannot be read or breaks a rule.
    Recipe,
    /// Another recipe holds its name.
    NameTaken,
    /// The attempt failed.
    Attempt,
    /// Too many attempts were lost.
    Lost,
    /// The channel refused the assets.
    Refused,
}

/// An error or a warning at a line of a file in the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// The file, from the top of the repository.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// True for an error, false for a warning.
    pub is_error: bool,
    /// A short heading.
    pub title: String,
    /// What is wrong.
    pub message: String,
}
