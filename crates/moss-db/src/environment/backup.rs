//! Copies of a database that is in use, and the way back.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use heed::CompactionOption;

use super::Environment;

/// LMDB's name for the file with the data.
const DATA_FILE: &str = "data.mdb";

/// A backup or a restore that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The target is there already; it was not touched.
    #[error("`{}` exists already and is not overwritten", .0.display())]
    Exists(PathBuf),
    /// A file cannot be read or written.
    #[error("cannot {action} `{}`", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: io::Error,
    },
    /// LMDB cannot copy the database.
    #[error("cannot copy the database to `{}`", path.display())]
    Copy {
        /// The file that should become the backup.
        path: PathBuf,
        /// LMDB's answer.
        #[source]
        source: heed::Error,
    },
}

impl Environment {
    /// Writes a consistent and compact copy of the database, as of now, to the new file `target`
    /// while the database stays in use. The file has its name only when it is complete and on
    /// the disk. Blocks the thread.
    ///
    /// # Errors
    ///
    /// When `target` exists, or the copy fails.
    pub fn backup(&self, target: &Path) -> Result<(), BackupError> {
        finish_copy(target, |part| {
            let mut file = create(part)?;
            self.env()
                .copy_to_file(&mut file, CompactionOption::Enabled)
                .map_err(|source| BackupError::Copy {
                    path: part.to_owned(),
                    source,
                })?;
            sync(&file, part)
        })
    }
}

/// Makes the backup at `backup` the database of `folder`, which must have none.
///
/// # Errors
///
/// When the folder has a database, or the copy fails.
pub fn restore(backup: &Path, folder: &Path) -> Result<(), BackupError> {
    std::fs::create_dir_all(folder).map_err(failed("create the folder", folder))?;
    finish_copy(&folder.join(DATA_FILE), |part| {
        let mut from = File::open(backup).map_err(failed("read", backup))?;
        let mut file = create(part)?;
        io::copy(&mut from, &mut file).map_err(failed("write", part))?;
        sync(&file, part)
    })
}

/// Writes a file under another name first, so that `target` is never incomplete.
fn finish_copy(
    target: &Path,
    write: impl FnOnce(&Path) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    if target.exists() {
        return Err(BackupError::Exists(target.to_owned()));
    }
    let mut part = target.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let written =
        write(&part).and_then(|()| std::fs::rename(&part, target).map_err(failed("rename", &part)));
    if let Err(error) = written {
        // What is left is useless; that it cannot be removed is no news beside the error.
        let _ = std::fs::remove_file(&part);
        return Err(error);
    }
    let folder = target
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed("sync", folder))
}

fn create(path: &Path) -> Result<File, BackupError> {
    File::options()
        .create(true)
        .truncate(true)
        .write(true)
        .open(path)
        .map_err(failed("create", path))
}

fn sync(file: &File, path: &Path) -> Result<(), BackupError> {
    file.sync_all().map_err(failed("sync", path))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |source| BackupError::File {
        action,
        path,
        source,
    }
}
