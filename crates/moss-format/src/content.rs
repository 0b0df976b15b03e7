//! A package's files, laid end to end in one stream, and the index that says
//! where each begins.

mod stream;

use crate::Digest;
use crate::Short;
use crate::bytes::Input;
use crate::payload::{self, EncodeError, Encoded, Encoding};

pub use stream::{Error, Visit, walk};

/// Where one file lies in the plain content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slice {
    /// Where it begins.
    pub start: u64,
    /// Where it ends; the start again when it is empty.
    pub end: u64,
    /// The digest of its bytes.
    pub digest: Digest,
}

/// Why a content index could not be read. Offsets count plain bytes of the
/// payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// The records end early.
    #[error(transparent)]
    Short(#[from] Short),
    /// Bytes follow the last record.
    #[error("{count} bytes follow the last record, which ends at plain byte {offset}")]
    Trailing {
        /// Where the last record ends.
        offset: u64,
        /// How many bytes follow.
        count: u64,
    },
    /// A file ends before it begins.
    #[error("the record at plain byte {offset} ends at {end}, before its start at {start}")]
    Reversed {
        /// Where the record begins.
        offset: u64,
        /// The claimed start.
        start: u64,
        /// The claimed end.
        end: u64,
    },
}

impl Slice {
    /// Bytes of the file.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

/// Reads the index records in a payload's plain bytes, which must be exactly
/// this many.
///
/// # Errors
///
/// When a record is malformed.
pub fn decode_index(plain: &[u8], records: u32) -> Result<Vec<Slice>, IndexError> {
    let mut input = Input::new(plain);
    let mut slices = Vec::new();
    for _ in 0..records {
        let offset = input.offset();
        let start = input.u64()?;
        let end = input.u64()?;
        let digest = Digest::from_u128(input.u128()?);
        if end < start {
            return Err(IndexError::Reversed { offset, start, end });
        }
        slices.push(Slice { start, end, digest });
    }
    match input.left() as u64 {
        0 => Ok(slices),
        count => Err(IndexError::Trailing {
            offset: input.offset(),
            count,
        }),
    }
}

/// The slices as a payload, in the given order.
///
/// # Errors
///
/// Without slices, or when compression fails.
pub fn encode_index(
    slices: &[Slice],
    encoding: &Encoding,
) -> Result<Encoded<'static>, EncodeError> {
    let mut plain = Vec::new();
    for slice in slices {
        plain.extend_from_slice(&slice.start.to_be_bytes());
        plain.extend_from_slice(&slice.end.to_be_bytes());
        plain.extend_from_slice(&slice.digest.to_be_bytes());
    }
    Encoded::encode(payload::Kind::Index, slices.len(), &plain, encoding)
}

#[cfg(test)]
mod tests;
