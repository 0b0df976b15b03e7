use std::borrow::Cow;
use std::io::{self, Read, Seek, SeekFrom};

use xxhash_rust::xxh3::Xxh3Default;

use super::{Error, FileType, HEADER_SIZE, Header};
use crate::bytes::Input;
use crate::payload::{self, Encoded};
use crate::{Limits, Short};

/// Bytes read and hashed at a time.
const BUFFER: usize = 64 << 10;

/// A file that is read piece by piece.
///
/// Opening it walks the payload headers, so that the row of payloads is known
/// to fill the file exactly before any of them is read.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    limits: Limits,
    header: Header,
    payloads: Vec<Located>,
}

/// A payload's header and where it begins in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Located {
    offset: u64,
    header: payload::Header,
}

impl Located {
    /// Where the payload's header begins.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The payload's header.
    #[must_use]
    pub fn header(&self) -> &payload::Header {
        &self.header
    }

    /// Where its stored bytes begin.
    fn stored_offset(&self) -> u64 {
        self.offset.saturating_add(payload::HEADER_SIZE)
    }
}

impl<R: Read + Seek> Reader<R> {
    /// Reads the headers of the file, with the default limits.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is not a row of payloads to its end.
    pub fn open(source: R) -> Result<Self, Error> {
        Self::with_limits(source, Limits::default())
    }

    /// Reads the headers of the file.
    ///
    /// # Errors
    ///
    /// As [`Reader::open`].
    pub fn with_limits(mut source: R, limits: Limits) -> Result<Self, Error> {
        let length = source
            .seek(SeekFrom::End(0))
            .map_err(|source| Error::Io { offset: 0, source })?;
        let start = read_at(&mut source, 0, HEADER_SIZE)?;
        let header = Header::read(&mut Input::new(&start))?;
        let mut reader = Self {
            source,
            limits,
            header,
            payloads: Vec::new(),
        };
        reader.locate(length)?;
        Ok(reader)
    }

    /// The container's header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where the last payload ends, and with it the file.
    pub(crate) fn end(&self) -> u64 {
        self.payloads.last().map_or(HEADER_SIZE, |at| {
            at.stored_offset().saturating_add(at.header.stored_size)
        })
    }

    /// The limits it was opened with.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The payloads in the order of the file.
    #[must_use]
    pub fn payloads(&self) -> &[Located] {
        &self.payloads
    }

    /// Fails unless the file is of this type.
    ///
    /// # Errors
    ///
    /// When it is of another.
    pub fn require(&self, expected: FileType) -> Result<(), Error> {
        self.header.file_type.require(expected)
    }

    /// Reads a payload into memory, as it is stored.
    ///
    /// # Errors
    ///
    /// When it is beyond the limits or cannot be read. Its checksum is not
    /// looked at: [`Encoded::verify`] and [`payload::Decoder::plain`] do that.
    pub fn read(&mut self, at: &Located) -> Result<Encoded<'static>, Error> {
        if at.header.stored_size > self.limits.payload {
            return Err(Error::Payload(payload::Error::Limit {
                offset: at.offset,
                what: "stored bytes",
                size: at.header.stored_size,
                limit: self.limits.payload,
            }));
        }
        let offset = at.stored_offset();
        let stored = read_at(&mut self.source, offset, at.header.stored_size)?;
        Ok(Encoded::found(at.header, Cow::Owned(stored), at.offset))
    }

    /// The stored bytes of a payload as a stream, for content too large for
    /// memory. They are not checked.
    ///
    /// # Errors
    ///
    /// When seeking fails.
    pub fn stream(&mut self, at: &Located) -> Result<impl Read + use<'_, R>, Error> {
        let offset = at.stored_offset();
        self.source
            .seek(SeekFrom::Start(offset))
            .map_err(|source| Error::Io { offset, source })?;
        Ok((&mut self.source).take(at.header.stored_size))
    }

    /// Checks the stored bytes of a payload against its checksum, a piece at a
    /// time: also those of a payload that is beyond the limits.
    ///
    /// # Errors
    ///
    /// When they differ or cannot be read.
    pub fn verify(&mut self, at: &Located) -> Result<(), Error> {
        let (start, needed) = (at.stored_offset(), at.header.stored_size);
        let mut stored = self.stream(at)?;
        let mut hasher = Xxh3Default::new();
        let mut buffer = vec![0; BUFFER];
        let mut left = needed;
        while left > 0 {
            let count = match stored.read(&mut buffer) {
                Ok(0) => {
                    return Err(Error::Short(Short {
                        offset: start,
                        needed,
                        left: needed.saturating_sub(left),
                    }));
                }
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => {
                    let offset = start.saturating_add(needed.saturating_sub(left));
                    return Err(Error::Io { offset, source });
                }
            };
            hasher.update(buffer.get(..count).unwrap_or_default());
            left = left.saturating_sub(count as u64);
        }
        Ok(at.header.require(hasher.digest(), at.offset)?)
    }

    /// Gives the source back.
    pub fn into_inner(self) -> R {
        self.source
    }

    fn locate(&mut self, length: u64) -> Result<(), Error> {
        let mut offset = HEADER_SIZE;
        for _ in 0..self.header.payloads {
            let bytes = read_at(&mut self.source, offset, payload::HEADER_SIZE)?;
            let header = payload::Header::read(&mut Input::new(&bytes)).map_err(|short| Short {
                offset: offset.saturating_add(short.offset),
                ..short
            })?;
            let start = offset.saturating_add(payload::HEADER_SIZE);
            let left = length.saturating_sub(start);
            if header.stored_size > left {
                return Err(Error::Short(Short {
                    offset: start,
                    needed: header.stored_size,
                    left,
                }));
            }
            self.payloads.push(Located { offset, header });
            offset = start.saturating_add(header.stored_size);
        }
        match length.saturating_sub(offset) {
            0 => Ok(()),
            count => Err(Error::Trailing { offset, count }),
        }
    }
}

/// Reads this many bytes, growing the buffer only by what is really there.
fn read_at(source: &mut (impl Read + Seek), offset: u64, count: u64) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Io { offset, source };
    source.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut bytes = Vec::new();
    source.take(count).read_to_end(&mut bytes).map_err(failed)?;
    let left = bytes.len() as u64;
    if left < count {
        return Err(Error::Short(Short {
            offset,
            needed: count,
            left,
        }));
    }
    Ok(bytes)
}
