//! The folder that an archive is unpacked into, which nothing leaves.
//!
//! Names are taken apart and checked; no symbolic link is ever followed, so one that points
//! outside, as test data of real sources does, is made but leads nothing there. That holds for the
//! way to the folder too: an archive unpacked before may have put links there.

use std::ffi::{OsStr, OsString};
use std::fs::Permissions;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use super::Unpacked;
use crate::folder::{self, Folder};

/// The most bytes that an archive may come to.
const MAX_BYTES: u64 = 64 << 30;
/// The most entries that an archive may have.
const MAX_ENTRIES: u64 = 4_000_000;

/// Why an entry cannot be put in place.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The name leads out of the folder.
    #[error("{0:?} leads outside of the archive")]
    Outside(PathBuf),
    /// The name leads through something that is no folder.
    #[error("{0:?} leads through a link or a file")]
    Through(PathBuf),
    /// A hard link to nothing.
    #[error("{0:?} is a link to {1:?}, which is not there")]
    Dangling(PathBuf, PathBuf),
    /// The archive is larger than any source should be.
    #[error("the archive comes to more than {MAX_ENTRIES} entries or {MAX_BYTES} bytes")]
    TooLarge,
    /// The file system refuses.
    #[error("cannot unpack {path:?}: {source}")]
    Io { path: PathBuf, source: io::Error },
}

/// A folder being filled.
pub(super) struct Place {
    folder: Folder,
    strip: usize,
    /// The parent of the last entry: archives list a folder's files together. Folders are never
    /// removed here, so the descriptor stays the one of that path.
    last: Option<(PathBuf, Rc<Folder>)>,
    done: Unpacked,
}

impl Place {
    /// A place in `directory` below `root`, which is made where it is missing.
    pub(super) fn new(root: &Path, directory: &Path, strip: u32) -> Result<Self, Error> {
        let folder = Folder::open(root)
            .and_then(|root| root.make(directory))
            .map_err(|error| placed(directory, error))?;
        Ok(Self {
            folder,
            strip: usize::try_from(strip).unwrap_or(usize::MAX),
            last: None,
            done: Unpacked::default(),
        })
    }

    pub(super) fn done(&self) -> Unpacked {
        self.done.clone()
    }

    /// Makes a folder.
    pub(super) fn folder(&mut self, name: &[u8]) -> Result<(), Error> {
        if let Some(path) = self.admit(name)? {
            self.folder
                .make(&path)
                .map_err(|error| placed(&path, error))?;
        }
        Ok(())
    }

    /// Writes a file, over one that the archive had before.
    pub(super) fn file(
        &mut self,
        name: &[u8],
        mode: u32,
        modified: Option<u64>,
        content: &mut dyn Read,
    ) -> Result<(), Error> {
        let Some(path) = self.admit(name)? else {
            return Ok(());
        };
        let (parent, name) = self.clear(&path)?;
        let left = MAX_BYTES - self.done.bytes;
        let io = |source| Error::Io {
            path: path.clone(),
            source,
        };
        // Owner's bits are always there: the build must be able to change and remove it.
        let mode = (mode & 0o777) | 0o600;
        let mut file = parent.create(&name).map_err(io)?;
        let written = io::copy(&mut content.take(left + 1), &mut file).map_err(io)?;
        if written > left {
            return Err(Error::TooLarge);
        }
        self.done.bytes += written;
        // What the umask took from the mode is given back.
        file.set_permissions(Permissions::from_mode(mode))
            .map_err(io)?;
        // make decides by these times what is to be built anew.
        if let Some(modified) =
            modified.and_then(|s| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(s)))
        {
            file.set_modified(modified).map_err(io)?;
        }
        Ok(())
    }

    /// Makes a symbolic link, wherever it points.
    pub(super) fn symlink(&mut self, name: &[u8], target: &[u8]) -> Result<(), Error> {
        let Some(path) = self.admit(name)? else {
            return Ok(());
        };
        let (parent, name) = self.clear(&path)?;
        parent
            .symlink(OsStr::from_bytes(target), &name)
            .map_err(|source| Error::Io { path, source })
    }

    /// Makes a hard link to a file that the archive had before.
    pub(super) fn hard_link(&mut self, name: &[u8], target: &[u8]) -> Result<(), Error> {
        let Some(path) = self.admit(name)? else {
            return Ok(());
        };
        let dangling =
            || Error::Dangling(path.clone(), Path::new(OsStr::from_bytes(target)).into());
        let source = self.inside(target)?.ok_or_else(dangling)?;
        if source == path {
            return Ok(());
        }
        let (from, old) = split(&source);
        let from = match self.folder.enter(from) {
            Ok(from) => from,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(dangling()),
            Err(error) => return Err(placed(&source, error)),
        };
        if !from.has_file(&old) {
            return Err(dangling());
        }
        let (parent, name) = self.clear(&path)?;
        parent
            .hard_link(&from, &old, &name)
            .map_err(|source| Error::Io { path, source })
    }

    /// Counts an entry and says where it goes; none when stripping leaves nothing of its name.
    fn admit(&mut self, name: &[u8]) -> Result<Option<PathBuf>, Error> {
        self.done.entries += 1;
        if self.done.entries > MAX_ENTRIES {
            return Err(Error::TooLarge);
        }
        self.inside(name)
    }

    /// A name's path below the folder, after stripping.
    fn inside(&self, name: &[u8]) -> Result<Option<PathBuf>, Error> {
        let name = Path::new(OsStr::from_bytes(name));
        let mut parts = Vec::new();
        for component in name.components() {
            match component {
                Component::Normal(part) => parts.push(part),
                Component::CurDir => {}
                Component::RootDir | Component::ParentDir | Component::Prefix(_) => {
                    return Err(Error::Outside(name.to_owned()));
                }
            }
        }
        let path: PathBuf = parts.into_iter().skip(self.strip).collect();
        Ok((!path.as_os_str().is_empty()).then_some(path))
    }

    /// Makes room for something at `path`, and its parents: the folder and the name in it.
    fn clear(&mut self, path: &Path) -> Result<(Rc<Folder>, OsString), Error> {
        let (parent, name) = split(path);
        let folder = match &self.last {
            Some((last, folder)) if last == parent => Rc::clone(folder),
            Some(_) | None => {
                let made = self.folder.make(parent);
                let folder = Rc::new(made.map_err(|error| placed(path, error))?);
                self.last = Some((parent.to_owned(), Rc::clone(&folder)));
                folder
            }
        };
        folder.remove(&name).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok((folder, name))
    }
}

fn split(path: &Path) -> (&Path, OsString) {
    (
        path.parent().unwrap_or(Path::new("")),
        path.file_name().unwrap_or_default().to_owned(),
    )
}

fn placed(path: &Path, error: io::Error) -> Error {
    let path = path.to_owned();
    if folder::is_no_folder(&error) {
        Error::Through(path)
    } else {
        Error::Io {
            path,
            source: error,
        }
    }
}
