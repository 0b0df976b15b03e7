//! The folder of everything that a line keeps.

use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The file that tells a folder of ours from one that holds something else.
const MARKER: &str = ".snekbook-dev";

/// What the marker says to whoever finds it.
const NOTE: &str = "snekbook-dev keeps its data in this folder and empties it at each start.\n";

/// The data folder of a running line. A temporary one goes when this is dropped.
#[derive(Debug)]
pub struct Data {
    path: PathBuf,
    // Held for its drop: the lock keeps a second line out of the folder.
    _lock: File,
    temporary: Option<TempDir>,
}

/// A folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It holds something that is not ours to remove.
    #[error(
        "{} is not empty and was not made by snekbook-dev, which would empty it: name a new folder",
        .0.display()
    )]
    Foreign(PathBuf),
    /// Another line uses it.
    #[error("{} is in use by another snekbook-dev", .0.display())]
    InUse(PathBuf),
    /// It is no folder.
    #[error("{} is no folder", .0.display())]
    NoFolder(PathBuf),
    /// It cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Data {
    /// The folder at `path`, emptied; without one, a fresh temporary folder.
    ///
    /// # Errors
    /// When the folder holds something else, is in use, or cannot be written.
    pub fn open(path: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = path else {
            return Self::temporary();
        };
        if path.exists() && !path.is_dir() {
            return Err(Error::NoFolder(path.to_owned()));
        }
        fs::create_dir_all(path).map_err(file_error(path))?;
        let path = path.canonicalize().map_err(file_error(path))?;
        let is_empty = fs::read_dir(&path)
            .map_err(file_error(&path))?
            .next()
            .is_none();
        if !is_empty && !path.join(MARKER).is_file() {
            return Err(Error::Foreign(path));
        }
        let lock = lock(&path)?;
        empty(&path)?;
        Ok(Self {
            path,
            _lock: lock,
            temporary: None,
        })
    }

    fn temporary() -> Result<Self, Error> {
        // Builds run as a user of their own, who must be able to pass, though not to look around.
        let folder = tempfile::Builder::new()
            .prefix("snekbook-dev-")
            .permissions(Permissions::from_mode(0o711))
            .tempdir()
            .map_err(file_error(&std::env::temp_dir()))?;
        let path = folder
            .path()
            .canonicalize()
            .map_err(file_error(folder.path()))?;
        Ok(Self {
            _lock: lock(&path)?,
            path,
            temporary: Some(folder),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Ends the use of the folder, and removes it if it is temporary.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn close(self) -> Result<(), Error> {
        match self.temporary {
            Some(folder) => folder.close().map_err(file_error(&self.path)),
            None => Ok(()),
        }
    }
}

fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(MARKER);
    let marker = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(file_error(&path))?;
    match marker.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Error::InUse(folder.to_owned())),
        Err(TryLockError::Error(source)) => return Err(file_error(&path)(source)),
    }
    fs::write(&path, NOTE).map_err(file_error(&path))?;
    Ok(marker)
}

/// Removes all but the marker.
fn empty(folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(file_error(folder))? {
        let entry = entry.map_err(file_error(folder))?;
        let path = entry.path();
        if entry.file_name() == MARKER {
            continue;
        }
        let is_folder = entry.file_type().map_err(file_error(&path))?.is_dir();
        let removed = if is_folder {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.map_err(file_error(&path))?;
    }
    Ok(())
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_ours_is_emptied_and_another_one_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let ours = folder.path().join("new/data");
        let data = Data::open(Some(&ours)).unwrap();
        fs::create_dir_all(data.path().join("forge/git")).unwrap();
        fs::write(data.path().join("log"), "").unwrap();
        let error = Data::open(Some(&ours)).unwrap_err();
        assert!(matches!(error, Error::InUse(_)), "{error}");
        data.close().unwrap();
        assert!(ours.join("log").exists(), "a named folder stays");

        let data = Data::open(Some(&ours)).unwrap();
        let left: Vec<_> = fs::read_dir(data.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "only the marker is left: {left:?}");

        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Data::open(Some(&file)).unwrap_err();
        assert!(matches!(error, Error::NoFolder(_)), "{error}");

        let foreign = folder.path().join("foreign");
        fs::create_dir(&foreign).unwrap();
        fs::write(foreign.join("thesis"), "").unwrap();
        let error = Data::open(Some(&foreign)).unwrap_err();
        assert!(matches!(error, Error::Foreign(_)), "{error}");
        assert!(foreign.join("thesis").exists());
    }

    #[test]
    fn a_temporary_folder_can_be_passed_and_goes() {
        let data = Data::open(None).unwrap();
        let path = data.path().to_owned();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o711);
        data.close().unwrap();
        assert!(!path.exists());
    }
}
