//! The import protocol between summit and vessel.
//!
//! - `PUT /api/v1/imports/{id}` with an [`Order`]: idempotent; answers the [`Import`].
//! - `GET /api/v1/imports/{id}?after=SEQ` → [`Import`], at once when its `seq` is above `SEQ`,
//!   else when it moves or after 25 seconds.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::id::{
    BuildId, ChannelName, CommitSha, FileName, HistoryId, ImportId, RecipeName, Sha256,
};

/// What is to be taken into which channel. All of it becomes one history, or nothing does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The channel.
    pub channel: ChannelName,
    /// The builds whose stones these are; several when a cycle is imported as one.
    pub builds: Vec<BuildStones>,
}

/// The stones of one build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildStones {
    /// The build.
    pub build: BuildId,
    /// The recipe that was built; every stone must name it as its source.
    pub recipe: RecipeName,
    /// The commit that was built: provenance, kept with the records.
    pub commit: CommitSha,
    /// Its stones.
    pub stones: Vec<Stone>,
}

/// A stone to be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stone {
    /// Its name; must agree with what it says of itself.
    pub file_name: FileName,
    /// Where it is fetched from.
    pub uri: Url,
    /// What it must hash to.
    pub sha256: Sha256,
    /// How large it must be, in bytes.
    pub size: u64,
}

/// Where an import stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// Which import.
    pub id: ImportId,
    /// Grows with every change of `state`.
    pub seq: u64,
    /// When vessel took the order.
    pub accepted_at: Timestamp,
    /// Where it stands.
    #[serde(flatten)]
    pub state: State,
}

/// The states of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// Taken, and waiting for its turn: imports into one channel go one after the other.
    Accepted {
        /// How many imports stand before it.
        ahead: u32,
    },
    /// Its stones are being fetched.
    Fetching {
        /// Stones that are there and verified.
        done: u32,
        /// Stones in all.
        total: u32,
    },
    /// A fetch failed; it is tried again.
    Waiting {
        /// What failed.
        on: String,
        /// When it is tried again.
        until: Timestamp,
    },
    /// All is verified; the history is being written.
    Publishing,
    /// Clients can see it.
    Published {
        /// The history that holds the stones. When the channel had all of them already, the
        /// newest one.
        history: HistoryId,
        /// When.
        finished_at: Timestamp,
    },
    /// The channel does not take it.
    Refused {
        /// Why.
        refusal: Refusal,
        /// When.
        finished_at: Timestamp,
    },
}

impl State {
    /// True when the state will not change any more.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Accepted { .. }
            | Self::Fetching { .. }
            | Self::Waiting { .. }
            | Self::Publishing => false,
            Self::Published { .. } | Self::Refused { .. } => true,
        }
    }
}

/// Why a channel does not take an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The kind of refusal, for programs.
    pub reason: RefusalReason,
    /// The stone that it is about.
    pub file_name: Option<FileName>,
    /// One sentence, for people.
    pub message: String,
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalReason {
    /// The file does not hash to what the order names.
    HashMismatch,
    /// The file is gone from the builder for good.
    AssetGone,
    /// The file is no valid stone.
    StoneInvalid,
    /// The stone says something else of itself than the order does.
    StoneMismatch,
    /// The channel has a higher release of the package.
    ReleaseLower,
    /// The channel has this release with other bytes, and the build release is not higher.
    ReleaseTaken,
    /// Two stones of the import have one name and architecture.
    DuplicateName,
    /// The name belongs to another recipe.
    SourceMismatch,
    /// The index cannot hold more packages.
    ChannelFull,
}
