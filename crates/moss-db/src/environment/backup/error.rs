//! Why there is no backup, or why it was not taken back.

use std::io;
use std::path::{Path, PathBuf};

use crate::environment::OpenError;

/// A backup or a restore that failed. What was there before is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The target is there already; it was not touched.
    #[error("`{}` exists already and is not overwritten", .0.display())]
    Exists(PathBuf),
    /// A file cannot be read or written.
    #[error("cannot {action} `{}`", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: io::Error,
    },
    /// The file is no database of ours, or not a whole one.
    #[error("`{}` is no backup of a database, or not a whole one", .0.display())]
    NoDatabase(PathBuf),
    /// The file was a backup, but something in it has changed since.
    #[error("the backup `{}` is damaged: it does not have the SHA-256 that it ends with", .0.display())]
    Damaged(PathBuf),
    /// The copy that was to be restored cannot be opened, for a reason that is not in it.
    #[error("cannot look into the copy of the backup `{}`", path.display())]
    Probe {
        /// The backup.
        path: PathBuf,
        /// Why the copy cannot be opened.
        #[source]
        source: OpenError,
    },
    /// LMDB cannot copy the database.
    #[error("cannot copy the database to `{}`", path.display())]
    Copy {
        /// The file that should become the backup.
        path: PathBuf,
        /// LMDB's answer.
        #[source]
        source: heed::Error,
    },
}

impl BackupError {
    /// Why the copy of `backup` was not opened: only what the file itself is to blame for makes it
    /// none of ours.
    pub(super) fn probe(backup: &Path, source: OpenError) -> Self {
        let path = backup.to_owned();
        match source.is_of_the_content() {
            true => Self::NoDatabase(path),
            false => Self::Probe { path, source },
        }
    }
}

/// Gives the operating system's answer to `action` on `path` its place.
pub(super) fn failed(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |source| BackupError::File {
        action,
        path,
        source,
    }
}
