//! The attempt protocol between summit and avalanche.
//!
//! - `PUT /api/v1/attempts/{id}` with an [`Order`]: idempotent; answers the [`Attempt`].
//! - `GET /api/v1/attempts/{id}?after=SEQ` → [`Attempt`], at once when its `seq` is above `SEQ`,
//!   else when it moves or after 25 seconds. Reading renews the lease.
//! - `GET …/log?offset=N`: the log's bytes from `N` on; waits like the above when there are none
//!   yet. `X-Log-Complete: true` says that nothing follows.
//! - `GET …/log/events`: the log as server-sent events.
//! - `DELETE /api/v1/attempts/{id}` cancels; `POST …/release` lets avalanche drop the assets.

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use url::Url;

use crate::id::{
    Architecture, AttemptId, CommitSha, FileName, Profile, RecipeFolder, RecipeName, Sha256,
};

/// What is to be built, and from where.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The name that the recipe must have.
    pub recipe: RecipeName,
    /// Where in the repository the recipe lies.
    pub folder: RecipeFolder,
    /// The repository, over HTTPS or, on loopback, HTTP.
    pub clone_url: Url,
    /// Opens the repository for reading. Never logged or stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    /// The ref under which the commit is found, such as `refs/heads/main`.
    pub git_ref: String,
    /// The commit to build.
    pub commit: CommitSha,
    /// What to lay into the root beyond the closure.
    pub profile: Profile,
    /// What the stones are built for.
    pub architecture: Architecture,
    /// The build release to write; 1 for the first build of a release.
    pub build_release: u64,
    /// The time that the build believes in, in Unix seconds: the author time of the commit.
    pub source_date_epoch: i64,
    /// The stones to lay into the root, in any order.
    pub closure: Vec<ClosureStone>,
    /// Needs that no stone of the closure meets: the host must.
    pub host_needs: Vec<String>,
    /// What the build may use.
    pub limits: Limits,
    /// The lease: without a reader for this many seconds, avalanche kills the attempt.
    pub lease_seconds: u32,
    /// Where hints of progress go, by `POST` with an [`Attempt`].
    pub report_to: Option<Url>,
}

/// What opens a repository for reading: a token, used as the password of `x-access-token`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The token.
    pub token: SecretString,
}

impl Serialize for Credentials {
    // The one place where the token leaves the type: the body of the order.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut body = serializer.serialize_struct("Credentials", 1)?;
        body.serialize_field("token", self.token.expose_secret())?;
        body.end()
    }
}

/// A stone of the closure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClosureStone {
    /// The package's name, for people.
    pub package: String,
    /// Where it is fetched from.
    pub url: Url,
    /// What it must hash to.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size: u64,
}

/// What a build may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Wall time of the whole attempt, in seconds.
    pub wall_seconds: u32,
    /// Bytes of log; the attempt fails beyond.
    pub log_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall_seconds: 6 * 3600,
            log_bytes: 256 << 20,
        }
    }
}

/// Where an attempt stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which attempt.
    pub id: AttemptId,
    /// Grows with every change of `state`.
    pub seq: u64,
    /// When avalanche took the order.
    pub accepted_at: Timestamp,
    /// What its scripts can reach. Only what was built with `loopback` may ever be promoted.
    #[serde(default)]
    pub network: Network,
    /// Where it stands.
    #[serde(flatten)]
    pub state: State,
}

/// What the scripts of an attempt can reach over the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// Themselves.
    #[default]
    Loopback,
    /// What the builder's host reaches, over the ports that its configuration allows.
    Host,
}

/// The states of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// Taken, and waiting for a slot.
    Accepted {
        /// How many attempts stand before it.
        ahead: u32,
    },
    /// At work.
    Running {
        /// In which phase.
        phase: Phase,
        /// Since when.
        since: Timestamp,
    },
    /// Done; the assets are kept until released.
    Succeeded {
        /// What came out.
        assets: Vec<Asset>,
        /// What the host was, where it supplied anything.
        host: Sha256,
        /// When.
        finished_at: Timestamp,
    },
    /// Not done.
    Failed {
        /// Why.
        failure: Failure,
        /// When.
        finished_at: Timestamp,
    },
    /// Stopped by `DELETE`.
    Cancelled {
        /// When.
        finished_at: Timestamp,
    },
    /// Killed, because nobody read it for the length of its lease.
    Expired {
        /// When.
        finished_at: Timestamp,
    },
}

