//! Why builds are not dispatched.

use api::id::{AttemptId, ServiceName};

use crate::db::ChangeError;
use crate::domain::name::RepositoryId;

/// A build that cannot be dispatched now.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed, or the build has moved on.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// What an earlier build left cannot be had.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The channel says something that cannot be ordered.
    #[error("the package {package} of the channel has no usable {what}")]
    Package {
        /// Which package.
        package: String,
        /// What is wrong.
        what: &'static str,
    },
    /// The repository is not known any more.
    #[error("the repository {0} is not known")]
    NoRepository(RepositoryId),
}

/// The stones of an earlier build that cannot be had from its builder.
#[derive(Debug, thiserror::Error)]
#[error("the stones of {recipe}, which come before, cannot be had from {builder}: {message}")]
pub struct Unavailable {
    /// The attempt that made them.
    pub(super) attempt: AttemptId,
    /// What was built, for people.
    pub(super) recipe: String,
    /// Who keeps them, or should.
    pub(super) builder: ServiceName,
    /// What went wrong.
    pub(super) message: String,
    /// Whether there is hope.
    pub(super) hope: Hope,
}

/// Whether assets may still be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hope {
    /// Their builder may come back.
    Some,
    /// Nobody will bring back a builder that nobody knows any more, or what it does not have.
    None,
}
