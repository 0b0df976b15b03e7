use std::borrow::Cow;

use xxhash_rust::xxh3::xxh3_64;

use super::{Compression, Encoding, Error, Header, Kind, Level, VERSION};

/// A payload as it lies in a file: header and stored bytes.
///
/// It can be written again without being decoded, which is how unknown
/// payloads survive and how an index changes one package at little cost.
/// Equal are payloads with the same bytes, wherever they lie.
#[derive(Debug, Clone)]
pub struct Encoded<'a> {
    header: Header,
    stored: Cow<'a, [u8]>,
    offset: u64,
}

/// Why a payload could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// Clients reject a payload without records.
    #[error("a payload without records must not be written")]
    NoRecords,
    /// There are more records than a header can count.
    #[error("a payload holds at most {} records, not {count}", u32::MAX)]
    TooManyRecords {
        /// How many there are.
        count: usize,
    },
    /// zstd refused, for its settings or want of memory.
    #[error("compressing the payload at level {level} failed")]
    Compress {
        /// The level.
        level: Level,
        /// What zstd says.
        #[source]
        source: std::io::Error,
    },
}

impl PartialEq for Encoded<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.header == other.header && self.stored == other.stored
    }
}

impl Eq for Encoded<'_> {}

impl<'a> Encoded<'a> {
    /// Compresses plain bytes that hold this many records.
    ///
    /// # Errors
    ///
    /// Without records, with too many, or when zstd fails.
    pub fn encode(
        kind: Kind,
        records: usize,
        plain: &[u8],
        encoding: &Encoding,
    ) -> Result<Encoded<'static>, EncodeError> {
        if records == 0 {
            return Err(EncodeError::NoRecords);
        }
        let count =
            u32::try_from(records).map_err(|_| EncodeError::TooManyRecords { count: records })?;
        let stored = zstd::bulk::compress(plain, encoding.level.number()).map_err(|source| {
            EncodeError::Compress {
                level: encoding.level,
                source,
            }
        })?;
        Ok(Encoded {
            header: Header {
                stored_size: stored.len() as u64,
                plain_size: plain.len() as u64,
                checksum: xxh3_64(&stored),
                records: count,
                version: VERSION,
                kind,
                compression: Compression::Zstd,
            },
            stored: Cow::Owned(stored),
            offset: 0,
        })
    }

    /// A payload found at this offset; the caller vouches that header and
    /// bytes have the same length.
    pub(crate) fn found(header: Header, stored: Cow<'a, [u8]>, offset: u64) -> Self {
        Self {
            header,
            stored,
            offset,
        }
    }

    /// Its header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The bytes after the header.
    #[must_use]
    pub fn stored(&self) -> &[u8] {
        &self.stored
    }

    /// Where its header began in the file it was read from; 0 when it was made
    /// here. Errors name it.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Checks the stored bytes against the checksum in the header.
    ///
    /// # Errors
    ///
    /// When they differ.
    pub fn verify(&self) -> Result<(), Error> {
        self.header.require(xxh3_64(&self.stored), self.offset)
    }

    /// The same payload with its own bytes.
    #[must_use]
    pub fn into_owned(self) -> Encoded<'static> {
        Encoded {
            header: self.header,
            stored: Cow::Owned(self.stored.into_owned()),
            offset: self.offset,
        }
    }
}
