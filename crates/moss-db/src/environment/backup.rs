//! Copies of a database that is in use, and the way back.
//!
//! Copies are made under a name of their own and get the right one when they are complete, without
//! taking it from another file. Whoever is killed meanwhile leaves a file `.<target>.<random>.part`
//! beside the target, or a folder `.restore-<random>` in the database's folder. Nobody uses such a
//! name again, so they are in nobody's way; but nobody removes them either, as there is no telling
//! whether they are still written. An operator may, when no backup and no restore is under way.

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use heed::CompactionOption;

mod error;
mod seal;

pub use error::BackupError;

use super::Environment;
use super::open::{Options, open_lmdb, read_identity, reserve_readers};
use super::room::Usage;
use error::failed;
use seal::Seal;

/// LMDB's name for the file with the data.
const DATA_FILE: &str = "data.mdb";
/// The mode that LMDB gives its files: what is nobody's business in the database is so in a copy.
const MODE: u32 = 0o600;

impl Environment {
    /// Writes a consistent and compact copy of the database, as of now, to the new file `target`
    /// while the database stays in use. The file has its name only when it is complete and on
    /// the disk; only its owner may read it. Blocks the thread.
    ///
    /// The file ends with a line that has the SHA-256 of the rest, for [`restore`]. It is a data
    /// file of LMDB nevertheless.
    ///
    /// # Errors
    ///
    /// When `target` exists, or the copy fails.
    pub fn backup(&self, target: &Path) -> Result<(), BackupError> {
        refuse_existing(target)?;
        let folder = parent(target);
        let mut prefix = OsString::from(".");
        prefix.push(target.file_name().unwrap_or_default());
        prefix.push(".");
        let mut part = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(".part")
            .permissions(Permissions::from_mode(MODE))
            .tempfile_in(folder)
            .map_err(failed("create a file in", folder))?;
        let file = part.as_file_mut();
        self.env()
            .copy_to_file(file, CompactionOption::Enabled)
            .map_err(|source| BackupError::Copy {
                path: target.to_owned(),
                source,
            })?;
        seal::append(file)
            .and_then(|()| file.sync_all())
            .map_err(failed("write", target))?;
        part.persist_noclobber(target)
            .map_err(|error| not_placed(target, error.error))?;
        sync_folder(folder)
    }
}

/// Makes the backup at `backup` the database of `folder`, which must have none. Only its owner may
/// read it.
///
/// A copy is looked at before it gets its place. A file is refused that is no database or was cut,
/// and so is a backup of which any byte is another one since [`Environment::backup`] wrote it. A
/// file without a SHA-256 at its end, such as the `data.mdb` of a stopped service, is taken when it
/// is as long as it must be and says whose it is: of such a one, damage elsewhere is not found.
///
/// # Errors
///
/// When the folder has a database, the file is none or is damaged, or the copy fails.
pub fn restore(backup: &Path, folder: &Path) -> Result<(), BackupError> {
    std::fs::create_dir_all(folder).map_err(failed("create the folder", folder))?;
    let target = folder.join(DATA_FILE);
    refuse_existing(&target)?;
    // A folder, because that is what LMDB takes for a database. It goes when this returns.
    let probed = tempfile::Builder::new()
        .prefix(".restore-")
        .tempdir_in(folder)
        .map_err(failed("create a folder in", folder))?;
    let part = probed.path().join(DATA_FILE);
    copy(backup, &part)?;
    probe(probed.path(), backup)?;
    // Unlike a renaming, a link never takes the place of another file.
    std::fs::hard_link(&part, &target).map_err(|error| not_placed(&target, error))?;
    sync_folder(folder)
}

/// Copies `backup` without its seal, unless the seal is broken.
fn copy(backup: &Path, part: &Path) -> Result<(), BackupError> {
    let mut from = File::open(backup).map_err(failed("read", backup))?;
    let mut file = File::options()
        .create_new(true)
        .read(true)
        .write(true)
        .mode(MODE)
        .open(part)
        .map_err(failed("create", part))?;
    io::copy(&mut from, &mut file).map_err(failed("write", part))?;
    match seal::examine(&mut file).map_err(failed("read", part))? {
        Seal::Sound { length } => file.set_len(length).map_err(failed("cut", part))?,
        Seal::Absent => {}
        Seal::Broken => return Err(BackupError::Damaged(backup.to_owned())),
        Seal::Cut => return Err(BackupError::NoDatabase(backup.to_owned())),
    }
    file.sync_all().map_err(failed("sync", part))
}

/// Opens the copy of `backup` in `folder`.
fn probe(folder: &Path, backup: &Path) -> Result<(), BackupError> {
    let refused = || BackupError::NoDatabase(backup.to_owned());
    let failure = |error| BackupError::probe(backup, error);
    let data = folder.join(DATA_FILE);
    let size = std::fs::metadata(&data)
        .map_err(failed("read", &data))?
        .len();
    let options = Options {
        max_readers: 1,
        ..Options::default()
    };
    reserve_readers(folder, options.max_readers).map_err(failure)?;
    let env = open_lmdb(folder, &options).map_err(failure)?;
    let usage = Usage::of(&env);
    // What was cut would be a fault of the machine's as soon as a page is read that is not there.
    let found = match usage.used() <= size {
        true => read_identity(&env, folder).map_err(failure),
        false => Err(refused()),
    };
    env.prepare_for_closing().wait();
    found?.map(drop).ok_or_else(refused)
}

/// Spares the work where it would be for nothing. It is no promise: what comes between is found
/// when the copy gets its name.
fn refuse_existing(target: &Path) -> Result<(), BackupError> {
    match target.symlink_metadata() {
        Ok(_) => Err(BackupError::Exists(target.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("look for", target)(error)),
    }
}

/// Why a copy did not get the name `target`.
fn not_placed(target: &Path, source: io::Error) -> BackupError {
    match source.kind() == io::ErrorKind::AlreadyExists {
        true => BackupError::Exists(target.to_owned()),
        false => failed("name the copy", target)(source),
    }
}

fn parent(target: &Path) -> &Path {
    let folder = target
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Sees to it that the names in `folder` are on the disk.
fn sync_folder(folder: &Path) -> Result<(), BackupError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed("sync", folder))
}
