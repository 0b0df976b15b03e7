use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Contents;
use crate::below::Below;
use crate::digest::Hasher;
use crate::layout::{Entry, Kind};

const TYPE_MASK: u32 = 0o170_000;
const FOLDER: u32 = 0o040_000;
const USUAL_FOLDER: u32 = 0o040_755;

/// A folder whose files become a package: what a build installed as `/usr`.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    below: Below,
}

/// Why a folder could not be scanned.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// Reading failed.
    #[error("reading {} failed", path.display())]
    Io {
        /// The path that was read.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Names and link texts must be UTF-8 in a layout.
    #[error("{} is not UTF-8, or is a link to a path that is not", path.display())]
    NotUtf8 {
        /// The path.
        path: PathBuf,
    },
    /// The file type is unknown.
    #[error("{} has the unknown file type {mode:o}", path.display())]
    UnknownType {
        /// The path.
        path: PathBuf,
        /// Its `st_mode`.
        mode: u32,
    },
}

impl Folder {
    /// The folder that targets are relative to.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, ScanError> {
        let path = path.into();
        match Below::open(&path) {
            Ok(below) => Ok(Self { path, below }),
            Err(source) => Err(ScanError::Io { path, source }),
        }
    }

    /// Everything in the folder as layout entries, files with their digests:
    /// depth first, by bytewise name, a directory after its children and only
    /// when it is empty or not of mode 0755. Owner and group are 0.
    ///
    /// # Errors
    ///
    /// When something cannot be read, has no UTF-8 name, or is of an unknown
    /// type.
    pub fn scan(&self) -> Result<Vec<Entry>, ScanError> {
        let mut entries = Vec::new();
        // The way down, not the call stack: how deep folders lie is up to
        // whoever built them.
        let mut open = vec![self.level("", 0)?];
        while let Some(level) = open.last_mut() {
            let Some(name) = level.names.next() else {
                let level = open.pop();
                entries.extend(level.and_then(Level::into_entry));
                continue;
            };
            let target = level.join(&name).ok_or_else(|| ScanError::NotUtf8 {
                path: self.path.join(&level.target).join(&name),
            })?;
            let path = self.path.join(&target);
            let mode = fs::symlink_metadata(&path)
                .map_err(|source| ScanError::Io { path, source })?
                .mode();
            if mode & TYPE_MASK == FOLDER {
                open.push(self.level(&target, mode)?);
            } else {
                entries.push(self.entry(target, mode)?);
            }
        }
        Ok(entries)
    }

    /// The names in a folder.
    fn level(&self, target: &str, mode: u32) -> Result<Level, ScanError> {
        let path = self.path.join(target);
        let names = sorted_names(&path).map_err(|source| ScanError::Io { path, source })?;
        Ok(Level {
            target: target.to_owned(),
            mode,
            empty: names.is_empty(),
            names: names.into_iter(),
        })
    }

    /// The entry of anything but a folder.
    fn entry(&self, target: String, mode: u32) -> Result<Entry, ScanError> {
        let path = self.path.join(&target);
        let failed = |source| ScanError::Io {
            path: path.clone(),
            source,
        };
        let kind = match mode & TYPE_MASK {
            0o100_000 => Kind::Regular(self.digest(&target).map_err(failed)?),
            0o120_000 => {
                let text = fs::read_link(&path).map_err(failed)?.into_os_string();
                let text = text.into_string();
                Kind::Symlink(text.map_err(|_| ScanError::NotUtf8 { path })?)
            }
            0o020_000 => Kind::CharDevice,
            0o060_000 => Kind::BlockDevice,
            0o010_000 => Kind::Fifo,
            0o140_000 => Kind::Socket,
            _ => return Err(ScanError::UnknownType { path, mode }),
        };
        Ok(root_owned(target, mode, kind))
    }

    fn digest(&self, target: &str) -> io::Result<crate::Digest> {
        let components: Vec<&str> = target.split('/').collect();
        let mut file = self.below.file(&components)?;
        let mut hasher = Hasher::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(hasher.digest()),
                Ok(count) => hasher.update(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn file(&self, entry: &Entry) -> io::Result<fs::File> {
        let path = entry
            .path()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        self.below.file(&path)
    }
}

impl Contents for Folder {
    fn size(&mut self, entry: &Entry) -> io::Result<u64> {
        Ok(self.file(entry)?.metadata()?.len())
    }

    fn open(&mut self, entry: &Entry) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.file(entry)?))
    }
}

/// A folder on the way down, and the names in it that are still to come.
struct Level {
    target: String,
    mode: u32,
    empty: bool,
    names: std::vec::IntoIter<OsString>,
}

impl Level {
    /// The target of a name in this folder, if it is UTF-8.
    fn join(&self, name: &OsStr) -> Option<String> {
        let name = name.to_str()?;
        if self.target.is_empty() {
            return Some(name.to_owned());
        }
        Some(format!("{}/{name}", self.target))
    }

    /// The folder's own entry, if it needs one.
    fn into_entry(self) -> Option<Entry> {
        let usual = self.mode == USUAL_FOLDER && !self.empty;
        let scanned = self.target.is_empty();
        (!usual && !scanned).then(|| root_owned(self.target, self.mode, Kind::Directory))
    }
}

fn root_owned(target: String, mode: u32, kind: Kind) -> Entry {
    Entry {
        uid: 0,
        gid: 0,
        mode,
        tag: 0,
        kind,
        target,
    }
}

fn sorted_names(path: &Path) -> io::Result<Vec<OsString>> {
    let names = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.file_name()));
    let mut names: Vec<OsString> = names.collect::<io::Result<_>>()?;
    names.sort_unstable();
    Ok(names)
}
