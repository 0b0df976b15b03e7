//! The folders of one attempt, gone when it ends.
//!
//! Some belong to the user that builds run as: helpers fill them, and scripts see them, each mounted
//! on its own. All others are avalanche's: the top, and what scripts and helpers only read. Even so
//! avalanche follows no link below the top when it writes, and writes no file that is there already.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use api::id::AttemptId;

use crate::folder::Folder;
use crate::helper::Identity;

/// The folders of an attempt.
#[derive(Debug)]
pub(super) struct Workspace {
    folder: PathBuf,
    top: Folder,
    identity: Identity,
}

impl Workspace {
    /// Makes them, empty, below `work`.
    pub(super) fn create(work: &Path, id: AttemptId, identity: Identity) -> io::Result<Self> {
        let folder = work.join(id.to_string());
        remove(&folder)?;
        fs::create_dir(&folder)?;
        let workspace = Self {
            top: Folder::open(&folder)?,
            folder,
            identity,
        };
        // The builds' user passes, by its group; other slots' users do not.
        match identity {
            Identity::Own => workspace.top.set_mode(0o700)?,
            Identity::Dropped { id } => {
                workspace.top.give(None, Some(id))?;
                workspace.top.set_mode(0o710)?;
            }
        }
        for name in ["build", "git", "home", "install", "recipe", "stones", "tmp"] {
            workspace.make(name)?;
        }
        for name in ["closure", "scratch", "scripts", "sources"] {
            workspace.keep(name)?;
        }
        // Not there when the closure is empty, yet a layer of the root.
        workspace.make("stones/usr")?;
        Ok(workspace)
    }

    /// Makes a folder of the builds' user.
    pub(super) fn make(&self, name: &str) -> io::Result<PathBuf> {
        let folder = self.top.make(name.as_ref())?;
        folder.set_mode(0o755)?;
        match self.identity {
            Identity::Own => {}
            Identity::Dropped { id } => folder.give(Some(id), Some(id))?,
        }
        Ok(self.path(name))
    }

    /// Makes a folder of avalanche's own, for others to read.
    fn keep(&self, name: &str) -> io::Result<()> {
        self.top.make(name.as_ref())?.set_mode(0o755)
    }

    /// Writes a file of avalanche's own for helpers or scripts to read, in place of one that was
    /// there.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> io::Result<PathBuf> {
        let (folder, file_name) = self.parent(name)?;
        folder.remove(file_name)?;
        let mut file = folder.create(file_name)?;
        io::Write::write_all(&mut file, content)?;
        file.set_permissions(Permissions::from_mode(0o644))?;
        Ok(self.path(name))
    }

    /// Puts a copy of a file of the cache into one of the folders, where nothing has its name.
    pub(super) fn copy(&self, from: &Path, name: &str) -> io::Result<PathBuf> {
        let (folder, file_name) = self.parent(name)?;
        let mut file = folder.create(file_name)?;
        io::copy(&mut File::open(from)?, &mut file)?;
        file.set_permissions(Permissions::from_mode(0o644))?;
        Ok(self.path(name))
    }

    /// The folder in which `name` lies, reached without following a link, and its last part.
    fn parent<'a>(&self, name: &'a str) -> io::Result<(Folder, &'a OsStr)> {
        let path = Path::new(name);
        let folder = self.top.enter(path.parent().unwrap_or(Path::new("")))?;
        Ok((folder, path.file_name().unwrap_or_default()))
    }

    /// Gives a path to the builds' user, without following a link at its end.
    pub(super) fn give(&self, path: &Path) -> io::Result<()> {
        match self.identity {
            Identity::Own => Ok(()),
            Identity::Dropped { id } => std::os::unix::fs::lchown(path, Some(id), Some(id)),
        }
    }

    /// A path below the top.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where stones are unpacked to; the root's layer is `usr` in it.
    pub(super) fn stones(&self) -> PathBuf {
        self.path("stones")
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.folder) {
            tracing::warn!(
                path = %self.folder.display(), %error,
                "cannot remove a workspace; the next start tries again"
            );
        }
    }
}

/// Removes a folder with all that is in it, also where a build has taken away its own rights.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
        Err(error) => return Err(error),
    }
    open_up(folder)?;
    fs::remove_dir_all(folder)
}

/// Gives the owner all rights to the folders below; links are not followed.
fn open_up(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_rights_is_removed_too() {
        let folder = tempfile::tempdir().unwrap();
        let closed = folder.path().join("a/closed");
        fs::create_dir_all(&closed).unwrap();
        fs::write(closed.join("file"), "").unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
        remove(&folder.path().join("a")).unwrap();
        assert!(!folder.path().join("a").exists());
        remove(&folder.path().join("a")).unwrap();
    }

    #[test]
    fn nothing_is_written_through_a_planted_link() {
        use std::os::unix::fs::symlink;
        let work = tempfile::tempdir().unwrap();
        let id = AttemptId::new(api::id::BuildId::new(), 1);
        let workspace = Workspace::create(work.path(), id, Identity::Own).unwrap();
        let victim = work.path().join("victim");
        let from = work.path().join("from");
        fs::write(&from, "new").unwrap();
        symlink(&victim, workspace.path("sources/c")).unwrap();
        symlink(&victim, workspace.path("scripts/build")).unwrap();
        symlink(work.path(), workspace.path("closure/out")).unwrap();
        let error = workspace.copy(&from, "sources/c").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        workspace.write("scripts/build", b"true").unwrap();
        assert!(workspace.copy(&from, "closure/out/victim").is_err());
        assert!(workspace.write("closure/out/victim", b"").is_err());
        assert!(workspace.make("closure/out/folder").is_err());
        assert!(!victim.exists(), "it was written through a link");
        assert!(!work.path().join("folder").exists());
        let script = workspace.path("scripts/build");
        assert!(script.symlink_metadata().unwrap().is_file());
    }
}
