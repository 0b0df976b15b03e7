//! Payloads: the parts of a container, each with a header of 32 bytes.

mod codec;
mod encoded;
mod level;

use crate::bytes::{Input, Short};

pub(crate) use codec::is_lack_of_memory;
pub use codec::{Decoder, Encoding};
pub use encoded::{EncodeError, Encoded};
pub use level::{Level, LevelError};

/// Bytes of a payload header.
pub const HEADER_SIZE: u64 = 32;

/// The only version of payloads.
pub const VERSION: u16 = 1;

/// What a payload holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// [Metadata records](crate::meta).
    Meta,
    /// The files' bytes, [laid end to end](crate::content).
    Content,
    /// [Paths, modes and digests](crate::layout).
    Layout,
    /// [Where each file lies in the content](crate::content::Slice).
    Index,
    /// [Key and value pairs](crate::attributes).
    Attributes,
    /// A kind this library does not know; it is kept as it is.
    Other(u8),
}

impl Kind {
    /// The kind of this number.
    #[must_use]
    pub fn from_byte(byte: u8) -> Self {
        match byte {
            1 => Self::Meta,
            2 => Self::Content,
            3 => Self::Layout,
            4 => Self::Index,
            5 => Self::Attributes,
            other => Self::Other(other),
        }
    }

    /// The number of this kind.
    #[must_use]
    pub fn as_byte(self) -> u8 {
        match self {
            Self::Meta => 1,
            Self::Content => 2,
            Self::Layout => 3,
            Self::Index => 4,
            Self::Attributes => 5,
            Self::Other(other) => other,
        }
    }
}

/// How a payload's bytes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// As they are.
    None,
    /// As zstd frames.
    Zstd,
    /// In a way this library does not know; the bytes are kept as they are.
    Other(u8),
}

impl Compression {
    /// The compression of this number.
    #[must_use]
    pub fn from_byte(byte: u8) -> Self {
        match byte {
            1 => Self::None,
            2 => Self::Zstd,
            other => Self::Other(other),
        }
    }

    /// The number of this compression.
    #[must_use]
    pub fn as_byte(self) -> u8 {
        match self {
            Self::None => 1,
            Self::Zstd => 2,
            Self::Other(other) => other,
        }
    }
}

/// The header of a payload. Its sizes and counts are claims until checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Bytes that follow the header.
    pub stored_size: u64,
    /// Bytes after decompression.
    pub plain_size: u64,
    /// XXH3-64 (seed 0) of the stored bytes.
    pub checksum: u64,
    /// Records in the plain bytes; 0 for content.
    pub records: u32,
    /// Version of the payload, [`VERSION`] in all known files.
    pub version: u16,
    /// What it holds.
    pub kind: Kind,
    /// How it is stored.
    pub compression: Compression,
}

impl Header {
    /// The 32 bytes of the header.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let fields = self
            .stored_size
            .to_be_bytes()
            .into_iter()
            .chain(self.plain_size.to_be_bytes())
            .chain(self.checksum.to_be_bytes())
            .chain(self.records.to_be_bytes())
            .chain(self.version.to_be_bytes())
            .chain([self.kind.as_byte(), self.compression.as_byte()]);
        for (to, from) in bytes.iter_mut().zip(fields) {
            *to = from;
        }
        bytes
    }

    /// Whether this library understands the payload. One of an unknown kind,
    /// compression or version is passed over and kept as it is.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.version == VERSION
            && !matches!(self.kind, Kind::Other(_))
            && !matches!(self.compression, Compression::Other(_))
    }

    /// Whether it [is known](Self::is_known) and of this kind.
    #[must_use]
    pub fn holds(&self, kind: Kind) -> bool {
        self.is_known() && self.kind == kind
    }

    /// Compares the checksum of the stored bytes of the payload at `offset`
    /// with the one here.
    pub(crate) fn require(&self, found: u64, offset: u64) -> Result<(), Error> {
        if found == self.checksum {
            return Ok(());
        }
        Err(Error::Checksum {
            offset,
            expected: self.checksum,
            found,
        })
    }

    pub(crate) fn read(input: &mut Input<'_>) -> Result<Self, Short> {
        let bytes: [u8; 32] = input.array()?;
        let mut input = Input::new(&bytes);
        Ok(Self {
            stored_size: input.u64()?,
            plain_size: input.u64()?,
            checksum: input.u64()?,
            records: input.u32()?,
            version: input.u16()?,
            kind: Kind::from_byte(input.u8()?),
            compression: Compression::from_byte(input.u8()?),
        })
    }
}

/// Why a payload could not be decoded. Offsets count from the start of the file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The stored bytes are not those that were written.
    #[error(
        "the payload at byte {offset} is damaged: its checksum is {found:016x}, its header says {expected:016x}"
    )]
    Checksum {
        /// Where the payload's header begins.
        offset: u64,
        /// The checksum in the header.
        expected: u64,
        /// The checksum of the bytes.
        found: u64,
    },
    /// A claim is beyond a [limit](crate::Limits).
    #[error("the payload at byte {offset} has {size} {what}, more than the limit of {limit}")]
    Limit {
        /// Where the payload's header begins.
        offset: u64,
        /// What was counted.
        what: &'static str,
        /// How many the header claims.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The stored bytes do not decompress.
    #[error("the payload at byte {offset} does not decompress")]
    Decompress {
        /// Where the payload's header begins.
        offset: u64,
        /// What zstd says.
        #[source]
        source: std::io::Error,
    },
    /// The plain bytes are more or fewer than the header says.
    #[error("the payload at byte {offset} should have {expected} plain bytes and has {found}")]
    PlainSize {
        /// Where the payload's header begins.
        offset: u64,
        /// The size in the header.
        expected: u64,
        /// The size found; one byte more than expected stands for any excess.
        found: u64,
    },
    /// Content has no records, and its header counts some.
    #[error("the content in the payload at byte {offset} has {records} records instead of none")]
    Records {
        /// Where the payload's header begins.
        offset: u64,
        /// How many the header claims.
        records: u32,
    },
    /// The compression is unknown.
    #[error("the payload at byte {offset} has the unknown compression {compression}")]
    UnknownCompression {
        /// Where the payload's header begins.
        offset: u64,
        /// Its number.
        compression: u8,
    },
    /// The version is unknown.
    #[error("the payload at byte {offset} has the unknown version {version}")]
    UnknownVersion {
        /// Where the payload's header begins.
        offset: u64,
        /// Its version.
        version: u16,
    },
}
