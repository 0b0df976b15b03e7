//! The states of a build.

use std::collections::BTreeMap;

use api::attempt::{Asset, Phase};
use api::id::{BuildId, HistoryId, ImportId, ServiceName, Sha256};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Target;

/// Where a build stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// Known, and not yet looked at by the scheduler.
    Planned,
    /// Other builds come first.
    Waiting {
        /// Which.
        on: Vec<BuildId>,
    },
    /// Ready for a builder.
    Queued {
        /// Since when.
        since: Timestamp,
        /// Why no builder has it yet, as last seen.
        reason: Option<String>,
    },
    /// A builder has it.
    Building {
        /// Which builder.
        builder: ServiceName,
        /// How far the attempt is.
        progress: Progress,
        /// Since when.
        since: Timestamp,
    },
    /// Built; the builder keeps the assets.
    Built(Success),
    /// The assets are on their way into the channel.
    Publishing {
        /// The import.
        import: ImportId,
        /// What was built.
        built: Success,
        /// That something newer was planned meanwhile, if it was.
        #[serde(default)]
        overtaken: Option<Overtaken>,
        /// What vessel does with it or waits for, as last heard, for people.
        #[serde(default)]
        standing: Option<String>,
    },
    /// Users can install it.
    Published {
        /// The history that first holds it.
        history: HistoryId,
        /// When.
        at: Timestamp,
    },
    /// Cannot go on until something else does.
    Held {
        /// What.
        by: Hold,
        /// Since when.
        since: Timestamp,
    },
    /// Not built, or not taken by the channel.
    Failed(Failure),
    /// Given up on purpose.
    Cancelled {
        /// By whom or what.
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
    /// True when the state will never change again.
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

    /// What holds the build, while something does.
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

    /// True when what waits for the build can go on: published, or for a pull request built.
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

    /// True while something can become of the build by itself, and while a builder keeps its assets.
    pub fn is_active_for(&self, target: &Target) -> bool {
        let is_settled = self.is_success_for(target) || self.is_final();
        (!is_settled && !self.waits_for_person()) || self.find_assets().is_some()
    }

    /// True for a build that only a person can move. There can be many of them, so that they are
    /// kept apart from those under way.
    pub fn waits_for_person(&self) -> bool {
        self.find_hold().is_some_and(|hold| match hold {
            Hold::Approval { .. } | Hold::TooLarge { .. } => true,
            Hold::Build { .. }
            | Hold::Needs { .. }
            | Hold::Suspected { .. }
            | Hold::Scattered { .. } => false,
        })
    }

    /// What was built, as long as only a builder has it.
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

/// How far an attempt is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "progress", rename_all = "kebab-case")]
pub enum Progress {
    /// The order is on its way to the builder.
    Ordered,
    /// The builder has it, and other attempts before it.
    Accepted {
        /// How many.
        ahead: u32,
    },
    /// At work.
    Running {
        /// In which phase.
        phase: Phase,
        /// Since when.
        since: Timestamp,
    },
}

/// What takes the place of a build that is being published, should that fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overtaken {
    /// The newer build; none when the recipe is gone.
    pub by: Option<BuildId>,
}

/// What a successful attempt left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Success {
    /// The builder that keeps the assets.
    pub builder: ServiceName,
    /// The assets.
    pub assets: Vec<Asset>,
    /// What the builder's host was.
    pub host: Sha256,
    /// When it was done.
    pub at: Timestamp,
    /// When the builder was told that the assets are not needed any more.
    #[serde(default)]
    pub released_at: Option<Timestamp>,
}

/// An attempt that was lost through no fault of the recipe, or whose assets were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The attempt's number.
    pub attempt: u32,
    /// The builder that had it.
    pub builder: ServiceName,
    /// To what it was lost.
    #[serde(default)]
    pub cause: Cause,
    /// How it was lost.
    pub reason: String,
    /// When that was noticed.
    pub at: Timestamp,
}

/// To what an attempt was lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Its builder, or what that kept of it. The build itself may have brought that about.
    #[default]
    Builder,
    /// Something that it needs is out of reach: the repository, a source, GitHub.
    Outage,
}

/// Why a build cannot go on by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "hold", rename_all = "kebab-case")]
pub enum Hold {
    /// A build that must succeed first did not.
    Build {
        /// Which.
        build: BuildId,
        /// What it builds, for people.
        recipe: String,
    },
    /// Neither the channel nor a builder's host meets these needs.
    Needs {
        /// Which, as text.
        missing: Vec<String>,
    },
    /// Nothing meets these needs, and builds did not succeed that may bring some of it.
    Suspected {
        /// Which needs, as text.
        missing: Vec<String>,
        /// Which builds.
        of: Vec<Suspect>,
    },
    /// Each need is met by some builder's host, but none meets all.
    Scattered {
        /// What each lacks, as text.
        lacking: BTreeMap<ServiceName, Vec<String>>,
    },
    /// More differs than is planned at once.
    TooLarge {
        /// What, in a sentence.
        reason: String,
    },
    /// The author of a pull request may not write, so nothing of it runs.
    Approval {
        /// The author's login, for people.
        author: String,
    },
}

/// A build that may have brought what another one lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspect {
    /// Which.
    pub build: BuildId,
    /// What it builds, for people.
    pub recipe: String,
}

/// Who or what gave a build up.
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
    /// The repository was deleted, or the App taken out of it.
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
    /// What went wrong.
    pub kind: FailureKind,
    /// The phase of the attempt, when there was one.
    pub phase: Option<Phase>,
    /// A sentence or a few, for people.
    pub message: String,
    /// Places in the recipe that it is about.
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
    /// Another recipe has its name.
    NameTaken,
    /// The attempt failed.
    Attempt,
    /// Attempt after attempt was lost.
    Lost,
    /// The channel refused the assets.
    Refused,
}

/// A remark about some lines of a file in the repository.
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
