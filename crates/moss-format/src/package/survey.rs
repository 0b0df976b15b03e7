//! What an index says of package files: their metadata with hash and size, in
//! one pass over each file.

use std::fs::File;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{Mode, OFlags};
use sha2::{Digest as _, Sha256};

use super::ReadError;
use crate::bytes::Input;
use crate::payload::{self, Decoder, Encoded};
use crate::stone::{self, FileType, Header};
use crate::{Limits, Meta, Short};

/// Bytes read and hashed at a time.
const BUFFER: usize = 256 << 10;

/// Why a file's package could not be surveyed.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The file could not be opened.
    #[error("the file cannot be opened")]
    Open(#[source] io::Error),
    /// It is a folder, a pipe or another thing that is no file.
    #[error("it is no regular file")]
    NotFile,
    /// It is no package, or cannot be read.
    #[error(transparent)]
    Package(#[from] ReadError),
}

impl SurveyError {
    /// Whether the system failed, which says nothing about the package.
    #[must_use]
    pub fn is_of_system(&self) -> bool {
        match self {
            Self::Open(_) => true,
            Self::NotFile => false,
            Self::Package(error) => error.is_of_system(),
        }
    }
}

/// Reads the metadata of packages and hashes them on the way. What it needs for
/// one package it keeps for the next.
#[derive(Debug)]
pub struct Surveyor {
    decoder: Decoder,
    buffer: Vec<u8>,
}

impl Default for Surveyor {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Surveyor {
    /// A surveyor that accepts this much of each package.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            decoder: Decoder::new(limits),
            buffer: vec![0; BUFFER],
        }
    }

    /// The metadata of a package, with the SHA-256 and size of its file. The
    /// source is read once, from its start to its end.
    ///
    /// Of the parts other than metadata only the places are checked:
    /// [`Package::verify`](super::Package::verify) checks all.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is another kind of file, or its parts or its
    /// metadata are malformed.
    pub fn read(&mut self, source: impl Read) -> Result<Meta, ReadError> {
        self.decoder.next_file();
        let mut pass = Pass::new(source, &mut self.buffer);
        let header = Header::read(&mut Input::new(&pass.array::<32>()?))?;
        header.file_type.require(FileType::Package)?;
        let mut meta = None;
        for _ in 0..header.payloads {
            let at = pass.offset;
            let found = payload_header(&mut pass)?;
            if !found.holds(payload::Kind::Meta) {
                pass.skip(found.stored_size)?;
                continue;
            }
            let stored = pass.take(at, found.stored_size, self.decoder.limits())?;
            let encoded = Encoded::found(found, stored.into(), at);
            let read = stone::decode_meta(&mut self.decoder, &encoded)?;
            if meta.replace(read).is_some() {
                return Err(ReadError::Twice {
                    offset: at,
                    kind: found.kind,
                });
            }
        }
        let offset = pass.offset;
        pass.skip_rest()?;
        match pass.offset.saturating_sub(offset) {
            0 => {}
            count => return Err(stone::Error::Trailing { offset, count }.into()),
        }
        let meta = meta.ok_or(ReadError::NoMeta {
            payloads: header.payloads.into(),
            end: offset,
        })?;
        Ok(Meta {
            size: Some(pass.offset),
            hash: Some(hex::encode(pass.hasher.finalize())),
            ..meta
        })
    }
}

/// Surveys package files on this many threads. The answers come in the order
/// of the files.
pub fn survey<P: AsRef<Path> + Sync>(
    files: &[P],
    threads: NonZeroUsize,
    limits: Limits,
) -> Vec<Result<Meta, SurveyError>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut surveyor = Surveyor::new(limits);
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = files.get(at) else {
                return done;
            };
            let answer = open(path.as_ref()).and_then(|file| Ok(surveyor.read(file)?));
            done.push((at, answer));
        }
    };
    let mut all = std::thread::scope(|scope| {
        let others = 1..threads.get().min(files.len());
        let others: Vec<_> = others.map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for other in others {
            match other.join() {
                Ok(done) => all.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, answer)| answer).collect()
}

/// Opens a regular file, and waits for no one: a pipe would be opened only when
/// somebody writes to it.
fn open(path: &Path) -> Result<File, SurveyError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let opened = rustix::fs::open(path, flags, Mode::empty());
    let file = File::from(opened.map_err(|error| SurveyError::Open(error.into()))?);
    let metadata = file.metadata().map_err(SurveyError::Open)?;
    if metadata.is_file() {
        Ok(file)
    } else {
        Err(SurveyError::NotFile)
    }
}

