//! What a builder's host is and supplies.
//!
//! `GET /api/v1/status` → [`Status`]; `POST /api/v1/host/lookup` [`Lookup`] → [`LookupAnswer`].

use serde::{Deserialize, Serialize};

use crate::id::{Architecture, AttemptId, ServiceName, Sha256};

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
    /// The digest over everything that the host supplies to a build.
    pub host: Sha256,
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
