//! A repository's index, `stone.index`: the metadata of every package in it.
//!
//! A client drops its old index before it reads the new one, and one package
//! without a needed field makes it fail on the whole. So writing validates,
//! and nothing invalid can be written.

mod entry;
mod validate;
mod verify;

use std::io::{Read, Write};

use crate::payload::{self, Decoder, Encoding};
use crate::stone::{self, FileType, Kept, MAX_PAYLOADS, View};
use crate::{Limits, Meta};

pub use entry::{Entry, Key, Taken, entries, entries_within, write, write_keeping};
pub use validate::Invalid;
pub use verify::{VerifyError, verify};

/// The packages of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    /// Their metadata, each with URI, hash and size.
    pub packages: Vec<Meta>,
    kept: Vec<Kept>,
}

/// Why the entries of an index could not be taken over.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// The index is malformed or another kind of file.
    #[error(transparent)]
    Stone(#[from] stone::Error),
    /// A package in it cannot stand in an index.
    #[error("the package in the payload at byte {offset} cannot be taken over")]
    Invalid {
        /// Where the payload's header begins.
        offset: u64,
        /// What is wrong with it.
        #[source]
        source: WriteError,
    },
}

/// Why an index could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A package cannot stand in an index.
    #[error("the package {name:?} cannot stand in an index")]
    Invalid {
        /// The package's name.
        name: String,
        /// What is wrong with it.
        #[source]
        invalid: Invalid,
    },
    /// Two packages have the same file; clients would lose one.
    #[error("the packages {first:?} and {second:?} have the same hash {hash}")]
    SameHash {
        /// The first package's name.
        first: String,
        /// The second package's name.
        second: String,
        /// SHA-256 of both files.
        hash: String,
    },
    /// There are more packages than an index can count.
    #[error("an index holds at most {MAX_PAYLOADS} packages, not {count}")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// The file could not be written.
    #[error("the index could not be written")]
    Stone(#[from] stone::WriteError),
}

impl Index {
    /// An index of these packages.
    #[must_use]
    pub fn new(packages: Vec<Meta>) -> Self {
        Self {
            packages,
            kept: Vec::new(),
        }
    }

    /// Reads an index from memory, within the default limits. Payloads that
    /// are no metadata, or of an unknown compression or version, are kept as
    /// they are.
    ///
    /// # Errors
    ///
    /// When it is malformed or another kind of file. That a package lacks what
    /// an index needs is found by [`Index::validate`].
    pub fn decode(bytes: &[u8]) -> Result<Self, stone::Error> {
        Self::decode_within(bytes, Limits::default())
    }

    /// As [`Index::decode`], within these limits.
    ///
    /// # Errors
    ///
    /// As [`Index::decode`].
    pub fn decode_within(bytes: &[u8], limits: Limits) -> Result<Self, stone::Error> {
        let view = View::of_type(bytes, FileType::Index)?;
        let mut decoder = Decoder::new(limits);
        let mut index = Self::default();
        for payload in view.payloads() {
            let payload = payload?;
            if payload.header().holds(payload::Kind::Meta) {
                let meta = stone::decode_meta(&mut decoder, &payload)?;
                index.packages.push(meta);
            } else {
                index.kept.push(Kept {
                    place: index.packages.len(),
                    payload: payload.into_owned(),
                });
            }
        }
        Ok(index)
    }

    /// Reads an index to its end, within the default limits.
    ///
    /// # Errors
    ///
    /// As [`Index::decode`], and when reading fails.
    pub fn read(source: impl Read) -> Result<Self, stone::Error> {
        Self::read_within(source, Limits::default())
    }

    /// As [`Index::read`], within these limits.
    ///
    /// # Errors
    ///
    /// As [`Index::read`].
    pub fn read_within(source: impl Read, limits: Limits) -> Result<Self, stone::Error> {
        Self::decode_within(&stone::read_whole(source, &limits)?, limits)
    }

    /// Checks that every package can stand in an index, and beside the others.
    ///
    /// # Errors
    ///
    /// The first fault found.
    pub fn validate(&self) -> Result<(), WriteError> {
        for meta in &self.packages {
            validate::meta(meta).map_err(|invalid| WriteError::Invalid {
                name: meta.name.clone(),
                invalid,
            })?;
        }
        let packages = self.packages.iter();
        entry::check_set(packages.map(|meta| {
            let hash = meta.hash.as_deref().unwrap_or_default();
            (hash, meta.name.as_str())
        }))
    }

    /// The payloads that were read and not understood.
    #[must_use]
    pub fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// The bytes of the index, sorted by source id and name; the payloads that
    /// were not understood stand after as many packages as before.
    ///
    /// # Errors
    ///
    /// When a package cannot stand in an index.
    pub fn encode(&self, encoding: &Encoding) -> Result<Vec<u8>, WriteError> {
        let mut bytes = Vec::new();
        self.write(&mut bytes, encoding)?;
        Ok(bytes)
    }

    /// As [`Index::encode`], into a writer.
    ///
    /// # Errors
    ///
    /// As [`Index::encode`], and when writing fails.
    pub fn write(&self, out: impl Write, encoding: &Encoding) -> Result<(), WriteError> {
        let entries = self.packages.iter().map(|meta| Entry::new(meta, encoding));
        let entries: Vec<Entry> = entries.collect::<Result<_, _>>()?;
        write_keeping(&entries, &self.kept, out)
    }
}

#[cfg(test)]
mod tests;
