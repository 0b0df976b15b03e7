//! What a builder's host is and supplies.
//!
//! `GET /api/v1/status` → [`Status`]; `POST /api/v1/host/lookup` [`Lookup`] → [`LookupAnswer`]. Both
//! are answered from the builder's last look at its host. Before the first one is done the answer is
//! [`Code::Unavailable`](crate::problem::Code::Unavailable), with a message that says so.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{Architecture, AttemptId, ServiceName, Sha256};
use crate::status::Database;

/// What a builder can do and how busy it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The builder's name.
    pub builder: ServiceName,
    /// The version of avalanche that runs.
    pub version: String,
    /// The version of the rules by which it turns a recipe into stones.
    pub engine: String,
    /// The architectures that it builds for.
    pub architectures: Vec<Architecture>,
    /// How many attempts it runs at once.
    pub slots: u32,
    /// The attempts that it runs or that wait for a slot, oldest first.
    pub attempts: Vec<AttemptId>,
    /// The digest over everything that the host supplies to a build, as it was last looked at.
    pub host: Sha256,
    /// When that look began. None only from a builder that is older than this field.
    #[serde(default)]
    pub looked_at: Option<Timestamp>,
    /// What recipes that ask for the network get.
    #[serde(default)]
    pub networking: Networking,
    /// What one build may use, by the key in avalanche's configuration.
    #[serde(default)]
    pub limits: BTreeMap<String, Limit>,
    /// How full its database is.
    #[serde(default)]
    pub database: Database,
    /// How many bytes are free where attempts write, on the fullest of their file systems.
    #[serde(default)]
    pub free_bytes: u64,
    /// Why it takes no orders now; none while it takes some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_orders: Option<NoOrders>,
}

/// Why a builder takes no orders. The text is a part of a sentence about the builder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum NoOrders {
    /// Too little is free where attempts write.
    #[error("{} are free on its disk, and it wants {}", Bytes::below(*free), Bytes::above(*needed))]
    DiskFull {
        /// How many bytes are free, on the fullest of the file systems.
        free: u64,
        /// How many have to be.
        needed: u64,
    },
}

/// A number of bytes as people read it, to a tenth of a megabyte or gigabyte.
struct Bytes {
    tenths: u64,
    unit: &'static str,
}

impl Bytes {
    /// The number, or a little less.
    fn below(bytes: u64) -> Self {
        let (size, unit) = unit(bytes);
        Self {
            tenths: bytes / (size / 10),
            unit,
        }
    }

    /// The number, or a little more.
    fn above(bytes: u64) -> Self {
        let (size, unit) = unit(bytes);
        Self {
            tenths: bytes.div_ceil(size / 10),
            unit,
        }
    }
}

fn unit(bytes: u64) -> (u64, &'static str) {
    match bytes {
        0..1_000_000_000 => (1_000_000, "MB"),
        1_000_000_000.. => (1_000_000_000, "GB"),
    }
}

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, tenth) = (self.tenths / 10, self.tenths % 10);
        match tenth {
            0 => write!(f, "{whole} {}", self.unit),
            tenth => write!(f, "{whole}.{tenth} {}", self.unit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_free_never_reads_as_what_is_wanted() {
        let full = |free, needed| NoOrders::DiskFull { free, needed }.to_string();
        assert_eq!(
            full(2_199_999_999, 10_000_000_000),
            "2.1 GB are free on its disk, and it wants 10 GB"
        );
        assert_eq!(
            full((1 << 30) - 1, 1 << 30),
            "1 GB are free on its disk, and it wants 1.1 GB"
        );
        assert_eq!(
            full(0, 500_000_000),
            "0 MB are free on its disk, and it wants 500 MB"
        );
    }
}

/// What recipes that ask for the network get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Networking {
    /// Nothing: their builds fail.
    #[default]
    Refuse,
    /// The host's network.
    Host,
}

/// The most that a build may use of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// How much.
    pub most: u64,
    /// What keeps a build within it.
    pub held_by: Holder,
}

/// What keeps a build within a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holder {
    /// The kernel, exactly and for all of the build together: a control group.
    ControlGroup,
    /// The kernel, for each process or for the build's user.
    ResourceLimit,
    /// avalanche, which looks at intervals and kills.
    Measured,
}

/// Asks which of some dependencies the host supplies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookup {
    /// Dependencies as text, such as `pkgconfig(zlib)`; at most 4,096.
    pub dependencies: Vec<String>,
}

/// Which of the dependencies the host does not supply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupAnswer {
    /// The digest over everything that the host supplies to a build.
    pub host: Sha256,
    /// Those of the asked dependencies that the host lacks, in the order asked.
    pub missing: Vec<String>,
}
