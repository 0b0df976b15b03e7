//! What can go wrong with an open database.

use std::sync::Arc;

use crate::key::KeyError;

/// A read or a change that failed. A failed change leaves nothing behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The memory map has no free page left.
    #[error(
        "cannot write to the database: its map is full; raise the map size in the configuration \
         and restart (nothing of this change was kept)"
    )]
    MapFull,
    /// The file system has no space left, or a quota is used up.
    #[error(
        "cannot write to the database: the disk is full; free some space and try again \
         (nothing of this change was kept)"
    )]
    DiskFull,
    /// A value could not be written as JSON.
    #[error("cannot write a row of table `{table}` as JSON")]
    Encode {
        /// The table.
        table: &'static str,
        /// Why serde refused it.
        #[source]
        source: serde_json::Error,
    },
    /// A stored value does not have the form that this program expects.
    #[error("cannot read the row `{key}` of table `{table}`")]
    Decode {
        /// The table.
        table: &'static str,
        /// The stored key, with bytes that are not printable ASCII escaped.
        key: String,
        /// What serde found.
        #[source]
        source: serde_json::Error,
    },
    /// A stored key does not have the form that this program expects.
    #[error("cannot read the key `{key}` of table `{table}`")]
    Key {
        /// The table.
        table: &'static str,
        /// The stored key, with bytes that are not printable ASCII escaped.
        key: String,
        /// What is wrong with it.
        #[source]
        source: KeyError,
    },
    /// A key is longer than LMDB can store.
    #[error("cannot write to table `{table}`: the key has {length} bytes, the limit is {limit}")]
    KeyTooLong {
        /// The table.
        table: &'static str,
        /// Length of the encoded key in bytes.
        length: usize,
        /// The longest possible key in bytes.
        limit: usize,
    },
    /// A migration asked for a table that the database does not have.
    #[error("the database has no table `{0}`")]
    UnknownTable(&'static str),
    /// A migration would take away a table that the program has.
    #[error("the table `{0}` is in use")]
    TableInUse(&'static str),
    /// The environment is closing and takes no more work.
    #[error("the database is closing")]
    Closed,
    /// LMDB or the operating system refused.
    #[error("cannot {action}")]
    Storage {
        /// What was tried.
        action: String,
        /// The answer; shared, because one failed commit is told to many callers.
        #[source]
        source: Arc<heed::Error>,
    },
}

impl Error {
    /// True when it is about one row, and others may well be read.
    #[must_use]
    pub fn is_of_a_row(&self) -> bool {
        match self {
            Self::Decode { .. } | Self::Key { .. } => true,
            Self::MapFull
            | Self::DiskFull
            | Self::Encode { .. }
            | Self::KeyTooLong { .. }
            | Self::UnknownTable(_)
            | Self::TableInUse(_)
            | Self::Closed
            | Self::Storage { .. } => false,
        }
    }

    /// Gives an LMDB error its meaning.
    pub(crate) fn storage(action: impl Into<String>, source: heed::Error) -> Self {
        Self::shared(action, &Arc::new(source))
    }

    /// As [`Self::storage`], for an error that is told to several callers.
    pub(crate) fn shared(action: impl Into<String>, source: &Arc<heed::Error>) -> Self {
        match source.as_ref() {
            heed::Error::Mdb(heed::MdbError::MapFull) => Self::MapFull,
            heed::Error::Io(error) if is_disk_full(error) => Self::DiskFull,
            heed::Error::Io(_)
            | heed::Error::Mdb(_)
            | heed::Error::Encoding(_)
            | heed::Error::Decoding(_)
            | heed::Error::EnvAlreadyOpened => Self::Storage {
                action: action.into(),
                source: Arc::clone(source),
            },
        }
    }
}

/// Whether the operating system said that there is no room for more bytes.
pub(crate) fn is_disk_full(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_space_is_told_apart_from_other_failures() {
        let errno = |code| heed::Error::Io(std::io::Error::from_raw_os_error(code));
        let (enospc, edquot, eio) = (28, 122, 5);
        assert!(matches!(
            Error::storage("commit", errno(enospc)),
            Error::DiskFull
        ));
        assert!(matches!(
            Error::storage("commit", errno(edquot)),
            Error::DiskFull
        ));
        assert!(matches!(
            Error::storage("commit", errno(eio)),
            Error::Storage { .. }
        ));
        let full = heed::Error::Mdb(heed::MdbError::MapFull);
        assert!(matches!(Error::storage("commit", full), Error::MapFull));
    }
}
