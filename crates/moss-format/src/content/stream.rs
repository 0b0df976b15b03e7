use std::io::{self, BufReader, Read};

use xxhash_rust::xxh3::Xxh3Default;

use super::Slice;
use crate::Limits;
use crate::digest::{Digest, Hasher};
use crate::payload::{self, Compression};

/// Bytes copied at a time.
const BUFFER: usize = 64 << 10;

/// Why a package's content could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The content's payload is beyond a limit, of unknown compression or
    /// version, or damaged.
    #[error(transparent)]
    Payload(#[from] payload::Error),
    /// The index leaves bytes out, names some twice, or goes on beyond the
    /// end.
    #[error(
        "the file {digest} should begin at plain byte {expected} of the content in the payload at byte {payload}, but the index says {start}"
    )]
    Gap {
        /// Where the payload's header begins.
        payload: u64,
        /// The digest of the file, or of nothing at the end of the content.
        digest: Digest,
        /// Where the file before it ends.
        expected: u64,
        /// Where the index says it begins.
        start: u64,
    },
    /// The index ends before the content does, or after it.
    #[error(
        "the files end at plain byte {end} of the content in the payload at byte {payload}, which has {size} bytes"
    )]
    Size {
        /// Where the payload's header begins.
        payload: u64,
        /// Where the last file ends.
        end: u64,
        /// The plain size of the content.
        size: u64,
    },
    /// The content ends early or does not decompress.
    #[error("the content in the payload at byte {payload} cannot be read at plain byte {offset}")]
    Read {
        /// Where the payload's header begins.
        payload: u64,
        /// How many plain bytes were read.
        offset: u64,
        /// What the system or zstd says.
        #[source]
        source: io::Error,
    },
    /// A file's bytes are not those of its digest.
    #[error(
        "the file at plain byte {offset} of the content in the payload at byte {payload} should be {expected} and is {found}"
    )]
    Digest {
        /// Where the payload's header begins.
        payload: u64,
        /// Where the file begins in the plain content.
        offset: u64,
        /// The digest in the index.
        expected: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
}

/// Whether to go on after a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    /// Go on with the next.
    Continue,
    /// Leave the rest unread and unchecked.
    Stop,
}

/// Streams a content payload: shows every file of the index to `visit`, in the
/// order of the content, and checks all that was read.
///
/// A file's digest is checked after `visit` returned; it may read the file or
/// not. After the last file the checksum of the whole payload is checked.
///
/// # Errors
///
/// When the content is malformed or damaged, and what `visit` returns.
pub fn walk<E: From<Error>>(
    stored: impl Read,
    at: (u64, &payload::Header),
    slices: &[Slice],
    limits: &Limits,
    mut visit: impl FnMut(&Slice, &mut dyn Read) -> Result<Visit, E>,
) -> Result<(), E> {
    let (payload, header) = at;
    check_header(payload, header, limits).map_err(Error::Payload)?;
    let slices = check_slices(slices, payload, header.plain_size)?;
    let mut plain = Plain::new(stored, payload, header, limits)?;
    for slice in slices {
        let mut file = File {
            plain: &mut plain,
            left: slice.size(),
            hasher: Hasher::new(),
        };
        let next = visit(&slice, &mut file);
        // A fault of the content is more to the point than what `visit` makes
        // of it.
        if let Some(fault) = file.plain.fault.take() {
            return Err(fault.into());
        }
        let next = next?;
        file.finish(&slice)?;
        if next == Visit::Stop {
            return Ok(());
        }
    }
    plain.finish(header)?;
    Ok(())
}

fn check_header(
    offset: u64,
    header: &payload::Header,
    limits: &Limits,
) -> Result<(), payload::Error> {
    if header.version != payload::VERSION {
        return Err(payload::Error::UnknownVersion {
            offset,
            version: header.version,
        });
    }
    if header.records != 0 {
        return Err(payload::Error::Records {
            offset,
            records: header.records,
        });
    }
    if header.plain_size > limits.content {
        return Err(payload::Error::Limit {
            offset,
            what: "plain bytes",
            size: header.plain_size,
            limit: limits.content,
        });
    }
    Ok(())
}

