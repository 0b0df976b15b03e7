//! How a service stands, for operators.
//!
//! avalanche's `GET /api/v1/status` is [`host::Status`](crate::host::Status), summit's is [`Summit`],
//! vessel's is [`Vessel`]. All say how full the database is.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{Architecture, BuildId, ChannelName, ServiceName};
use crate::import::Import;

/// How much of its map a service's database uses.
///
/// The map is the most that the database can have. The service logs a warning when 80 % are used;
/// when all of it is, changes are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Database {
    /// What the database has ever needed at one time, in bytes. Room that became free is used anew
    /// before this grows.
    pub used_bytes: u64,
    /// The most that it can have, in bytes.
    pub map_bytes: u64,
}

/// How summit stands: what is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summit {
    /// Its name.
    pub summit: ServiceName,
    /// The version of summit that runs.
    pub version: String,
    /// How full its database is.
    pub database: Database,
    /// How many builds are under way, by the name of their state; with them built ones of open pull
    /// requests, whose assets a builder keeps.
    pub builds: BTreeMap<String, u64>,
    /// Why nothing goes on that needs GitHub, while the App's installation is suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Standstill>,
    /// Why no builder gets any of the builds that are ready, for each profile of which that is so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub standstill: BTreeMap<Architecture, Standstill>,
    /// The builders that have builds and do not answer, shown after 30 seconds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub silent_builders: BTreeMap<ServiceName, SilentBuilder>,
    /// The builds that cannot be read in the database, with the reason. Nothing becomes of them, and all
    /// others go on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unreadable: BTreeMap<BuildId, String>,
    /// The repositories that are gone and wait for an operator's word, with the time since when. All
    /// goes on as if they were there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<String, Timestamp>,
    /// Deliveries of GitHub that could not be read.
    #[serde(default)]
    pub unread_deliveries: u64,
    /// Branches and pull requests that are to be looked at.
    pub looks: u64,
    /// Comment commands that are not answered yet.
    pub commands: u64,
    /// Pressed buttons of check runs that are not acted on yet.
    pub presses: u64,
    /// What builders are still to be told.
    pub effects: u64,
    /// Builds whose check run does not agree with them yet, but for those of repositories that the
    /// App cannot see any more.
    pub check_runs: u64,
}

/// A builder that does not answer about the builds that it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilentBuilder {
    /// When it answered last.
    pub since: Timestamp,
    /// When summit asks again.
    pub next_try_at: Timestamp,
    /// How many builds it has.
    pub builds: u64,
    /// When the first of them goes to another builder.
    pub builds_leave_at: Timestamp,
}

/// Why no builder gets a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standstill {
    /// Why, for people.
    pub reason: String,
    /// Since when it is so.
    pub since: Timestamp,
}

/// How vessel stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vessel {
    /// Its name.
    pub vessel: ServiceName,
    /// The version of vessel that runs.
    pub version: String,
    /// The format of the repository that it writes.
    pub format: String,
    /// How full its database is.
    pub database: Database,
    /// Each channel's imports that have not ended, in the order in which they arrived.
    pub imports: BTreeMap<ChannelName, Vec<Import>>,
}
