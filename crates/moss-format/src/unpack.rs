//! Laying a package's files out in a folder.
//!
//! Nothing is ever written outside the folder, whatever the package or the
//! folder holds: every path is walked one component at a time, symbolic links
//! are made but never followed, and nothing that exists is replaced. What a
//! package comes to is known before anything is written, and compared with
//! [`Limits::unpacked`](crate::Limits::unpacked) and the limit of paths: a layout
//! may name one content at thousands of paths, and a path may have hundreds of
//! folders.

mod admit;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::io::Errno;

use crate::below::Below;
use crate::content::{self, Visit};
use crate::layout::{Entry, Kind};
use crate::package::{Inconsistent, Package, ReadError};
use crate::{Digest, stone};

/// The folder that a layout's targets are relative to.
const USR: &str = "usr";
const SET_ID: u32 = 0o6000;
const PERMISSIONS: u32 = 0o7777;

/// How a package is unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Whether files keep the set-user-id and set-group-id bits.
    pub set_id: SetId,
}

/// Whether files keep the set-user-id and set-group-id bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SetId {
    /// The bits are cleared.
    #[default]
    Clear,
    /// The bits are set where the package says so.
    Keep,
}

/// Why a package could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The package is malformed or damaged.
    #[error(transparent)]
    Package(#[from] ReadError),
    /// The folder cannot be made or opened.
    #[error("opening the folder {} failed", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Something stands at the path already.
    #[error("the path {target:?} exists already")]
    Exists {
        /// The path.
        target: String,
    },
    /// A link or file stands where the path needs a directory.
    #[error("the path {target:?} would lead through something that is no directory")]
    NotThrough {
        /// The path.
        target: String,
    },
    /// Devices, pipes, sockets and unknown kinds cannot be unpacked.
    #[error("the path {target:?} is no file, link or directory")]
    Unsupported {
        /// The path.
        target: String,
    },
    /// What is wanted comes to more bytes or paths than the
    /// [limit](crate::Limits::unpacked).
    #[error("unpacked, the package would come to {size} {what}, more than the limit of {limit}")]
    Limit {
        /// What was counted: bytes of files, each for every path that it has,
        /// or paths with the folders on the way to them.
        what: &'static str,
        /// How many there are.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// Writing failed.
    #[error("unpacking the path {target:?} failed")]
    Io {
        /// The path.
        target: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// Whether the system or the folder is at fault, which says nothing about
    /// the package.
    #[must_use]
    pub fn is_of_system(&self) -> bool {
        match self {
            Self::Package(error) => error.is_of_system(),
            Self::Folder { .. }
            | Self::Exists { .. }
            | Self::NotThrough { .. }
            | Self::Io { .. } => true,
            Self::Unsupported { .. } | Self::Limit { .. } => false,
        }
    }
}

impl From<content::Error> for Error {
    fn from(error: content::Error) -> Self {
        Self::Package(error.into())
    }
}

impl From<stone::Error> for Error {
    fn from(error: stone::Error) -> Self {
        Self::Package(error.into())
    }
}

impl From<Inconsistent> for Error {
    fn from(error: Inconsistent) -> Self {
        Self::Package(error.into())
    }
}

/// Unpacks a package below `folder`, as `folder/usr/…`, and checks everything
/// on the way as [`Package::verify`] does. The folder is made if missing;
/// directories that exist are used as they are.
///
/// Owner and group are those of the process.
///
/// # Errors
///
/// When the package is malformed or damaged, holds what cannot be unpacked or
/// more than the limit, a path exists, or writing fails. When content is
/// damaged, a path exists or writing fails, the folder then holds a part of the
/// package; else nothing was written.
pub fn unpack<R: Read + Seek>(
    package: &mut Package<R>,
    folder: &Path,
    options: &Options,
) -> Result<(), Error> {
    unpack_some(package, folder, options, |_| true)
}

/// As [`unpack`], but only the entries that are `wanted`. Everything is checked
/// all the same.
///
/// # Errors
///
/// As [`unpack`].
pub fn unpack_some<R: Read + Seek>(
    package: &mut Package<R>,
    folder: &Path,
    options: &Options,
    wanted: impl FnMut(&Entry) -> bool,
) -> Result<(), Error> {
    let mut modes = FolderModes::default();
    unpack_before_modes(package, folder, options, wanted, &mut modes)?;
    modes.set(folder)
}

/// As [`unpack_some`], but folders that are made can be written into and are noted in `modes`. For
/// packages that share folders: after the last one, [`FolderModes::set`] gives each its mode.
///
/// # Errors
///
/// As [`unpack`].
pub fn unpack_before_modes<R: Read + Seek>(
    package: &mut Package<R>,
    folder: &Path,
    options: &Options,
    mut wanted: impl FnMut(&Entry) -> bool,
    modes: &mut FolderModes,
) -> Result<(), Error> {
    package.check()?;
    let mut layout = package.layout().to_vec();
    layout.retain(|entry| wanted(entry));
    admit::admit(package, &layout)?;
    let folder_error = |source| Error::Folder {
        folder: folder.to_owned(),
        source,
    };
    std::fs::create_dir_all(folder).map_err(folder_error)?;
    let target = Target {
        below: Below::open(folder).map_err(folder_error)?,
        options: *options,
    };
    target
        .below
        .make_folder(&[USR])
        .map_err(|source| fault(USR, source))?;
    let new_folders = target.new_folders(&layout);
    modes.0.extend(new_folders);
    let files = target.make_rest(&layout)?;
    package.walk(|slice, file| {
        let entries = files.get(&slice.digest).map(Vec::as_slice);
        target.make_files(entries.unwrap_or_default(), file)?;
        Ok::<_, Error>(Visit::Continue)
    })
}

/// The modes that new folders get once nothing is written into them any more.
#[derive(Debug, Default)]
pub struct FolderModes(BTreeMap<String, Mode>);

impl FolderModes {
    /// Sets them below `folder`, deepest first: one without search permission hides those in it.
    ///
    /// # Errors
    ///
    /// When a folder is gone or its mode cannot be changed.
    pub fn set(self, folder: &Path) -> Result<(), Error> {
        // Where nothing was unpacked, the folder itself may be missing.
        if self.0.is_empty() {
            return Ok(());
        }
        let below = Below::open(folder).map_err(|source| Error::Folder {
            folder: folder.to_owned(),
            source,
        })?;
        for (target, mode) in self.0.iter().rev() {
            below
                .folder(&path(target))
                .and_then(|folder| Ok(rustix::fs::fchmod(folder, *mode)?))
                .map_err(|source| fault(target, source))?;
        }
        Ok(())
    }
}

struct Target {
    below: Below,
    options: Options,
}

impl Target {
    /// Makes folders and links; gives the files that are still to be made.
    fn make_rest<'a>(
        &self,
        layout: &'a [Entry],
    ) -> Result<BTreeMap<Digest, Vec<&'a Entry>>, Error> {
        let mut files: BTreeMap<Digest, Vec<&Entry>> = BTreeMap::new();
        for entry in layout {
            let made = match &entry.kind {
                Kind::Regular(digest) => {
                    files.entry(*digest).or_default().push(entry);
                    Ok(())
                }
                Kind::Symlink(text) => self.below.make_symlink(&path(&entry.target), text),
                Kind::Directory => self.below.make_folder(&path(&entry.target)).map(drop),
                Kind::CharDevice
                | Kind::BlockDevice
                | Kind::Fifo
                | Kind::Socket
                | Kind::Other { .. } => return Err(admit::unsupported(entry)),
            };
            made.map_err(|source| fault(&entry.target, source))?;
        }
        Ok(files)
    }

    /// Makes all files of one content.
    fn make_files(&self, entries: &[&Entry], content: &mut dyn Read) -> Result<(), Error> {
        let Some((first, others)) = entries.split_first() else {
            return Ok(());
        };
        let mut original = self.make_file(first, content)?;
        for entry in others {
            let rewound = original.rewind();
            rewound.map_err(|source| fault(&entry.target, source))?;
            self.make_file(entry, &mut original)?;
        }
        Ok(())
    }

    fn make_file(&self, entry: &Entry, content: &mut dyn Read) -> Result<File, Error> {
        let path = path(&entry.target);
        let mut write = || {
            let mut file = self.below.make_file(&path)?;
            io::copy(content, &mut file)?;
            rustix::fs::fchmod(&file, self.mode(entry))?;
            Ok(file)
        };
        write().map_err(|source| fault(&entry.target, source))
    }

    /// The folders that are not there yet, and their modes.
    fn new_folders(&self, layout: &[Entry]) -> BTreeMap<String, Mode> {
        let folders = layout.iter().filter(|entry| {
            entry.kind == Kind::Directory && self.below.folder(&path(&entry.target)).is_err()
        });
        folders
            .map(|entry| (entry.target.clone(), self.mode(entry)))
            .collect()
    }

    fn mode(&self, entry: &Entry) -> Mode {
        let kept = match self.options.set_id {
            SetId::Clear => PERMISSIONS & !SET_ID,
            SetId::Keep => PERMISSIONS,
        };
        Mode::from_raw_mode(entry.mode & kept)
    }
}

/// The components of an entry's path in the folder; [`Package::check`] has seen
/// that all of them are names.
fn path(target: &str) -> Vec<&str> {
    std::iter::once(USR).chain(target.split('/')).collect()
}

fn fault(target: &str, source: io::Error) -> Error {
    let target = target.to_owned();
    match Errno::from_io_error(&source) {
        Some(Errno::EXIST) => Error::Exists { target },
        // Opening a link without following it says one or the other.
        Some(Errno::NOTDIR | Errno::LOOP) => Error::NotThrough { target },
        Some(_) | None => Error::Io { target, source },
    }
}

#[cfg(test)]
mod tests;