/// The slices in the order of the content, which they must fill exactly.
fn check_slices(slices: &[Slice], payload: u64, size: u64) -> Result<Vec<Slice>, Error> {
    let mut slices = slices.to_vec();
    slices.sort_by_key(|slice| (slice.start, slice.end));
    let mut expected = 0;
    for slice in &slices {
        if slice.start != expected {
            return Err(Error::Gap {
                payload,
                digest: slice.digest,
                expected,
                start: slice.start,
            });
        }
        expected = slice.end;
    }
    if expected != size {
        return Err(Error::Size {
            payload,
            end: expected,
            size,
        });
    }
    Ok(slices)
}

/// Stored bytes that are hashed while they are read.
struct Hashed<R> {
    source: R,
    hasher: Xxh3Default,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

enum Source<R: Read> {
    Plain(Hashed<R>),
    Zstd(zstd::stream::read::Decoder<'static, BufReader<Hashed<R>>>),
}

/// The plain bytes of the content, counted.
struct Plain<R: Read> {
    payload: u64,
    offset: u64,
    source: Source<R>,
    fault: Option<Error>,
}

impl<R: Read> Plain<R> {
    fn new(
        stored: R,
        payload: u64,
        header: &payload::Header,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let hashed = Hashed {
            source: stored,
            hasher: Xxh3Default::new(),
        };
        let failed = |source| Error::Read {
            payload,
            offset: 0,
            source,
        };
        let source = match header.compression {
            Compression::None => Source::Plain(hashed),
            Compression::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(
                    BufReader::with_capacity(BUFFER, hashed),
                )
                .map_err(failed)?;
                decoder.window_log_max(limits.window_log).map_err(failed)?;
                Source::Zstd(decoder)
            }
            Compression::Other(compression) => {
                return Err(Error::Payload(payload::Error::UnknownCompression {
                    offset: payload,
                    compression,
                }));
            }
        };
        Ok(Self {
            payload,
            offset: 0,
            source,
            fault: None,
        })
    }

    fn fault_of(&self, source: io::Error) -> Error {
        Error::Read {
            payload: self.payload,
            offset: self.offset,
            source,
        }
    }

    /// Checks that nothing follows, and the checksum of all stored bytes.
    fn finish(mut self, header: &payload::Header) -> Result<(), Error> {
        let mut more = [0];
        let count = self.read(&mut more).map_err(|error| self.fault_of(error))?;
        if count != 0 {
            return Err(Error::Payload(payload::Error::PlainSize {
                offset: self.payload,
                expected: header.plain_size,
                found: self.offset,
            }));
        }
        let (payload, offset) = (self.payload, self.offset);
        let mut hashed = match self.source {
            Source::Plain(hashed) => hashed,
            Source::Zstd(decoder) => decoder.finish().into_inner(),
        };
        io::copy(&mut hashed, &mut io::sink()).map_err(|source| Error::Read {
            payload,
            offset,
            source,
        })?;
        Ok(header.require(hashed.hasher.digest(), payload)?)
    }
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.source {
            Source::Plain(source) => source.read(buffer)?,
            Source::Zstd(source) => source.read(buffer)?,
        };
        self.offset = self.offset.saturating_add(count as u64);
        Ok(count)
    }
}

/// One file within the content.
struct File<'a, R: Read> {
    plain: &'a mut Plain<R>,
    left: u64,
    hasher: Hasher,
}

impl<R: Read> File<'_, R> {
    /// Keeps the fault for `walk` and gives the reader one of its kind.
    fn fail(&mut self, error: io::Error) -> io::Error {
        let same = io::Error::new(error.kind(), error.to_string());
        self.plain.fault = Some(self.plain.fault_of(error));
        same
    }

    fn finish(mut self, slice: &Slice) -> Result<(), Error> {
        let copied = io::copy(&mut self, &mut io::sink());
        if let Some(fault) = self.plain.fault.take() {
            return Err(fault);
        }
        copied.map_err(|error| self.plain.fault_of(error))?;
        let found = self.hasher.digest();
        if found != slice.digest {
            return Err(Error::Digest {
                payload: self.plain.payload,
                offset: slice.start,
                expected: slice.digest,
                found,
            });
        }
        Ok(())
    }
}

impl<R: Read> Read for File<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let room = buffer.len().min(most);
        let Some(buffer) = buffer.get_mut(..room) else {
            return Ok(0);
        };
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = match self.plain.read(buffer) {
            Ok(0) => return Err(self.fail(io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => return Err(self.fail(error)),
        };
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}
