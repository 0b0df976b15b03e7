//! Changes of files that survive a crash once they return.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use super::TreeError;

/// Creates a folder and those above it that are missing. The folder's name is durable, also when
/// it was there: who made it may have died before the sync.
pub(super) fn create_folder(path: &Path) -> Result<(), TreeError> {
    match (fs::create_dir(path), path.parent()) {
        (Ok(()), Some(parent)) => sync_folder(parent),
        (Err(error), Some(parent)) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {
            sync_folder(parent)
        }
        (Err(error), Some(parent))
            if error.kind() == ErrorKind::NotFound && !parent.as_os_str().is_empty() =>
        {
            create_folder(parent)?;
            create_folder(path)
        }
        (Ok(()), None) => Ok(()),
        (Err(error), _) => Err(TreeError::of("create the folder", path)(error)),
    }
}

/// Removes a folder, or file, with all that is in it. It may be missing.
pub(super) fn remove_folder(path: &Path) -> Result<(), TreeError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(TreeError::of("remove", path)(error)),
    }
}

/// Writes a new file; one that is there is overwritten, so the path must be nobody's yet.
pub(super) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), TreeError> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(TreeError::of("write", path))
}

/// Moves a file or folder to its place, over a file that may be there.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), TreeError> {
    fs::rename(from, to).map_err(TreeError::of("rename a new file to", to))?;
    match to.parent() {
        Some(folder) => sync_folder(folder),
        None => Ok(()),
    }
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(path: &Path) -> Result<(), TreeError> {
    // The parent of a relative path's first component is the empty path.
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(TreeError::of("sync the folder", path))
}

/// Makes a file's bytes durable.
pub(super) fn sync_file(path: &Path) -> Result<(), TreeError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(TreeError::of("sync", path))
}

/// The names in a folder, sorted; none when it is missing. Names that are no text are skipped: none
/// is ours.
pub(super) fn names(path: &Path) -> Result<Vec<String>, TreeError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(TreeError::of("list", path)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(TreeError::of("list", path))?;
        names.extend(entry.file_name().into_string());
    }
    names.sort();
    Ok(names)
}
