use std::borrow::Cow;

use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode;
use zstd::zstd_safe::{DCtx, get_error_name};

use super::{Compression, Encoded, Error, Level, VERSION};
use crate::Limits;

/// Plain bytes for which there is room from the start.
const SMALL: usize = 64 << 10;

/// How many times its stored size a payload of records usually has at most.
const USUAL_RATIO: usize = 16;

/// What zstd says when the room does not suffice.
const TOO_SMALL: usize = (ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall as usize).wrapping_neg();

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
        self.spent = self.spent.saturating_add(header.plain_size);
        within("plain bytes", header.plain_size, self.limits.payload)?;
        within(
            "plain bytes with those before it",
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
