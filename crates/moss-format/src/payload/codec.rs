use std::borrow::Cow;

use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode;
use zstd::zstd_safe::{DCtx, get_error_name};

use super::{Compression, Encoded, Error, Level, VERSION};
use crate::Limits;

/// Plain bytes for which there is room from the start.
const SMALL: usize = 64 << 10;

/// How many times its stored size a payload of records usually has at most.
const USUAL_RATIO: usize = 16;

/// What a record takes in memory beside its plain bytes, in bytes: about as
/// much as the smallest is held in.
const RECORD: u64 = 64;

/// What zstd says when the room does not suffice.
const TOO_SMALL: usize = (ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall as usize).wrapping_neg();

/// Whether zstd says that there is no memory for the window that the data asks
/// for, which says nothing about the data.
pub(crate) fn is_lack_of_memory(error: &std::io::Error) -> bool {
    const CODE: usize = (ZSTD_ErrorCode::ZSTD_error_memory_allocation as usize).wrapping_neg();
    error.to_string() == get_error_name(CODE)
}

/// How payloads are compressed when they are written.
///
/// Output is the same for the same input and settings, whatever the number of
/// workers, as long as it is not changed between zero and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Encoding {
    /// How hard zstd compresses; 16 by default.
    pub level: Level,
    /// Threads that compress content beside the caller's; 0, the default,
    /// compresses on the caller's thread.
    pub workers: u32,
}

/// Decodes payloads of one file, within its limits.
pub struct Decoder {
    limits: Limits,
    spent: u64,
    context: DCtx<'static>,
}

impl Decoder {
    /// A decoder that accepts this much.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            spent: 0,
            context: DCtx::create(),
        }
    }

    /// The limits it was made with.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Goes on with another file, which may be as large again.
    pub(crate) fn next_file(&mut self) {
        self.spent = 0;
    }

    /// Checks a payload's checksum and gives its plain bytes.
    ///
    /// # Errors
    ///
    /// When the payload is damaged, of unknown version or compression, or
    /// beyond a limit.
    pub fn plain<'p>(&mut self, payload: &'p Encoded<'_>) -> Result<Cow<'p, [u8]>, Error> {
        let (header, offset) = (payload.header(), payload.offset());
        payload.verify()?;
        if header.version != VERSION {
            return Err(Error::UnknownVersion {
                offset,
                version: header.version,
            });
        }
        self.check_limits(payload)?;
        let plain = match header.compression {
            Compression::None => Cow::Borrowed(payload.stored()),
            Compression::Zstd => Cow::Owned(self.inflate(payload)?),
            Compression::Other(compression) => {
                return Err(Error::UnknownCompression {
                    offset,
                    compression,
                });
            }
        };
        if plain.len() as u64 != header.plain_size {
            return Err(Error::PlainSize {
                offset,
                expected: header.plain_size,
                found: plain.len() as u64,
            });
        }
        Ok(plain)
    }

    fn check_limits(&mut self, payload: &Encoded<'_>) -> Result<(), Error> {
        let header = payload.header();
        let within = |what, size: u64, limit: u64| {
            if size <= limit {
                return Ok(());
            }
            Err(Error::Limit {
                offset: payload.offset(),
                what,
                size,
                limit,
            })
        };
        let records = u64::from(header.records).saturating_mul(RECORD);
        let size = header.plain_size.saturating_add(records);
        self.spent = self.spent.saturating_add(size);
        within("plain bytes", header.plain_size, self.limits.payload)?;
        within(
            "plain bytes and records with those before it",
            self.spent,
            self.limits.payloads,
        )?;
        within("records", header.records.into(), self.limits.records.into())
    }

    /// Decompresses in one go, into room that grows with what is really there.
    ///
    /// One go needs no window of its own: real manifests of some hundred bytes
    /// ask for one of a gigabyte.
    fn inflate(&mut self, payload: &Encoded<'_>) -> Result<Vec<u8>, Error> {
        let offset = payload.offset();
        let expected = payload.header().plain_size;
        let most = usize::try_from(expected).unwrap_or(usize::MAX);
        let usual = payload.stored().len().saturating_mul(USUAL_RATIO);
        let mut room = usual.max(SMALL).min(most);
        loop {
            let mut plain = Vec::with_capacity(room);
            match self.context.decompress(&mut plain, payload.stored()) {
                Ok(_) => return Ok(plain),
                Err(TOO_SMALL) if room < most => room = room.saturating_mul(4).min(most),
                Err(TOO_SMALL) => {
                    return Err(Error::PlainSize {
                        offset,
                        expected,
                        found: expected.saturating_add(1),
                    });
                }
                Err(code) => {
                    let source = std::io::Error::other(get_error_name(code));
                    return Err(Error::Decompress { offset, source });
                }
            }
        }
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder")
            .field("limits", &self.limits)
            .field("spent", &self.spent)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It is known by its text only.
    #[test]
    fn a_lack_of_memory_is_told_from_bad_data() {
        let said = |code: ZSTD_ErrorCode| {
            let code = (code as usize).wrapping_neg();
            std::io::Error::other(get_error_name(code))
        };
        assert!(is_lack_of_memory(&said(
            ZSTD_ErrorCode::ZSTD_error_memory_allocation
        )));
        assert!(!is_lack_of_memory(&said(
            ZSTD_ErrorCode::ZSTD_error_corruption_detected
        )));
        let cut = zstd::stream::decode_all(&[0x28, 0xb5, 0x2f, 0xfd][..]).unwrap_err();
        assert!(!is_lack_of_memory(&cut));
    }
}
