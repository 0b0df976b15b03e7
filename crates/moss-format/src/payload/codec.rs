use std::borrow::Cow;
use std::io::Read;

use zstd::stream::read::Decoder as ZstdDecoder;
use zstd::zstd_safe::DCtx;

use super::{Compression, Encoded, Error, VERSION};
use crate::Limits;

/// Windows up to this power of two are always accepted: it is zstd's own
/// default, and writers that do not know the size in advance use a window
/// larger than small content.
const USUAL_WINDOW_LOG: u32 = 27;

/// How payloads are compressed when they are written.
///
/// Output is the same for the same input and settings, whatever the number of
/// workers, as long as it is not changed between zero and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// The zstd level, 1 to 22. 16 by default.
    pub level: i32,
    /// Threads that compress content beside the caller's; 0, the default,
    /// compresses on the caller's thread.
    pub workers: u32,
}

impl Default for Encoding {
    fn default() -> Self {
        Self {
            level: 16,
            workers: 0,
        }
    }
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

    /// Decompresses at most one byte more than the header claims.
    fn inflate(&mut self, payload: &Encoded<'_>) -> Result<Vec<u8>, Error> {
        let header = payload.header();
        let failed = |source| Error::Decompress {
            offset: payload.offset(),
            source,
        };
        let mut decoder = ZstdDecoder::with_context(payload.stored(), &mut self.context);
        decoder
            .window_log_max(window_log(&self.limits, header.plain_size))
            .map_err(failed)?;
        let mut plain = Vec::new();
        decoder
            .take(header.plain_size.saturating_add(1))
            .read_to_end(&mut plain)
            .map_err(failed)?;
        Ok(plain)
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

/// The largest window that a payload of this plain size may ask for: memory
/// for it is taken before the first byte is decompressed.
pub(crate) fn window_log(limits: &Limits, plain_size: u64) -> u32 {
    let needed = plain_size
        .checked_next_power_of_two()
        .map_or(u32::MAX, u64::trailing_zeros);
    needed.max(USUAL_WINDOW_LOG).min(limits.window_log)
}
