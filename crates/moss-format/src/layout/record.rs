use super::{Entry, Kind};
use crate::bytes::{Input, without_trailing_nul};
use crate::payload::{self, Encoded, Encoding};
use crate::{Digest, Short};

/// Padding after a record's type.
const PADDING: usize = 11;

/// Why a layout could not be read. Offsets count plain bytes of the payload
/// and name where the record begins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
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
    /// The record's source is not as long as its type wants.
    #[error(
        "the record at plain byte {offset} has a source of {length} bytes instead of {expected}"
    )]
    SourceLength {
        /// Where the record begins.
        offset: u64,
        /// Bytes of the source.
        length: usize,
        /// Bytes that the type wants.
        expected: usize,
    },
    /// A path or link text is not UTF-8 or holds a NUL.
    #[error("the record at plain byte {offset} has a path that is not text")]
    NotText {
        /// Where the record begins.
        offset: u64,
    },
    /// A path or link text is empty.
    #[error("the record at plain byte {offset} has an empty path")]
    Empty {
        /// Where the record begins.
        offset: u64,
    },
}

/// Why a layout could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// A path or link text is longer than 65,535 bytes.
    #[error("the path {target:?} or its link text is too long")]
    TooLong {
        /// The entry's target.
        target: String,
    },
    /// A path or link text holds a NUL or is empty.
    #[error("the path {target:?} or its link text is empty or holds a NUL")]
    NotText {
        /// The entry's target.
        target: String,
    },
    /// The payload could not be made.
    #[error("the layout could not be encoded")]
    Payload(#[from] payload::EncodeError),
}

/// Reads the records in a payload's plain bytes, which must be exactly this
/// many.
///
/// # Errors
///
/// When a record is malformed.
pub fn decode(plain: &[u8], records: u32) -> Result<Vec<Entry>, Error> {
    let mut input = Input::new(plain);
    let mut entries = Vec::new();
    for _ in 0..records {
        entries.push(read(&mut input)?);
    }
    match input.left() as u64 {
        0 => Ok(entries),
        count => Err(Error::Trailing {
            offset: input.offset(),
            count,
        }),
    }
}

/// The entries as a payload, in the given order.
///
/// # Errors
///
/// Without entries, when a path cannot be written, or when compression fails.
pub fn encode(entries: &[Entry], encoding: &Encoding) -> Result<Encoded<'static>, EncodeError> {
    let mut plain = Vec::new();
    for entry in entries {
        write(entry, &mut plain)?;
    }
    Ok(Encoded::encode(
        payload::Kind::Layout,
        entries.len(),
        &plain,
        encoding,
    )?)
}

fn read(input: &mut Input<'_>) -> Result<Entry, Error> {
    let offset = input.offset();
    let uid = input.u32()?;
    let gid = input.u32()?;
    let mode = input.u32()?;
    let tag = input.u32()?;
    let source = input.u16()?;
    let target = input.u16()?;
    let kind = input.u8()?;
    input.array::<PADDING>()?;
    let source = input.take(source.into())?;
    // Old files write a leading slash or a NUL at the end.
    let target = text(input.take(target.into())?, offset)?;
    let target = target.trim_start_matches('/');
    if target.is_empty() {
        return Err(Error::Empty { offset });
    }
    Ok(Entry {
        uid,
        gid,
        mode,
        tag,
        kind: read_kind(kind, source, offset)?,
        target: target.to_owned(),
    })
}

fn read_kind(kind: u8, source: &[u8], offset: u64) -> Result<Kind, Error> {
    let wants = |expected: usize| Error::SourceLength {
        offset,
        length: source.len(),
        expected,
    };
    let bare = |kind| {
        if source.is_empty() {
            Ok(kind)
        } else {
            Err(wants(0))
        }
    };
    match kind {
        1 => {
            let digest = source.try_into().map_err(|_| wants(16))?;
            Ok(Kind::Regular(Digest::from_be_bytes(digest)))
        }
        2 => match text(source, offset)? {
            "" => Err(Error::Empty { offset }),
            text => Ok(Kind::Symlink(text.to_owned())),
        },
        3 => bare(Kind::Directory),
        4 => bare(Kind::CharDevice),
        5 => bare(Kind::BlockDevice),
        6 => bare(Kind::Fifo),
        7 => bare(Kind::Socket),
        number => Ok(Kind::Other {
            number,
            source: source.to_vec(),
        }),
    }
}

fn text(bytes: &[u8], offset: u64) -> Result<&str, Error> {
    let bytes = without_trailing_nul(bytes);
    if bytes.contains(&0) {
        return Err(Error::NotText { offset });
    }
    std::str::from_utf8(bytes).map_err(|_| Error::NotText { offset })
}

fn write(entry: &Entry, plain: &mut Vec<u8>) -> Result<(), EncodeError> {
    let too_long = || EncodeError::TooLong {
        target: entry.target.clone(),
    };
    let not_text = || EncodeError::NotText {
        target: entry.target.clone(),
    };
    let check = |text: &str| {
        if text.is_empty() || text.contains('\0') {
            return Err(not_text());
        }
        Ok(())
    };
    check(&entry.target)?;
    let (kind, source) = match &entry.kind {
        Kind::Regular(digest) => (1, digest.to_be_bytes().to_vec()),
        Kind::Symlink(text) => {
            check(text)?;
            (2, text.clone().into_bytes())
        }
        Kind::Directory => (3, Vec::new()),
        Kind::CharDevice => (4, Vec::new()),
        Kind::BlockDevice => (5, Vec::new()),
        Kind::Fifo => (6, Vec::new()),
        Kind::Socket => (7, Vec::new()),
        Kind::Other { number, source } => (*number, source.clone()),
    };
    let source_length = u16::try_from(source.len()).map_err(|_| too_long())?;
    let target_length = u16::try_from(entry.target.len()).map_err(|_| too_long())?;
    for number in [entry.uid, entry.gid, entry.mode, entry.tag] {
        plain.extend_from_slice(&number.to_be_bytes());
    }
    plain.extend_from_slice(&source_length.to_be_bytes());
    plain.extend_from_slice(&target_length.to_be_bytes());
    plain.push(kind);
    plain.extend_from_slice(&[0; PADDING]);
    plain.extend_from_slice(&source);
    plain.extend_from_slice(entry.target.as_bytes());
    Ok(())
}