fn payload_header<R: Read>(pass: &mut Pass<'_, R>) -> Result<payload::Header, stone::Error> {
    let offset = pass.offset;
    let bytes = pass.array::<32>()?;
    let at_offset = |short: Short| Short {
        offset: offset.saturating_add(short.offset),
        ..short
    };
    Ok(payload::Header::read(&mut Input::new(&bytes)).map_err(at_offset)?)
}

/// A file that is read once and hashed, a buffer at a time.
struct Pass<'a, R> {
    source: R,
    hasher: Sha256,
    buffer: &'a mut [u8],
    /// Which part of the buffer was read from the file but not taken.
    ready: std::ops::Range<usize>,
    /// How many bytes were taken.
    offset: u64,
}

impl<'a, R: Read> Pass<'a, R> {
    fn new(source: R, buffer: &'a mut [u8]) -> Self {
        Self {
            source,
            hasher: Sha256::new(),
            buffer,
            ready: 0..0,
            offset: 0,
        }
    }

    /// Some bytes that come next, at most this many; none at the end.
    fn next(&mut self, most: u64) -> Result<&[u8], stone::Error> {
        if self.ready.is_empty() {
            let count = loop {
                match self.source.read(self.buffer) {
                    Ok(count) => break count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(source) => {
                        let offset = self.offset;
                        return Err(stone::Error::Io { offset, source });
                    }
                }
            };
            self.hasher
                .update(self.buffer.get(..count).unwrap_or_default());
            self.ready = 0..count;
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let count = self.ready.len().min(most);
        let start = self.ready.start;
        self.ready.start += count;
        self.offset = self.offset.saturating_add(count as u64);
        Ok(self.buffer.get(start..start + count).unwrap_or_default())
    }

    /// Passes this many bytes over to `each`, in pieces.
    fn pieces(&mut self, count: u64, mut each: impl FnMut(&[u8])) -> Result<(), stone::Error> {
        let offset = self.offset;
        let mut left = count;
        while left > 0 {
            let piece = self.next(left)?;
            if piece.is_empty() {
                return Err(stone::Error::Short(Short {
                    offset,
                    needed: count,
                    left: count.saturating_sub(left),
                }));
            }
            left = left.saturating_sub(piece.len() as u64);
            each(piece);
        }
        Ok(())
    }

    fn skip(&mut self, count: u64) -> Result<(), stone::Error> {
        self.pieces(count, |_| {})
    }

    fn skip_rest(&mut self) -> Result<(), stone::Error> {
        while !self.next(u64::MAX)?.is_empty() {}
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], stone::Error> {
        let offset = self.offset;
        let mut bytes = Vec::with_capacity(N);
        self.pieces(N as u64, |piece| bytes.extend_from_slice(piece))?;
        bytes.try_into().map_err(|bytes: Vec<u8>| {
            stone::Error::Short(Short {
                offset,
                needed: N as u64,
                left: bytes.len() as u64,
            })
        })
    }

    /// The stored bytes of the payload at `payload`, growing by what is there.
    fn take(&mut self, payload: u64, count: u64, limits: &Limits) -> Result<Vec<u8>, stone::Error> {
        if count > limits.payload {
            return Err(stone::Error::Payload(payload::Error::Limit {
                offset: payload,
                what: "stored bytes",
                size: count,
                limit: limits.payload,
            }));
        }
        let mut bytes = Vec::new();
        self.pieces(count, |piece| bytes.extend_from_slice(piece))?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
