//! A package: metadata, layout, and the content of its files.
//!
//! [`Package`] reads one, [`write()`] writes one. Both stream the content, so
//! that memory does not grow with it. [`survey()`] reads what an index says of
//! many.

mod check;
mod folder;
mod parts;
mod survey;
mod write;

use std::collections::HashMap;
use std::io::{self, Read, Seek, Write};

use crate::content::{self, Slice, Visit};
use crate::layout::Entry;
use crate::payload::{self, Decoder};
use crate::stone::{self, FileType, Kept, Located, Reader};
use crate::{Digest, Limits, Meta, attributes};

use parts::Parts;

pub use check::{Contradiction, Inconsistent, Place};
pub use folder::{Folder, ScanError};
pub use survey::{SurveyError, Surveyor, survey};
pub use write::{Contents, WriteError, write, write_keeping};

/// A package that is being read.
///
/// Opening it reads everything but the content. [`Package::verify`] checks the
/// rest.
#[derive(Debug)]
pub struct Package<R> {
    reader: Reader<R>,
    parts: Parts,
}

/// Why a package could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file is malformed or damaged.
    #[error(transparent)]
    Stone(#[from] stone::Error),
    /// The content is malformed or damaged.
    #[error(transparent)]
    Content(#[from] content::Error),
    /// The parts of the package contradict each other.
    #[error(transparent)]
    Inconsistent(#[from] Inconsistent),
    /// A package has one payload of each kind.
    #[error("the payload at byte {offset} is a second {kind:?} payload")]
    Twice {
        /// Where the second payload's header begins.
        offset: u64,
        /// Its kind.
        kind: payload::Kind,
    },
    /// Every package has metadata.
    #[error("the package has no metadata in its {payloads} payloads, which end at byte {end}")]
    NoMeta {
        /// How many payloads it has.
        payloads: usize,
        /// Where the last of them ends.
        end: u64,
    },
    /// No file of the package has this digest.
    #[error("the package has no file with the digest {digest}")]
    NoFile {
        /// The digest asked for.
        digest: Digest,
    },
    /// A file was read, but what it held could not be written.
    #[error("writing the file {digest} failed")]
    Write {
        /// Its digest.
        digest: Digest,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl ReadError {
    /// Whether the system failed to read or write, which says nothing about
    /// the package: it may be tried again.
    #[must_use]
    pub fn is_of_system(&self) -> bool {
        match self {
            Self::Stone(error) => error.is_of_system(),
            Self::Write { .. } => true,
            Self::Content(content::Error::Read { source, .. }) => {
                // What zstd says has no number of the system, a lack of memory neither.
                source.raw_os_error().is_some() || payload::is_lack_of_memory(source)
            }
            Self::Content(_)
            | Self::Inconsistent(_)
            | Self::Twice { .. }
            | Self::NoMeta { .. }
            | Self::NoFile { .. } => false,
        }
    }
}

impl<R: Read + Seek> Package<R> {
    /// Reads a package but for its content, within the default limits.
    ///
    /// # Errors
    ///
    /// When it is malformed or another kind of file.
    pub fn open(source: R) -> Result<Self, ReadError> {
        Self::open_within(source, Limits::default())
    }

    /// As [`Package::open`], within these limits.
    ///
    /// # Errors
    ///
    /// As [`Package::open`].
    pub fn open_within(source: R, limits: Limits) -> Result<Self, ReadError> {
        let mut reader = Reader::with_limits(source, limits)?;
        reader.require(FileType::Package)?;
        let parts = Parts::read(&mut reader)?;
        Ok(Self { reader, parts })
    }

    /// What it says about itself.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.parts.meta
    }

    /// What it installs, in the order of the file.
    #[must_use]
    pub fn layout(&self) -> &[Entry] {
        &self.parts.layout.records
    }

    /// Where its files lie in the content, in the order of the file.
    #[must_use]
    pub fn slices(&self) -> &[Slice] {
        &self.parts.slices.records
    }

    /// The limits it was opened with.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        self.reader.limits()
    }

    /// Bytes that the files among these entries have once they are unpacked: a
    /// file counts for each of its paths. What the content index lacks counts
    /// as nothing.
    #[must_use]
    pub fn unpacked_size<'a>(&self, entries: impl IntoIterator<Item = &'a Entry>) -> u64 {
        let sizes = self
            .slices()
            .iter()
            .map(|slice| (slice.digest, slice.size()));
        let sizes: HashMap<Digest, u64> = sizes.collect();
        let files = entries.into_iter().filter_map(Entry::digest);
        let each = files.map(|digest| sizes.get(&digest).copied().unwrap_or_default());
        each.fold(0, u64::saturating_add)
    }

    /// The payloads that are not understood, for [`write_keeping()`], which must
    /// not come to more than the [limit](Limits::payloads) of a file's payloads
    /// in memory.
    ///
    /// # Errors
    ///
    /// When they are beyond a limit or cannot be read.
    pub fn kept(&mut self) -> Result<Vec<Kept>, stone::Error> {
        let limit = self.reader.limits().payloads;
        let mut size = 0_u64;
        let mut kept = Vec::new();
        for (place, at) in &self.parts.other {
            size = size.saturating_add(at.header().stored_size);
            if size > limit {
                return Err(stone::Error::Payload(payload::Error::Limit {
                    offset: at.offset(),
                    what: "stored bytes with those before it",
                    size,
                    limit,
                }));
            }
            kept.push(Kept {
                place: *place,
                payload: self.reader.read(at)?,
            });
        }
        Ok(kept)
    }

    /// The container, for payloads that this library does not know.
    pub fn reader(&mut self) -> &mut Reader<R> {
        &mut self.reader
    }

    /// Checks that metadata, layout, index and content agree, without reading
    /// the content.
    ///
    /// # Errors
    ///
    /// The first contradiction found.
    pub fn check(&self) -> Result<(), Inconsistent> {
        self.parts.check(self.reader.limits())
    }

    /// Checks everything: the parts against each other, every file against its
    /// digest, every payload against its checksum.
    ///
    /// # Errors
    ///
    /// The first fault found.
    pub fn verify(&mut self) -> Result<(), ReadError> {
        self.check()?;
        let mut decoder = Decoder::new(*self.reader.limits());
        for (_, at) in &self.parts.other {
            if at.header().holds(payload::Kind::Attributes) {
                check_attributes(&mut self.reader, &mut decoder, at)?;
            } else {
                self.reader.verify(at)?;
            }
        }
        self.walk(|_, _| Ok::<_, ReadError>(Visit::Continue))
    }

    /// Writes the bytes of the file with this digest, and checks them.
    ///
    /// # Errors
    ///
    /// When there is none, it is damaged, or writing fails.
    pub fn extract(&mut self, digest: Digest, mut out: impl Write) -> Result<(), ReadError> {
        let mut found = false;
        self.walk::<ReadError>(|slice, file| {
            if slice.digest != digest {
                return Ok(Visit::Continue);
            }
            found = true;
            io::copy(file, &mut out).map_err(|source| ReadError::Write { digest, source })?;
            Ok(Visit::Stop)
        })?;
        if found {
            Ok(())
        } else {
            Err(ReadError::NoFile { digest })
        }
    }

    /// Streams the content: see [`content::walk`].
    ///
    /// # Errors
    ///
    /// When the content is malformed or damaged, and what `visit` returns.
    pub fn walk<E: From<stone::Error> + From<content::Error>>(
        &mut self,
        visit: impl FnMut(&Slice, &mut dyn Read) -> Result<Visit, E>,
    ) -> Result<(), E> {
        let Some(at) = self.parts.content else {
            return Ok(());
        };
        let limits = *self.reader.limits();
        let stored = self.reader.stream(&at)?;
        content::walk(
            stored,
            (at.offset(), at.header()),
            &self.parts.slices.records,
            &limits,
            visit,
        )
    }
}

/// Reads attributes and drops them: nothing here acts on any.
fn check_attributes(
    reader: &mut Reader<impl Read + Seek>,
    decoder: &mut Decoder,
    at: &Located,
) -> Result<(), stone::Error> {
    let encoded = reader.read(at)?;
    let plain = decoder.plain(&encoded)?;
    attributes::decode(&plain, at.header().records)
        .map(drop)
        .map_err(|source| stone::Error::Attributes {
            payload: at.offset(),
            source,
        })
}

#[cfg(test)]
mod tests;