impl State {
    /// True when the state will not change any more.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Accepted { .. } | Self::Running { .. } => false,
            Self::Succeeded { .. }
            | Self::Failed { .. }
            | Self::Cancelled { .. }
            | Self::Expired { .. } => true,
        }
    }
}

/// The phases of an attempt, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Clone the repository and read the recipe.
    Clone,
    /// Fetch upstreams and the closure.
    Fetch,
    /// Make the root and unpack.
    Prepare,
    /// The recipe's `setup`.
    Setup,
    /// The recipe's `build`.
    Build,
    /// The recipe's `install`.
    Install,
    /// The recipe's `check`.
    Check,
    /// Collect, split, analyse and emit.
    Package,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Clone => "clone",
            Self::Fetch => "fetch",
            Self::Prepare => "prepare",
            Self::Setup => "setup",
            Self::Build => "build",
            Self::Install => "install",
            Self::Check => "check",
            Self::Package => "package",
        })
    }
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// In which phase.
    pub phase: Phase,
    /// The kind of failure, for programs.
    #[serde(flatten)]
    pub reason: Reason,
    /// One sentence or a few, for people.
    pub message: String,
}

/// The kinds of failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Reason {
    /// The repository could not be cloned, or lacks the commit.
    CloneFailed,
    /// The recipe cannot be built as it is written.
    RecipeInvalid {
        /// Where in the recipe, counted from 1.
        line: Option<u32>,
    },
    /// A file came with another hash than it should have.
    HashMismatch {
        /// Which file.
        url: String,
        /// What the recipe or the order names.
        expected: Sha256,
        /// What came.
        actual: Sha256,
    },
    /// A file could not be fetched.
    FetchFailed {
        /// Which file.
        url: String,
    },
    /// No server has the source: neither a mirror nor the URL that the recipe names.
    SourceMissing {
        /// The URL that the recipe names.
        url: String,
    },
    /// An archive or a stone could not be unpacked.
    UnpackFailed,
    /// The host lacks what the order says it supplies.
    HostLacks {
        /// What it lacks.
        missing: Vec<String>,
    },
    /// A script ended with an error.
    ScriptFailed {
        /// Its exit status; none when a signal ended it.
        exit_status: Option<i32>,
    },
    /// A limit of the order was reached.
    LimitReached {
        /// Which: `wall_seconds` or `log_bytes`.
        limit: String,
    },
    /// The host does not let the sandbox be made.
    SandboxRefused,
    /// What was built cannot be packaged.
    PackagingFailed,
    /// The builder's disk is full.
    DiskFull {
        /// How many bytes are free where attempts write.
        free: u64,
        /// How many have to be.
        needed: u64,
    },
    /// avalanche was stopped while the attempt ran.
    Interrupted,
    /// A fault of avalanche or its machine.
    Internal,
}

impl Reason {
    /// True when the same order may well succeed another time or elsewhere.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::CloneFailed
            | Self::FetchFailed { .. }
            | Self::DiskFull { .. }
            | Self::Interrupted
            | Self::Internal => true,
            Self::RecipeInvalid { .. }
            | Self::HashMismatch { .. }
            | Self::SourceMissing { .. }
            | Self::UnpackFailed
            | Self::HostLacks { .. }
            | Self::ScriptFailed { .. }
            | Self::LimitReached { .. }
            | Self::SandboxRefused
            | Self::PackagingFailed => false,
        }
    }
}

/// A file that an attempt made, to be fetched at its public URI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    /// What it is.
    pub kind: AssetKind,
    /// Its name.
    pub file_name: FileName,
    /// Where it is, for anyone.
    pub uri: Url,
    /// What it hashes to.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size: u64,
}

/// The kinds of assets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AssetKind {
    /// A package.
    Stone,
    /// The build manifest, in the `.stone` container.
    Manifest,
    /// The build manifest as JSON with a comment, for people.
    ManifestText,
}
