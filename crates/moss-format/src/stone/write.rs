use std::io::{self, Read, Write};

use super::{FileType, Header, MAX_PAYLOADS};
use crate::meta;
use crate::payload::{self, EncodeError, Encoded};

/// Bytes copied at a time.
const BUFFER: usize = 64 << 10;

/// Writes a container, payload by payload.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    left: usize,
    file_type: FileType,
}

/// Why a container could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The header counts payloads in 16 bits.
    #[error("a {file_type} holds at most {MAX_PAYLOADS} payloads, not {count}")]
    TooMany {
        /// What is written.
        file_type: FileType,
        /// How many payloads it should hold.
        count: usize,
    },
    /// Fewer or more payloads were written than announced.
    #[error("the number of payloads written is not the number announced")]
    Count,
    /// A payload could not be made.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A package's metadata could not be encoded.
    #[error(transparent)]
    Meta(#[from] meta::EncodeError),
    /// A payload that is copied could not be read.
    #[error("reading the payload to copy failed at its stored byte {offset}")]
    Copy {
        /// How many stored bytes were copied.
        offset: u64,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A payload that is copied is not as long as its header says.
    #[error("the payload to copy should have {expected} stored bytes and has {found}")]
    StoredSize {
        /// The size in the header.
        expected: u64,
        /// The size found; more than expected stands for any excess.
        found: u64,
    },
    /// Writing failed.
    #[error("writing a {file_type} failed")]
    Io {
        /// What is written.
        file_type: FileType,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl<W: Write> Writer<W> {
    /// Writes the header of a file with this many payloads.
    ///
    /// # Errors
    ///
    /// With more than [`MAX_PAYLOADS`], or when writing fails.
    pub fn new(mut out: W, file_type: FileType, payloads: usize) -> Result<Self, WriteError> {
        let count = u16::try_from(payloads).map_err(|_| WriteError::TooMany {
            file_type,
            count: payloads,
        })?;
        let header = Header {
            payloads: count,
            file_type,
        };
        out.write_all(&header.to_bytes())
            .map_err(|source| WriteError::Io { file_type, source })?;
        Ok(Self {
            out,
            left: payloads,
            file_type,
        })
    }

    /// Writes one payload as it is.
    ///
    /// # Errors
    ///
    /// When all announced payloads were written, or writing fails.
    pub fn payload(&mut self, payload: &Encoded<'_>) -> Result<(), WriteError> {
        self.left = self.left.checked_sub(1).ok_or(WriteError::Count)?;
        self.write(&payload.header().to_bytes())?;
        self.write(payload.stored())
    }

    /// Copies one payload with these stored bytes, a piece at a time, so that it
    /// may be larger than memory. They are not checked against the checksum in
    /// the header: [`Reader::verify`](super::Reader::verify) does that.
    ///
    /// # Errors
    ///
    /// When all announced payloads were written, `stored` has fewer or more
    /// bytes than the header says, or reading or writing fails.
    pub fn copy(&mut self, header: &payload::Header, stored: impl Read) -> Result<(), WriteError> {
        self.left = self.left.checked_sub(1).ok_or(WriteError::Count)?;
        let expected = header.stored_size;
        let mut stored = stored.take(expected.saturating_add(1));
        self.write(&header.to_bytes())?;
        let mut buffer = vec![0; BUFFER];
        let mut found = 0_u64;
        loop {
            let count = match stored.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => {
                    return Err(WriteError::Copy {
                        offset: found,
                        source,
                    });
                }
            };
            found = found.saturating_add(count as u64);
            if found > expected {
                break;
            }
            self.write(buffer.get(..count).unwrap_or_default())?;
        }
        if found != expected {
            return Err(WriteError::StoredSize { expected, found });
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let file_type = self.file_type;
        self.out
            .write_all(bytes)
            .map_err(|source| WriteError::Io { file_type, source })
    }

    /// Lets `write` write one payload, header and all.
    pub(crate) fn streamed<E: From<WriteError>>(
        &mut self,
        write: impl FnOnce(&mut W) -> Result<(), E>,
    ) -> Result<(), E> {
        self.left = self.left.checked_sub(1).ok_or(WriteError::Count)?;
        write(&mut self.out)
    }

    /// Ends the file.
    ///
    /// # Errors
    ///
    /// When fewer payloads were written than announced, or flushing fails.
    pub fn finish(mut self) -> Result<W, WriteError> {
        if self.left != 0 {
            return Err(WriteError::Count);
        }
        self.out.flush().map_err(|source| WriteError::Io {
            file_type: self.file_type,
            source,
        })?;
        Ok(self.out)
    }
}
