//! Unpacks upstream archives and the stones of the closure, in a helper process that runs as the
//! build's unprivileged user.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::helper::{self, CallError, Helper};

mod archive;
pub(crate) mod child;
mod place;
mod tarball;
#[cfg(test)]
mod tests;
mod zipped;

/// How long one archive, or all stones together, may take.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// What to unpack.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Job {
    /// An archive of some upstream.
    Archive {
        /// The file; its kind is told from its content.
        source: PathBuf,
        /// The folder below which nothing is left.
        root: PathBuf,
        /// The folder below it that the archive goes into; made where it is missing, and never
        /// reached through a link.
        directory: PathBuf,
        /// How many leading folders of its names are left out.
        strip: u32,
    },
    /// Stones, laid over each other into one `/usr` tree.
    Stones {
        /// The files.
        sources: Vec<PathBuf>,
        /// The folder that they go into; made where it is missing.
        target: PathBuf,
    },
}

/// What an unpacking came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unpacked {
    /// How many files, folders and links there are.
    pub entries: u64,
    /// How many bytes the files have.
    pub bytes: u64,
    /// What unpacked stones provide, sorted, as text; empty for an archive.
    pub provides: Vec<String>,
}

/// Unpacks as `job` says.
pub async fn unpack(
    helper: &Helper,
    job: &Job,
    stop: &CancellationToken,
) -> Result<Unpacked, CallError> {
    helper.call(helper::UNPACK, job, &[], LIMIT, stop).await
}
