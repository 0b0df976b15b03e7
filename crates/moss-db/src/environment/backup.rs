//! Copies of a database that is in use, and the way back.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use heed::CompactionOption;

use super::Environment;
use super::open::{Options, open_lmdb, read_identity};
use super::room::Usage;

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
    /// The file is no database of ours, or not a whole one.
    #[error("`{}` is no backup of a database", .0.display())]
    NoDatabase(PathBuf),
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

/// Makes the backup at `backup` the database of `folder`, which must have none. The copy is opened
/// before it gets its place: a file that is no database is refused, and so is one that was cut.
///
/// # Errors
///
/// When the folder has a database, the file is none, or the copy fails.
pub fn restore(backup: &Path, folder: &Path) -> Result<(), BackupError> {
    std::fs::create_dir_all(folder).map_err(failed("create the folder", folder))?;
    finish_copy(&folder.join(DATA_FILE), |part| {
        let mut from = File::open(backup).map_err(failed("read", backup))?;
        let mut file = create(part)?;
        io::copy(&mut from, &mut file).map_err(failed("write", part))?;
        sync(&file, part)?;
        probe(part, backup)
    })
}

/// Opens the copy `part` of `backup` in a folder of its own, beside it.
fn probe(part: &Path, backup: &Path) -> Result<(), BackupError> {
    let mut folder = part.as_os_str().to_owned();
    folder.push(".probe");
    let folder = PathBuf::from(folder);
    let probed = std::fs::create_dir(&folder)
        .and_then(|()| std::fs::hard_link(part, folder.join(DATA_FILE)))
        .map_err(failed("probe", &folder))
        .and_then(|()| is_ours(&folder, backup));
    // Nothing reads it any more; that it cannot be removed is no news beside the outcome.
    let _ = std::fs::remove_dir_all(&folder);
    probed
}

fn is_ours(folder: &Path, backup: &Path) -> Result<(), BackupError> {
    let refused = || BackupError::NoDatabase(backup.to_owned());
    let data = folder.join(DATA_FILE);
    let size = std::fs::metadata(&data)
        .map_err(failed("read", &data))?
        .len();
    let env = open_lmdb(folder, &Options::default()).map_err(|_| refused())?;
    let usage = Usage::of(&env);
    // What was cut would be a fault of the machine's as soon as a page is read that is not there.
    let found = match usage.used() <= size {
        true => read_identity(&env, folder).map_err(|_| refused()),
        false => Err(refused()),
    };
    env.prepare_for_closing().wait();
    found?.map(drop).ok_or_else(refused)
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
