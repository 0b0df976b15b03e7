use std::io::Write;

use super::{FileType, Header, MAX_PAYLOADS};
use crate::meta;
use crate::payload::{EncodeError, Encoded};

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
    /// Writing failed.
    #[error("writing a {file_type} failed")]
    Io {
        /// What is written.
        file_type: FileType,
        /// What the system says.
        #[source]
        source: std::io::Error,
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
        let header = payload.header().to_bytes();
        self.out
            .write_all(&header)
            .and_then(|()| self.out.write_all(payload.stored()))
            .map_err(|source| WriteError::Io {
                file_type: self.file_type,
                source,
            })
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
