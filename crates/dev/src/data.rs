//! The folder of everything that a line keeps.

mod marker;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;

use marker::Marker;

/// The folder's name among those of other programs.
const NAME: &str = "snekbook-dev";

/// Builds may run as a user of their own, who must be able to pass, though not to look around.
const MODE: u32 = 0o711;

/// Where the folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// There, and it stays.
    Kept(PathBuf),
    /// A new one, which goes at the end.
    Temporary,
}

/// What becomes of what an earlier line left in the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// The line goes on with it.
    GoOn,
    /// It is removed.
    Fresh,
}

/// The data folder of a running line. A temporary one goes when this is dropped.
#[derive(Debug)]
pub struct Data {
    path: PathBuf,
    // Held for its drop: the lock keeps a second line out of the folder.
    _marker: Marker,
    temporary: Option<TempDir>,
    outside: OnceLock<PathBuf>,
}

/// A folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user has none.
    #[error(
        "this user has no folder for data: neither XDG_DATA_HOME nor HOME names one; name one with \
         --data"
    )]
    Homeless,
    /// It holds something that is not ours.
    #[error(
        "{} is not empty and was not made by snekbook-dev: name a new or an empty folder",
        .0.display()
    )]
    Foreign(PathBuf),
    /// Another version made it, which kept things in another way.
    #[error(
        "{} was made by another version of snekbook-dev, whose data this one cannot read: name \
         another folder, or begin anew with --fresh, which empties this one",
        .0.display()
    )]
    Version(PathBuf),
    /// Another line uses it.
    #[error(
        "{} is in use by another snekbook-dev{}: end that one first, or name another folder with \
         --data",
        path.display(),
        .process.map(|id| format!(", process {id}")).unwrap_or_default()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// Who uses it, where that can be read.
        process: Option<u32>,
    },
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

