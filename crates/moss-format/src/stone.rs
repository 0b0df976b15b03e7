//! The container that packages, manifests and indexes share: a header of 32
//! bytes, then payloads.
//!
//! Integers are big-endian. The payloads fill the file to its last byte; bytes
//! beyond the last one are an error.

mod kept;
mod read;
mod view;
mod write;

use crate::bytes::Input;
use crate::{Limits, Short, attributes, content, layout, meta, payload};

pub use kept::Kept;
pub(crate) use kept::Places;
pub use read::{Located, Reader};
pub use view::View;
pub use write::{WriteError, Writer};

/// Bytes of a container header.
pub const HEADER_SIZE: u64 = 32;

/// Where the header has the type of the file.
const FILE_TYPE_AT: u64 = 27;

/// Most payloads of one file, and so most packages of one index.
pub const MAX_PAYLOADS: usize = u16::MAX as usize;

const MAGIC: [u8; 4] = *b"\0mos";
const INTEGRITY: [u8; 21] = [
    0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 4, 0, 0, 5, 0, 0, 6, 0, 0, 7,
];
const VERSION: u32 = 1;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileType {
    /// A [package](crate::package).
    Package,
    /// The difference of two packages; read as payloads only.
    Delta,
    /// A [repository index](crate::index).
    Index,
    /// A [build manifest](crate::manifest).
    Manifest,
}

impl FileType {
    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Package),
            2 => Some(Self::Delta),
            3 => Some(Self::Index),
            4 => Some(Self::Manifest),
            _ => None,
        }
    }

    fn as_byte(self) -> u8 {
        match self {
            Self::Package => 1,
            Self::Delta => 2,
            Self::Index => 3,
            Self::Manifest => 4,
        }
    }
}

impl std::fmt::Display for FileType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Package => "package",
            Self::Delta => "delta",
            Self::Index => "repository index",
            Self::Manifest => "build manifest",
        })
    }
}

/// The header of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// How many payloads follow.
    pub payloads: u16,
    /// What the file is.
    pub file_type: FileType,
}

impl Header {
    /// The 32 bytes of the header.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let fields = MAGIC
            .into_iter()
            .chain(self.payloads.to_be_bytes())
            .chain(INTEGRITY)
            .chain([self.file_type.as_byte()])
            .chain(VERSION.to_be_bytes());
        for (to, from) in bytes.iter_mut().zip(fields) {
            *to = from;
        }
        bytes
    }

    pub(crate) fn read(input: &mut Input<'_>) -> Result<Self, Error> {
        let bytes: [u8; 32] = input.array()?;
        let mut input = Input::new(&bytes);
        let magic = input.array()?;
        if magic != MAGIC {
            return Err(Error::Magic { found: magic });
        }
        let payloads = input.u16()?;
        let offset = input.offset();
        if input.array()? != INTEGRITY {
            return Err(Error::Integrity { offset });
        }
        let offset = input.offset();
        let file_type = input.u8()?;
        let file_type =
            FileType::from_byte(file_type).ok_or(Error::UnknownFileType { offset, file_type })?;
        let offset = input.offset();
        let version = input.u32()?;
        if version != VERSION {
            return Err(Error::UnknownVersion { offset, version });
        }
        Ok(Self {
            payloads,
            file_type,
        })
    }
}

/// Why a file could not be read. Offsets count from the start of the file
/// unless they say otherwise.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading or seeking failed.
    #[error("reading the file at byte {offset} failed")]
    Io {
        /// Where it was read.
        offset: u64,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The file is larger than what is [read into memory](crate::Limits::file).
    #[error("the file goes on at byte {limit}, where the limit of a file in memory is")]
    TooLarge {
        /// The limit, and so the offset of the first byte beyond it.
        limit: u64,
    },
    /// The file ends early.
    #[error(transparent)]
    Short(#[from] Short),
    /// The file does not begin as a stone does.
    #[error("this is no stone: it begins with the bytes {found:02x?} instead of {MAGIC:02x?}")]
    Magic {
        /// The first four bytes.
        found: [u8; 4],
    },
    /// The header's constant bytes are damaged, as a transfer as text does.
    #[error("the header is damaged at byte {offset}")]
    Integrity {
        /// Where the constant bytes begin.
        offset: u64,
    },
    /// The file type is unknown.
    #[error("the file type {file_type} at byte {offset} is unknown")]
    UnknownFileType {
        /// Where it stands.
        offset: u64,
        /// Its number.
        file_type: u8,
    },
    /// The container's version is unknown.
    #[error("the container version {version} at byte {offset} is unknown")]
    UnknownVersion {
        /// Where it stands.
        offset: u64,
        /// The version.
        version: u32,
    },
    /// The file is of another type than was asked for.
    #[error("the file is a {found} by the type at byte {offset}, not a {expected}")]
    WrongFileType {
        /// Where the type stands.
        offset: u64,
        /// What was asked for.
        expected: FileType,
        /// What it is.
        found: FileType,
    },
    /// Bytes follow the last payload.
    #[error("{count} bytes follow the last payload, which ends at byte {offset}")]
    Trailing {
        /// Where the last payload ends.
        offset: u64,
        /// How many bytes follow.
        count: u64,
    },
    /// A payload could not be decoded.
    #[error(transparent)]
    Payload(#[from] payload::Error),
    /// A metadata record is malformed.
    #[error("the metadata in the payload at byte {payload} is malformed")]
    Meta {
        /// Where the payload's header begins.
        payload: u64,
        /// What is wrong, at which plain byte.
        #[source]
        source: meta::Error,
    },
    /// A layout record is malformed.
    #[error("the layout in the payload at byte {payload} is malformed")]
    Layout {
        /// Where the payload's header begins.
        payload: u64,
        /// What is wrong, at which plain byte.
        #[source]
        source: layout::Error,
    },
    /// An index record is malformed.
    #[error("the content index in the payload at byte {payload} is malformed")]
    Index {
        /// Where the payload's header begins.
        payload: u64,
        /// What is wrong, at which plain byte.
        #[source]
        source: content::IndexError,
    },
    /// An attribute is malformed.
    #[error("the attributes in the payload at byte {payload} are malformed")]
    Attributes {
        /// Where the payload's header begins.
        payload: u64,
        /// What is wrong, at which plain byte.
        #[source]
        source: attributes::Error,
    },
}

impl Error {
    /// Whether the system failed to read, which says nothing about the file.
    #[must_use]
    pub fn is_of_system(&self) -> bool {
        matches!(self, Self::Io { .. })
    }
}

/// Decodes a payload's plain bytes as metadata.
pub(crate) fn decode_meta(
    decoder: &mut payload::Decoder,
    encoded: &payload::Encoded<'_>,
) -> Result<meta::Meta, Error> {
    let plain = decoder.plain(encoded)?;
    meta::Meta::decode(&plain, encoded.header().records).map_err(|source| Error::Meta {
        payload: encoded.offset(),
        source,
    })
}

/// Reads a whole file into memory, up to the [limit](Limits::file).
///
/// # Errors
///
/// When it is larger or cannot be read.
pub fn read_whole(source: impl std::io::Read, limits: &Limits) -> Result<Vec<u8>, Error> {
    let limit = limits.file;
    let mut bytes = Vec::new();
    let mut source = source.take(limit.saturating_add(1));
    std::io::Read::read_to_end(&mut source, &mut bytes).map_err(|source| Error::Io {
        offset: bytes.len() as u64,
        source,
    })?;
    if bytes.len() as u64 > limit {
        return Err(Error::TooLarge { limit });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
