//! Why a build cannot be dispatched.

use api::id::{AttemptId, ServiceName};

use crate::db::ChangeError;
use crate::domain::name::RepositoryId;

/// Why a build cannot be dispatched now.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed, or the build has moved on.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The stones of an earlier build are unavailable.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The channel's index has an entry that cannot be ordered.
    #[error("the package {package} of the channel has no usable {what}")]
    Package {
        /// The package.
        package: String,
        /// The fault.
        what: &'static str,
    },
    /// The repository is not in the database any more.
    #[error("the repository {0} is not known")]
    NoRepository(RepositoryId),
}

/// The stones of an earlier build that are unavailable.
#[derive(Debug, thiserror::Error)]
#[error("summit cannot get the stones of {recipe} from {builder}: {message}")]
pub struct Unavailable {
    /// The attempt that made them.
    pub(super) attempt: AttemptId,
    /// The earlier build, for people.
    pub(super) recipe: String,
    /// The builder that keeps them, or should.
    pub(super) builder: ServiceName,
    /// The fault.
    pub(super) message: String,
    /// Whether the builder may come back.
    pub(super) hope: Hope,
}

/// Whether assets may become available again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hope {
    /// They are there, and the configuration keeps summit from reading of them.
    Kept,
    /// Their builder may come back.
    Some,
    /// The builder is not configured any more, or does not have the assets.
    None,
}
