//! The file on its way: `<target>.part`.
//!
//! Everything here blocks and runs on threads where that is allowed. A part is owned by one
//! fetch at a time, by a lock that the operating system drops with the process.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use api::id::Sha256;
use bytes::Bytes;
use sha2::Digest;
use tokio::sync::mpsc;

use crate::error::Error;

/// An open and locked part with the digest of what it holds.
#[derive(Debug)]
pub(crate) struct Part {
    path: PathBuf,
    target: PathBuf,
    file: File,
    length: u64,
    hasher: sha2::Sha256,
}

impl Part {
    /// Opens and locks the part of `target` and reads what is there already. `None` when
    /// another fetch has it. More than `limit` bytes are no use and thrown away.
    pub(crate) fn try_open(target: &Path, limit: u64) -> Result<Option<Self>, Error> {
        let mut path = target.as_os_str().to_owned();
        path.push(".part");
        let path = PathBuf::from(path);
        let failed = |source| Error::File {
            action: "open",
            path: path.clone(),
            source,
        };
        let file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        if !is_at(&file, &path).map_err(failed)? {
            // Whoever had it has renamed or removed it in the meantime.
            return Ok(None);
        }
        let target = target.to_owned();
        let mut part = Self {
            path,
            target,
            file,
            length: 0,
            hasher: sha2::Sha256::new(),
        };
        part.read_back(limit)?;
        Ok(Some(part))
    }

    /// The bytes that are there.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The digest of the bytes that are there.
    pub(crate) fn digest(&self) -> Sha256 {
        Sha256::from_bytes(self.hasher.clone().finalize().into())
    }

    /// Writes chunks as they come, until there are no more.
    pub(crate) fn absorb(&mut self, mut chunks: mpsc::Receiver<Bytes>) -> Result<(), Error> {
        while let Some(chunk) = chunks.blocking_recv() {
            self.append(&chunk)?;
        }
        Ok(())
    }

    /// Copies all of `source`, but no more than `limit` bytes and one, so that a file that is
    /// too large can be told.
    pub(crate) fn copy(&mut self, source: impl Read, limit: u64) -> Result<(), CopyError> {
        let mut source = source.take(limit.saturating_add(1));
        let mut buffer = vec![0; 64 << 10];
        loop {
            match source.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => self.append(&buffer[..count]).map_err(CopyError::Ours)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(CopyError::Source(error)),
            }
        }
    }

    /// Throws all bytes away.
    pub(crate) fn restart(&mut self) -> Result<(), Error> {
        self.file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .map_err(self.failed("truncate"))?;
        self.length = 0;
        self.hasher = sha2::Sha256::new();
        Ok(())
    }

    /// Puts the bytes, which the caller has verified, on the disk and then at the target.
    pub(crate) fn publish(self) -> Result<u64, Error> {
        self.file.sync_all().map_err(self.failed("sync"))?;
        std::fs::rename(&self.path, &self.target).map_err(self.failed("rename"))?;
        let folder = self
            .target
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| Error::File {
                action: "sync",
                path: folder.to_owned(),
                source,
            })?;
        Ok(self.length)
    }

    /// Removes an empty part; one with bytes stays for the next fetch.
    pub(crate) fn leave(self) {
        if self.length == 0 {
            // Nothing is lost when it stays.
            let _ = std::fs::remove_file(&self.path);
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(self.failed("write"))?;
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn read_back(&mut self, limit: u64) -> Result<(), Error> {
        let length = self.file.metadata().map_err(self.failed("read"))?.len();
        if length > limit {
            return self.restart();
        }
        let (hasher, length) = digest_of(&mut self.file).map_err(self.failed("read"))?;
        self.hasher = hasher;
        self.length = length;
        Ok(())
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(io::Error) -> Error + use<> {
        let path = self.path.clone();
        move |source| Error::File {
            action,
            path,
            source,
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Closing is not enough: see `FolderLock` of moss-db.
        let _ = self.file.unlock();
    }
}

/// Which side of a copy failed.
#[derive(Debug)]
pub(crate) enum CopyError {
    Source(io::Error),
    Ours(Error),
}

/// The digest and size of the file at `path`, if there is one.
pub(crate) fn examine(path: &Path) -> Result<Option<(Sha256, u64)>, Error> {
    let examined = File::open(path).and_then(|mut file| digest_of(&mut file));
    match examined {
        Ok((hasher, length)) => Ok(Some((Sha256::from_bytes(hasher.finalize().into()), length))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File {
            action: "read",
            path: path.to_owned(),
            source,
        }),
    }
}

fn digest_of(file: &mut File) -> io::Result<(sha2::Sha256, u64)> {
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    let mut length = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((hasher, length)),
            Ok(count) => {
                hasher.update(&buffer[..count]);
                length += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether an open file is the one that has the name now.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(named) => Ok((ours.dev(), ours.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_was_just_forked_does_not_keep_the_part() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("archive.tar.xz");
        let part = Part::try_open(&target, 1).unwrap().unwrap();
        let inherited = part.file.try_clone().unwrap();
        assert!(Part::try_open(&target, 1).unwrap().is_none());
        drop(part);
        assert!(Part::try_open(&target, 1).unwrap().is_some());
        drop(inherited);
    }
}
