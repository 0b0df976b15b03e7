//! The file that tells a data folder of ours from a folder that holds something else. A running line
//! holds a lock on it, and has written there which process it is.

use std::fs::{self, File, TryLockError};
use std::io::{self, Seek as _, Write as _};
use std::path::Path;

use super::{Error, file_error};

/// Its name.
pub(super) const FILE: &str = ".snekbook-dev";

/// How it begins, in every version.
const BEGIN: &str = "snekbook-dev keeps its data in this folder";

/// The line that says how the data are laid out. It changes when an older line's data cannot be
/// read any more.
const LAYOUT: &str = "layout: 1";

/// What stands before the number of the process.
const PROCESS: &str = "process: ";

/// The locked marker of a folder.
#[derive(Debug)]
pub(super) struct Marker {
    file: File,
    before: String,
}

impl Marker {
    /// Locks the marker of `folder`, which has to be ours or empty.
    pub(super) fn lock(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let before = match fs::read_to_string(&path) {
            // A process that ended between making it and writing it leaves it empty.
            Ok(text) if text.is_empty() || text.starts_with(BEGIN) => text,
            Ok(_) => return Err(Error::Foreign(folder.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut entries = fs::read_dir(folder).map_err(file_error(folder))?;
                if entries.next().is_some() {
                    return Err(Error::Foreign(folder.to_owned()));
                }
                String::new()
            }
            Err(source) => return Err(file_error(&path)(source)),
        };
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(file_error(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file, before }),
            Err(TryLockError::WouldBlock) => Err(Error::InUse {
                path: folder.to_owned(),
                process: find_process(&before),
            }),
            Err(TryLockError::Error(source)) => Err(file_error(&path)(source)),
        }
    }

    /// Refuses the folder when another version left its data in it.
    pub(super) fn check_version(&self, folder: &Path) -> Result<(), Error> {
        if self.before.is_empty() || self.before.lines().any(|line| line == LAYOUT) {
            Ok(())
        } else {
            Err(Error::Version(folder.to_owned()))
        }
    }

    /// Writes down that this process has the folder.
    pub(super) fn sign(&mut self) -> io::Result<()> {
        let process = std::process::id();
        let text =
            format!("{BEGIN}; `snekbook-dev --fresh` empties it.\n{LAYOUT}\n{PROCESS}{process}\n");
        self.file.rewind()?;
        self.file.set_len(0)?;
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()
    }
}

impl Drop for Marker {
    fn drop(&mut self) {
        // Closing is not enough: see `FolderLock` of moss-db.
        let _ = self.file.unlock();
    }
}

fn find_process(text: &str) -> Option<u32> {
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(PROCESS)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_was_just_forked_does_not_keep_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let marker = Marker::lock(folder.path()).unwrap();
        let inherited = marker.file.try_clone().unwrap();
        assert!(matches!(
            Marker::lock(folder.path()),
            Err(Error::InUse { .. })
        ));
        drop(marker);
        Marker::lock(folder.path()).unwrap();
        drop(inherited);
    }
}
