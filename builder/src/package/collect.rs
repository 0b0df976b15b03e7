//! Reads the install root: every file that may be packaged, in the order of the layout.
//!
//! The order is depth first, entries by the bytes of their names, a directory after its children.
//! Nothing is followed: a symlink is recorded with its text, wherever it points. The walk reads
//! the tree after the build's last process has ended, so nothing changes beneath it.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::path::InstalledPath;

mod content;
#[cfg(test)]
mod tests;

pub(crate) use content::{Content, content, open};

/// The mode of a directory that needs no record of its own once it holds something.
const USUAL_DIRECTORY: u32 = 0o040_755;
/// How deep folders may nest; the deepest of real packages nest about 30.
const DEPTH_LIMIT: usize = 256;
/// How many files there may be, left-out ones included; the largest of real packages have some
/// 200,000.
const FILE_LIMIT: usize = 2_000_000;

/// One file of the install root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: InstalledPath,
    /// The full `st_mode`, with type and with set-user-id, set-group-id and sticky bits.
    pub(crate) mode: u32,
    pub(crate) kind: Kind,
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file. Hard links are files of their own with equal content.
    Regular(Content),
    /// A symlink with its text.
    Symlink(String),
    /// A directory that is empty or has an unusual mode.
    Directory,
    CharDevice,
    BlockDevice,
    Fifo,
    Socket,
}

/// A file that is not packaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) path: InstalledPath,
    pub(crate) reason: Reason,
}

/// Why a file is not packaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Packages own `/usr` and nothing else.
    OutsideUsr,
    /// Libtool archives name build folders and are of no use once installed.
    Libtool,
}

/// Whether libtool archives are left out: `lastrip` of the recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Libtool {
    LeaveOut,
    Keep,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) entries: Vec<Entry>,
    pub(crate) left: Vec<Left>,
}

/// Why the install root could not be read.
#[derive(Debug, Error)]
pub enum Error {
    /// A file or folder cannot be read.
    #[error("cannot read `{path}` in the install root")]
    Read {
        /// The path on the installed system.
        path: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The format stores text in UTF-8 only.
    #[error("the name of `{path}` in the install root is not UTF-8")]
    Name {
        /// The path, with the offending bytes replaced.
        path: String,
    },
    /// The format stores text in UTF-8 only.
    #[error("the symlink `{path}` in the install root points to `{text}`, which is not UTF-8")]
    Symlink {
        /// The path on the installed system.
        path: String,
        /// The link's text, with the offending bytes replaced.
        text: String,
    },
    /// Folders nest deeper than any package needs.
    #[error("the folders of the install root nest more than {DEPTH_LIMIT} deep at `{path}`")]
    TooDeep {
        /// The path on the installed system.
        path: String,
    },
    /// There are more files than any package needs.
    #[error("the install root holds more than {FILE_LIMIT} files")]
    TooMany,
    /// The tree holds more than a package may.
    #[error("the install root holds more than {limit} bytes, reached at `{path}`")]
    TooLarge {
        /// The path on the installed system.
        path: String,
        /// The limit, in bytes.
        limit: u64,
    },
}

/// Walks `install_root`. `limit` bounds the sum of the sizes of all regular files, in bytes, hard
/// links and holes counted in full.
pub(crate) fn walk(install_root: &Path, libtool: Libtool, limit: u64) -> Result<Collected, Error> {
    let mut walk = Walk {
        libtool,
        limit,
        total: 0,
        collected: Collected::default(),
    };
    walk.folder(install_root, &InstalledPath::root())?;
    Ok(walk.collected)
}

struct Walk {
    libtool: Libtool,
    limit: u64,
    total: u64,
    collected: Collected,
}

impl Walk {
    /// Walks one folder; true if it is empty.
    fn folder(&mut self, folder: &Path, installed: &InstalledPath) -> Result<bool, Error> {
        let read = |source| Error::Read {
            path: installed.to_string(),
            source,
        };
        if installed.components().count() > DEPTH_LIMIT {
            let path = installed.to_string();
            return Err(Error::TooDeep { path });
        }
        let listed = fs::read_dir(folder).map_err(read)?;
        let mut names = listed
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(read)?;
        // An OsString is ordered by its bytes.
        names.sort_unstable();
        for name in &names {
            let Some(text) = name.to_str() else {
                let path = installed.join(&name.to_string_lossy()).to_string();
                return Err(Error::Name { path });
            };
            self.entry(folder.join(name), installed.join(text))?;
        }
        Ok(names.is_empty())
    }

    fn entry(&mut self, path: PathBuf, installed: InstalledPath) -> Result<(), Error> {
        let metadata = fs::symlink_metadata(&path).map_err(|source| Error::Read {
            path: installed.to_string(),
            source,
        })?;
        if metadata.is_dir() {
            let empty = self.folder(&path, &installed)?;
            // `/usr` itself always exists and has no name in a layout.
            let recorded = empty || metadata.mode() != USUAL_DIRECTORY;
            if !recorded || installed.as_str() == "/usr" {
                return Ok(());
            }
        }
        if self.collected.entries.len() + self.collected.left.len() >= FILE_LIMIT {
            return Err(Error::TooMany);
        }
        match self.reason(&installed, &metadata) {
            Some(reason) => self.collected.left.push(Left {
                path: installed,
                reason,
            }),
            None => {
                let kind = self.kind(path, &installed, &metadata)?;
                let entry = Entry {
                    path: installed,
                    mode: metadata.mode(),
                    kind,
                };
                self.collected.entries.push(entry);
            }
        }
        Ok(())
    }

    fn reason(&self, path: &InstalledPath, metadata: &Metadata) -> Option<Reason> {
        if path.below("/usr").is_none() {
            return Some(Reason::OutsideUsr);
        }
        let is_library = path.below("/usr/lib").is_some() || path.below("/usr/lib32").is_some();
        let is_libtool = is_library && !metadata.is_dir() && path.as_str().ends_with(".la");
        match self.libtool {
            Libtool::LeaveOut if is_libtool => Some(Reason::Libtool),
            Libtool::LeaveOut | Libtool::Keep => None,
        }
    }

    fn kind(
        &mut self,
        path: PathBuf,
        installed: &InstalledPath,
        metadata: &Metadata,
    ) -> Result<Kind, Error> {
        let read = |source| Error::Read {
            path: installed.to_string(),
            source,
        };
        let file_type = metadata.file_type();
        Ok(if file_type.is_symlink() {
            let text = fs::read_link(&path).map_err(read)?.into_os_string();
            let text = text.into_string().map_err(|text| Error::Symlink {
                path: installed.to_string(),
                text: text.to_string_lossy().into_owned(),
            })?;
            Kind::Symlink(text)
        } else if file_type.is_dir() {
            Kind::Directory
        } else if file_type.is_char_device() {
            Kind::CharDevice
        } else if file_type.is_block_device() {
            Kind::BlockDevice
        } else if file_type.is_fifo() {
            Kind::Fifo
        } else if file_type.is_socket() {
            Kind::Socket
        } else {
            self.total = self.total.saturating_add(metadata.len());
            if self.total > self.limit {
                return Err(Error::TooLarge {
                    path: installed.to_string(),
                    limit: self.limit,
                });
            }
            Kind::Regular(content(path).map_err(read)?)
        })
    }
}
