//! The folders of one attempt, gone when it ends.
//!
//! They belong to the user that builds run as and are closed to all others. avalanche itself only
//! makes folders and files at the top, which no script can write to: a script sees some of the
//! folders below, each mounted on its own.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, lchown};
use std::path::{Path, PathBuf};

use api::id::AttemptId;

use crate::helper::Identity;

/// The folders of an attempt.
#[derive(Debug)]
pub(super) struct Workspace {
    folder: PathBuf,
    identity: Identity,
}

impl Workspace {
    /// Makes them, empty, below `work`.
    pub(super) fn create(work: &Path, id: AttemptId, identity: Identity) -> io::Result<Self> {
        let workspace = Self {
            folder: work.join(id.to_string()),
            identity,
        };
        remove(&workspace.folder)?;
        fs::create_dir(&workspace.folder)?;
        fs::set_permissions(&workspace.folder, Permissions::from_mode(0o700))?;
        workspace.give(&workspace.folder)?;
        for name in [
            "build", "closure", "home", "install", "scripts", "sources", "stones", "tmp",
        ] {
            workspace.make(name)?;
        }
        // Not there when the closure is empty, yet a layer of the root.
        fs::create_dir(workspace.stones().join("usr"))?;
        workspace.give(&workspace.stones().join("usr"))?;
        Ok(workspace)
    }

    /// Makes a further folder.
    pub(super) fn make(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.folder.join(name);
        fs::create_dir(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
        self.give(&path)?;
        Ok(path)
    }

    /// Writes a file of avalanche's own for helpers or scripts to read.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.folder.join(name);
        fs::write(&path, content)?;
        fs::set_permissions(&path, Permissions::from_mode(0o644))?;
        Ok(path)
    }

    /// Puts a copy of a file of the cache into one of the folders.
    pub(super) fn copy(&self, from: &Path, name: &str) -> io::Result<PathBuf> {
        let path = self.folder.join(name);
        fs::copy(from, &path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o644))?;
        Ok(path)
    }

    /// Gives a path to the builds' user, without following a link.
    pub(super) fn give(&self, path: &Path) -> io::Result<()> {
        match self.identity {
            Identity::Own => Ok(()),
            Identity::Dropped { id } => lchown(path, Some(id), Some(id)),
        }
    }

    /// The top.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
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
}
