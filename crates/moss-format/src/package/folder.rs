use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Contents;
use crate::below::Below;
use crate::digest::Hasher;
use crate::layout::{Entry, Kind};

const TYPE_MASK: u32 = 0o170_000;
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
        self.scan_folder(&self.path, "", &mut entries)?;
        Ok(entries)
    }

    /// Whether the folder had no entries.
    fn scan_folder(
        &self,
        path: &Path,
        prefix: &str,
        entries: &mut Vec<Entry>,
    ) -> Result<bool, ScanError> {
        let names = sorted_names(path).map_err(|source| ScanError::Io {
            path: path.to_owned(),
            source,
        })?;
        let empty = names.is_empty();
        for name in names {
            let path = path.join(&name);
            let Some(name) = name.to_str() else {
                return Err(ScanError::NotUtf8 { path });
            };
            self.scan_entry(&path, format!("{prefix}{name}"), entries)?;
        }
        Ok(empty)
    }

    fn scan_entry(
        &self,
        path: &Path,
        target: String,
        entries: &mut Vec<Entry>,
    ) -> Result<(), ScanError> {
        let failed = |source| ScanError::Io {
            path: path.to_owned(),
            source,
        };
        let mode = fs::symlink_metadata(path).map_err(failed)?.mode();
        let kind = match mode & TYPE_MASK {
            0o040_000 => {
                let empty = self.scan_folder(path, &format!("{target}/"), entries)?;
                if mode == USUAL_FOLDER && !empty {
                    return Ok(());
                }
                Kind::Directory
            }
            0o100_000 => Kind::Regular(self.digest(&target).map_err(failed)?),
            0o120_000 => {
                let text = fs::read_link(path).map_err(failed)?.into_os_string();
                let text = text.into_string().map_err(|_| ScanError::NotUtf8 {
                    path: path.to_owned(),
                })?;
                Kind::Symlink(text)
            }
            0o020_000 => Kind::CharDevice,
            0o060_000 => Kind::BlockDevice,
            0o010_000 => Kind::Fifo,
            0o140_000 => Kind::Socket,
            _ => {
                return Err(ScanError::UnknownType {
                    path: path.to_owned(),
                    mode,
                });
            }
        };
        entries.push(Entry {
            uid: 0,
            gid: 0,
            mode,
            kind,
            target,
        });
        Ok(())
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

fn sorted_names(path: &Path) -> io::Result<Vec<OsString>> {
    let names = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.file_name()));
    let mut names: Vec<OsString> = names.collect::<io::Result<_>>()?;
    names.sort_unstable();
    Ok(names)
}