/// The folder in the home of the user who runs this, as the XDG Base Directory Specification has
/// it: in `$XDG_DATA_HOME`, or in `~/.local/share` where that is not set or not absolute.
///
/// # Errors
/// When the user has no home either.
pub fn home() -> Result<PathBuf, Error> {
    let folder = |name: &str| {
        let path = std::env::var_os(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    folder("XDG_DATA_HOME")
        .or_else(|| Some(folder("HOME")?.join(".local/share")))
        .map(|data| data.join(NAME))
        .ok_or(Error::Homeless)
}

impl Data {
    /// Opens the folder at `place`, and makes it if it is not there.
    ///
    /// # Errors
    /// When the folder holds something else, is in use, or cannot be written.
    pub fn open(place: &Place, beginning: Beginning) -> Result<Self, Error> {
        let path = match place {
            Place::Kept(path) => path,
            Place::Temporary => return Self::temporary(),
        };
        if path.exists() && !path.is_dir() {
            return Err(Error::NoFolder(path.clone()));
        }
        if !path.exists() {
            make(path).map_err(file_error(path))?;
        }
        let path = path.canonicalize().map_err(file_error(path))?;
        let mut marker = Marker::lock(&path)?;
        match beginning {
            Beginning::GoOn => marker.check_version(&path)?,
            Beginning::Fresh => empty(&path)?,
        }
        marker.sign().map_err(file_error(&path))?;
        Ok(Self {
            path,
            _marker: marker,
            temporary: None,
            outside: OnceLock::new(),
        })
    }

    fn temporary() -> Result<Self, Error> {
        let folder = tempfile::Builder::new()
            .prefix("snekbook-dev-")
            .permissions(Permissions::from_mode(MODE))
            .tempdir()
            .map_err(file_error(&std::env::temp_dir()))?;
        let path = folder
            .path()
            .canonicalize()
            .map_err(file_error(folder.path()))?;
        let mut marker = Marker::lock(&path)?;
        marker.sign().map_err(file_error(&path))?;
        Ok(Self {
            _marker: marker,
            path,
            temporary: Some(folder),
            outside: OnceLock::new(),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Notes a folder that belongs to the data and lies outside: where builds run when they cannot
    /// do so in here.
    pub fn leave_outside(&self, folder: PathBuf) {
        // A line starts once, so that there is one such folder.
        let _ = self.outside.set(folder);
    }

    /// Ends the use of the folder, and removes it if it is temporary, with what lies outside.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn close(self) -> Result<(), Error> {
        let Some(folder) = self.temporary else {
            return Ok(());
        };
        // Both are tried, whatever becomes of the first.
        let inside = folder.close().map_err(file_error(&self.path));
        let outside = match self.outside.get() {
            Some(outside) => fs::remove_dir_all(outside).map_err(file_error(outside)),
            None => Ok(()),
        };
        inside.and(outside)
    }
}

fn make(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::create_dir(path)?;
    fs::set_permissions(path, Permissions::from_mode(MODE))
}

/// Removes all but the marker.
fn empty(folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(file_error(folder))? {
        let entry = entry.map_err(file_error(folder))?;
        let path = entry.path();
        if entry.file_name() == marker::FILE {
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

    fn open(path: &Path, beginning: Beginning) -> Result<Data, Error> {
        Data::open(&Place::Kept(path.to_owned()), beginning)
    }

    #[test]
    fn a_folder_of_ours_is_kept_and_emptied_only_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let ours = folder.path().join("new/data");
        let data = open(&ours, Beginning::GoOn).unwrap();
        let mode = ours.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        fs::create_dir_all(data.path().join("forge/git")).unwrap();
        fs::write(data.path().join("log"), "").unwrap();
        for beginning in [Beginning::GoOn, Beginning::Fresh] {
            let error = open(&ours, beginning).unwrap_err();
            let Error::InUse { process, .. } = &error else {
                panic!("{error}")
            };
            assert_eq!(*process, Some(std::process::id()));
            let said = error.to_string();
            let wanted = format!("process {}", std::process::id());
            assert!(said.contains(&wanted), "{said}");
        }
        data.close().unwrap();

        open(&ours, Beginning::GoOn).unwrap().close().unwrap();
        assert!(ours.join("log").exists() && ours.join("forge/git").exists());
        let data = open(&ours, Beginning::Fresh).unwrap();
        let left: Vec<_> = fs::read_dir(data.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "only the marker is left: {left:?}");
    }

    #[test]
    fn what_lies_outside_goes_whatever_became_of_the_folder() {
        let data = Data::open(&Place::Temporary, Beginning::GoOn).unwrap();
        let outside = tempfile::tempdir().unwrap().keep();
        data.leave_outside(outside.clone());
        // Removed by somebody else: that is told, and the rest goes all the same.
        fs::remove_dir_all(data.path()).unwrap();
        data.close().unwrap_err();
        assert!(!outside.exists());
    }

    #[test]
    fn what_is_somebody_elses_is_left_alone_also_by_a_fresh_start() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let foreign = folder.path().join("foreign");
        fs::create_dir(&foreign).unwrap();
        fs::write(foreign.join("thesis"), "").unwrap();
        let pretender = folder.path().join("pretender");
        fs::create_dir(&pretender).unwrap();
        fs::write(pretender.join(marker::FILE), "my notes\n").unwrap();
        fs::write(pretender.join("thesis"), "").unwrap();
        for beginning in [Beginning::GoOn, Beginning::Fresh] {
            let error = open(&file, beginning).unwrap_err();
            assert!(matches!(error, Error::NoFolder(_)), "{error}");
            for folder in [&foreign, &pretender] {
                let error = open(folder, beginning).unwrap_err();
                assert!(matches!(error, Error::Foreign(_)), "{error}");
                assert!(folder.join("thesis").exists());
            }
        }
        let kept = fs::read_to_string(pretender.join(marker::FILE)).unwrap();
        assert_eq!(kept, "my notes\n");
    }

    #[test]
    fn data_of_another_version_is_not_touched_but_by_a_fresh_start() {
        let folder = tempfile::tempdir().unwrap();
        let older = "snekbook-dev keeps its data in this folder and empties it at each start.\n";
        fs::write(folder.path().join(marker::FILE), older).unwrap();
        fs::write(folder.path().join("log"), "").unwrap();
        let error = open(folder.path(), Beginning::GoOn).unwrap_err();
        assert!(matches!(error, Error::Version(_)), "{error}");
        assert!(error.to_string().contains("--fresh"), "{error}");
        assert!(folder.path().join("log").exists());
        drop(open(folder.path(), Beginning::Fresh).unwrap());
        assert!(!folder.path().join("log").exists());
        drop(open(folder.path(), Beginning::GoOn).unwrap());
    }

    #[test]
    fn a_temporary_folder_can_be_passed_and_goes_with_what_lies_outside() {
        let data = Data::open(&Place::Temporary, Beginning::GoOn).unwrap();
        let path = data.path().to_owned();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, MODE);
        let outside = tempfile::tempdir().unwrap().keep();
        data.leave_outside(outside.clone());
        data.close().unwrap();
        assert!(!path.exists() && !outside.exists());
    }
}
