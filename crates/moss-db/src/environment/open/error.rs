//! Why an environment was not opened.

use std::path::{Path, PathBuf};

use heed::MdbError;

use crate::error::{Error, is_disk_full};

/// Why an environment could not be opened. The database is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder cannot be created or its files not opened.
    #[error("cannot use the database folder `{}`", path.display())]
    Folder {
        /// The folder or the file in it.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The file system has no space left, or a quota is used up.
    #[error("cannot open the database `{}`: the disk is full", path.display())]
    DiskFull {
        /// The folder or the file in it.
        path: PathBuf,
    },
    /// This or another process has it open.
    #[error("the database `{}` is already open, in this process or another", path.display())]
    AlreadyOpen {
        /// The folder.
        path: PathBuf,
    },
    /// The database belongs to another program.
    #[error("the database `{}` belongs to `{found}`, not to `{expected}`", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Who tried to open it.
        expected: &'static str,
    },
    /// A newer program has written the database.
    #[error(
        "the database `{}` has schema version {found}, this program knows versions up to {known}: \
         run the newer program, or restore a backup from before the upgrade",
        path.display()
    )]
    Newer {
        /// The folder.
        path: PathBuf,
        /// The database's version.
        found: u64,
        /// The program's version.
        known: u64,
    },
    /// A migration failed.
    #[error(
        "cannot migrate the database `{}` from schema version {from}; it was left unchanged",
        path.display()
    )]
    Migration {
        /// The folder.
        path: PathBuf,
        /// The version that should have been left behind.
        from: u64,
        /// What the migration returned.
        #[source]
        source: Error,
    },
    /// A schema declares two tables of one name, or one of a reserved name.
    #[error("the schema `{schema}` declares table `{table}` twice, or the name is reserved")]
    TableName {
        /// The schema.
        schema: &'static str,
        /// The table.
        table: &'static str,
    },
    /// The row that tells the version cannot be read: no database of this crate, or a damaged
    /// one.
    #[error("cannot read the schema version of the database `{}`", path.display())]
    Identity {
        /// The folder.
        path: PathBuf,
        /// What serde found.
        #[source]
        source: serde_json::Error,
    },
    /// LMDB refused.
    #[error("cannot open the database `{}`", path.display())]
    Storage {
        /// The folder.
        path: PathBuf,
        /// LMDB's answer.
        #[source]
        source: heed::Error,
    },
    /// The writer thread cannot be started.
    #[error("cannot start the writer thread of the database `{}`", path.display())]
    Writer {
        /// The folder.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
}

impl OpenError {
    /// Why `path`, the folder or a file in it, cannot be used.
    pub(super) fn folder(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        if is_disk_full(&source) {
            Self::DiskFull { path }
        } else {
            Self::Folder { path, source }
        }
    }

    /// Gives LMDB's answer its meaning.
    pub(super) fn storage(path: &Path, source: heed::Error) -> Self {
        let path = path.to_owned();
        match source {
            heed::Error::EnvAlreadyOpened => Self::AlreadyOpen { path },
            heed::Error::Io(source) if is_disk_full(&source) => Self::DiskFull { path },
            source @ (heed::Error::Io(_)
            | heed::Error::Mdb(_)
            | heed::Error::Encoding(_)
            | heed::Error::Decoding(_)) => Self::Storage { path, source },
        }
    }

    /// Whether what is in the file is to blame: no database, a damaged one, or one of a strange
    /// kind. Everything else may succeed at another time or on another machine.
    pub(in crate::environment) fn is_of_the_content(&self) -> bool {
        match self {
            Self::Foreign { .. } | Self::Newer { .. } | Self::Identity { .. } => true,
            Self::Storage { source, .. } => matches!(
                source,
                heed::Error::Mdb(
                    MdbError::Invalid
                        | MdbError::VersionMismatch
                        | MdbError::Corrupted
                        | MdbError::PageNotFound
                        // A row where a table should be, or the other way round.
                        | MdbError::Incompatible
                        // A tree that is deeper than any that LMDB makes.
                        | MdbError::CursorFull
                )
            ),
            Self::Folder { .. }
            | Self::DiskFull { .. }
            | Self::AlreadyOpen { .. }
            | Self::Migration { .. }
            | Self::TableName { .. }
            | Self::Writer { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_the_system_are_not_blamed_on_the_content() {
        let path = Path::new("folder");
        let storage = |source| OpenError::storage(path, source);
        let errno = |code| std::io::Error::from_raw_os_error(code);
        for error in [
            MdbError::Invalid,
            MdbError::VersionMismatch,
            MdbError::Corrupted,
            MdbError::PageNotFound,
        ] {
            assert!(
                storage(heed::Error::Mdb(error)).is_of_the_content(),
                "{error}"
            );
        }
        for error in [MdbError::ReadersFull, MdbError::Panic, MdbError::Problem] {
            assert!(
                !storage(heed::Error::Mdb(error)).is_of_the_content(),
                "{error}"
            );
        }
        let (eio, enomem, eacces, enospc) = (5, 12, 13, 28);
        for code in [eio, enomem, eacces, enospc] {
            assert!(!storage(heed::Error::Io(errno(code))).is_of_the_content());
            assert!(!OpenError::folder(path, errno(code)).is_of_the_content());
        }
    }
}
