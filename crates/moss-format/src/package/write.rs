use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom, Write};

use xxhash_rust::xxh3::Xxh3Default;

use super::check::{self, Contradiction};
use crate::content::{self, Slice};
use crate::digest::Hasher;
use crate::layout::{self, Entry};
use crate::payload::{self, Compression, EncodeError, Encoding};
use crate::stone::{self, FileType, Kept, Places};
use crate::{Digest, Limits, Meta, meta};

/// Where the bytes of a package's files come from.
pub trait Contents {
    /// The size in bytes of the file at this path.
    ///
    /// # Errors
    ///
    /// When it cannot be found out.
    fn size(&mut self, entry: &Entry) -> io::Result<u64>;

    /// The bytes of the file at this path.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    fn open(&mut self, entry: &Entry) -> io::Result<Box<dyn Read + '_>>;
}

/// Why a package could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A path leads elsewhere or stands twice.
    #[error(transparent)]
    Inconsistent(#[from] Contradiction),
    /// The metadata could not be encoded.
    #[error(transparent)]
    Meta(#[from] meta::EncodeError),
    /// The layout could not be encoded.
    #[error(transparent)]
    Layout(#[from] layout::EncodeError),
    /// The content index could not be encoded.
    #[error("the content index could not be encoded")]
    Index(#[source] EncodeError),
    /// The container could not be written.
    #[error(transparent)]
    Stone(#[from] stone::WriteError),
    /// A file's bytes could not be read.
    #[error("reading the file {target:?} failed")]
    Read {
        /// Its path.
        target: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A file is not the one that the layout names.
    #[error("the file {target:?} changed: the layout has {expected}, its bytes have {found}")]
    Changed {
        /// Its path.
        target: String,
        /// The digest in the layout.
        expected: Digest,
        /// The digest of its bytes.
        found: Digest,
    },
    /// Compressing or writing the content failed.
    #[error("writing the content failed")]
    Write(#[source] io::Error),
}

/// Writes a package: the same bytes for the same input and encoding.
///
/// The layout is written in the given order, and every file in it is read once
/// from `contents` for each distinct digest. What only an index or a manifest
/// carries (URI, hash, size, build dependencies) is left out of the metadata.
/// Gives `out` back, positioned at the end of the package.
///
/// # Errors
///
/// When the layout is inconsistent, a file is not the one that the layout
/// names, or reading or writing fails. What was written by then is no package.
pub fn write<W: Write + Seek>(
    out: W,
    meta: &Meta,
    layout: &[Entry],
    contents: &mut dyn Contents,
    encoding: &Encoding,
) -> Result<W, WriteError> {
    write_keeping(out, meta, layout, contents, encoding, &[])
}

/// As [`write()`], with payloads that are not understood among metadata, layout,
/// content index and content, each after as many of these as it says. So a
/// package that was read can be written again with all that it had.
///
/// # Errors
///
/// As [`write()`].
pub fn write_keeping<W: Write + Seek>(
    out: W,
    meta: &Meta,
    layout: &[Entry],
    contents: &mut dyn Contents,
    encoding: &Encoding,
    kept: &[Kept],
) -> Result<W, WriteError> {
    check::layout(layout, &Limits::DEFAULT).map_err(|(_, what)| what)?;
    let files = distinct_files(layout, contents)?;
    let slices = lay_end_to_end(&files);
    let count = [
        true,
        !layout.is_empty(),
        !files.is_empty(),
        !files.is_empty(),
    ];
    let count = count.into_iter().filter(|there| *there).count();
    let count = count.saturating_add(kept.len());
    let mut kept = Places::of(kept);
    let mut stone = stone::Writer::new(out, FileType::Package, count)?;
    let meta = Meta {
        uri: None,
        hash: None,
        size: None,
        build_depends: Vec::new(),
        ..meta.clone()
    };
    kept.before_next(&mut stone)?;
    stone.payload(&meta.encode(encoding)?)?;
    if !layout.is_empty() {
        kept.before_next(&mut stone)?;
        stone.payload(&layout::encode(layout, encoding)?)?;
    }
    if !files.is_empty() {
        let index = content::encode_index(&slices, encoding).map_err(WriteError::Index)?;
        kept.before_next(&mut stone)?;
        stone.payload(&index)?;
        kept.before_next(&mut stone)?;
        stone.streamed(|out| write_content(out, &files, contents, encoding))?;
    }
    kept.rest(&mut stone)?;
    Ok(stone.finish()?)
}

/// A file to write: the first entry with its digest.
struct Blob<'a> {
    entry: &'a Entry,
    digest: Digest,
    size: u64,
}

/// One file per digest, largest first, ties in layout order.
fn distinct_files<'a>(
    layout: &'a [Entry],
    contents: &mut dyn Contents,
) -> Result<Vec<Blob<'a>>, WriteError> {
    let mut seen = BTreeSet::new();
    let mut files = Vec::new();
    for entry in layout {
        let Some(digest) = entry.digest() else {
            continue;
        };
        if seen.insert(digest) {
            let size = contents.size(entry).map_err(|source| WriteError::Read {
                target: entry.target.clone(),
                source,
            })?;
            files.push(Blob {
                entry,
                digest,
                size,
            });
        }
    }
    files.sort_by_key(|file| std::cmp::Reverse(file.size));
    Ok(files)
}

fn lay_end_to_end(files: &[Blob<'_>]) -> Vec<Slice> {
    let mut start = 0_u64;
    let slice = |file: &Blob<'_>| {
        let end = start.saturating_add(file.size);
        let slice = Slice {
            start,
            end,
            digest: file.digest,
        };
        start = end;
        slice
    };
    files.iter().map(slice).collect()
}

/// Writes header and stored bytes of the content.
fn write_content<W: Write + Seek>(
    out: &mut W,
    files: &[Blob<'_>],
    contents: &mut dyn Contents,
    encoding: &Encoding,
) -> Result<(), WriteError> {
    let plain_size = files.iter().map(|file| file.size).sum();
    let mut header = payload::Header {
        stored_size: 0,
        plain_size,
        checksum: 0,
        records: 0,
        version: payload::VERSION,
        kind: payload::Kind::Content,
        compression: Compression::Zstd,
    };
    // The header is written again when size and checksum are known.
    let start = out.stream_position().map_err(WriteError::Write)?;
    out.write_all(&header.to_bytes())
        .map_err(WriteError::Write)?;
    let measured = Measured {
        out: &mut *out,
        length: 0,
        hasher: Xxh3Default::new(),
    };
    let mut encoder = encoder(measured, encoding, plain_size).map_err(WriteError::Write)?;
    for file in files {
        copy_file(file, contents, &mut encoder)?;
    }
    let measured = encoder.finish().map_err(WriteError::Write)?;
    header.stored_size = measured.length;
    header.checksum = measured.hasher.digest();
    out.seek(SeekFrom::Start(start))
        .and_then(|_| out.write_all(&header.to_bytes()))
        .and_then(|()| {
            let end = start
                .saturating_add(payload::HEADER_SIZE)
                .saturating_add(header.stored_size);
            out.seek(SeekFrom::Start(end))
        })
        .map_err(WriteError::Write)?;
    Ok(())
}

fn encoder<W: Write>(
    out: W,
    encoding: &Encoding,
    plain_size: u64,
) -> io::Result<zstd::stream::write::Encoder<'static, W>> {
    let mut encoder = zstd::stream::write::Encoder::new(out, encoding.level.number())?;
    encoder.set_pledged_src_size(Some(plain_size))?;
    if encoding.workers > 0 {
        encoder.multithread(encoding.workers)?;
    }
    Ok(encoder)
}

fn copy_file(
    file: &Blob<'_>,
    contents: &mut dyn Contents,
    out: &mut impl Write,
) -> Result<(), WriteError> {
    let target = || file.entry.target.clone();
    let read = |source| WriteError::Read {
        target: target(),
        source,
    };
    // One byte more than expected is enough to see that the file grew.
    let mut source = contents
        .open(file.entry)
        .map_err(read)?
        .take(file.size.saturating_add(1));
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(read(error)),
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        hasher.update(bytes);
        if hasher.length() <= file.size {
            out.write_all(bytes).map_err(WriteError::Write)?;
        }
    }
    let found = hasher.digest();
    if hasher.length() != file.size || found != file.digest {
        return Err(WriteError::Changed {
            target: target(),
            expected: file.digest,
            found,
        });
    }
    Ok(())
}

/// Counts and hashes what is written.
struct Measured<W> {
    out: W,
    length: u64,
    hasher: Xxh3Default,
}

impl<W: Write> Write for Measured<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or_default());
        self.length = self.length.saturating_add(count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
