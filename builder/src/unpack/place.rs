//! The folder that an archive is unpacked into, which nothing leaves.
//!
//! Names are taken apart and checked; no symbolic link is ever followed, so one that points
//! outside, as test data of real sources does, is made but leads nothing there.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Unpacked;

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
    folder: PathBuf,
    strip: usize,
    done: Unpacked,
}

impl Place {
    pub(super) fn new(folder: &Path, strip: u32) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let strip = usize::try_from(strip).unwrap_or(usize::MAX);
        Ok(Self {
            folder: folder.to_owned(),
            strip,
            done: Unpacked::default(),
        })
    }

    pub(super) fn done(&self) -> Unpacked {
        self.done.clone()
    }

    /// Makes a folder.
    pub(super) fn folder(&mut self, name: &[u8]) -> Result<(), Error> {
        if let Some(path) = self.admit(name)? {
            self.make_folders(&path)?;
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
        let at = self.clear(&path)?;
        let left = MAX_BYTES - self.done.bytes;
        let io = |source| Error::Io {
            path: path.clone(),
            source,
        };
        // Owner's bits are always there: the build must be able to change and remove it.
        let mode = (mode & 0o777) | 0o600;
        let mut file: File = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&at)
            .map_err(io)?;
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
        let at = self.clear(&path)?;
        symlink(OsStr::from_bytes(target), at).map_err(|source| Error::Io { path, source })
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
        self.check_parents(&source)?;
        let from = self.folder.join(&source);
        if !from
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.is_file())
        {
            return Err(dangling());
        }
        let at = self.clear(&path)?;
        fs::hard_link(from, at).map_err(|source| Error::Io { path, source })
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

    /// Makes room for something at `path`, and its parents.
    fn clear(&self, path: &Path) -> Result<PathBuf, Error> {
        if let Some(parent) = path.parent() {
            self.make_folders(parent)?;
        }
        let at = self.folder.join(path);
        match fs::remove_file(&at) {
            Ok(()) => Ok(at),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(at),
            Err(source) => Err(Error::Io {
                path: path.to_owned(),
                source,
            }),
        }
    }

    fn make_folders(&self, path: &Path) -> Result<(), Error> {
        let mut at = self.folder.clone();
        for part in path.components() {
            at.push(part);
            match fs::create_dir(&at) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if !at
                        .symlink_metadata()
                        .is_ok_and(|metadata| metadata.is_dir())
                    {
                        return Err(Error::Through(path.to_owned()));
                    }
                }
                Err(source) => {
                    return Err(Error::Io {
                        path: path.to_owned(),
                        source,
                    });
                }
            }
        }
        Ok(())
    }

    fn check_parents(&self, path: &Path) -> Result<(), Error> {
        let mut at = self.folder.clone();
        for part in path.parent().into_iter().flat_map(Path::components) {
            at.push(part);
            if !at
                .symlink_metadata()
                .is_ok_and(|metadata| metadata.is_dir())
            {
                return Err(Error::Through(path.to_owned()));
            }
        }
        Ok(())
    }
}
