//! A folder belongs to one opened environment at a time.
//!
//! heed refuses a second environment within a process, LMDB allows one per process. Two
//! services on one folder would each believe to be alone, so a lock file says who has it. The
//! operating system drops the lock with the process, however that ends.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::open::OpenError;

/// The lock file's name in the folder.
const FILE: &str = "owner.lock";

/// Holds the folder until it is dropped.
#[derive(Debug)]
pub(super) struct FolderLock {
    file: File,
}

impl FolderLock {
    pub(super) fn acquire(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(FILE);
        let failed = |source| OpenError::Folder {
            path: path.clone(),
            source,
        };
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::AlreadyOpen {
                path: folder.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing is not enough: a child that another thread has forked holds a copy of the file
        // until it executes its program, and with it the lock.
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_was_just_forked_does_not_keep_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let lock = FolderLock::acquire(folder.path()).unwrap();
        let inherited = lock.file.try_clone().unwrap();
        assert!(matches!(
            FolderLock::acquire(folder.path()),
            Err(OpenError::AlreadyOpen { .. })
        ));
        drop(lock);
        FolderLock::acquire(folder.path()).unwrap();
        drop(inherited);
    }
}
