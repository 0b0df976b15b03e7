//! Files and folders below a folder, reached one component at a time without
//! ever following a symbolic link.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// A folder that paths are relative to.
#[derive(Debug)]
pub(crate) struct Below {
    root: OwnedFd,
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Below {
    /// Below this folder, which may itself be reached through links.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let flags = DIRECTORY.difference(OFlags::NOFOLLOW);
        let root = rustix::fs::open(folder, flags, Mode::empty())?;
        Ok(Self { root })
    }

    /// The folder with these components.
    pub(crate) fn folder(&self, path: &[&str]) -> io::Result<OwnedFd> {
        let mut folder = self.root.try_clone()?;
        for name in path {
            folder = rustix::fs::openat(&folder, *name, DIRECTORY, Mode::empty())?;
        }
        Ok(folder)
    }

    /// The folder with these components; those missing are made, with mode
    /// 0755.
    pub(crate) fn make_folder(&self, path: &[&str]) -> io::Result<OwnedFd> {
        let mut folder = self.root.try_clone()?;
        for name in path {
            let mode = Mode::from_raw_mode(0o755);
            let made = match rustix::fs::mkdirat(&folder, *name, mode) {
                Ok(()) => true,
                Err(rustix::io::Errno::EXIST) => false,
                Err(error) => return Err(error.into()),
            };
            folder = rustix::fs::openat(&folder, *name, DIRECTORY, Mode::empty())?;
            if made {
                // The process's umask may have taken bits away.
                rustix::fs::fchmod(&folder, mode)?;
            }
        }
        Ok(folder)
    }

    /// Opens the file with these components for reading.
    pub(crate) fn file(&self, path: &[&str]) -> io::Result<File> {
        let (name, parents) = path.split_last().ok_or(io::ErrorKind::InvalidInput)?;
        let folder = self.folder(parents)?;
        // Without NONBLOCK, opening a pipe would wait for its writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&folder, *name, flags, Mode::empty())?;
        Ok(File::from(file))
    }

    /// Makes the file with these components, which must not exist, readable
    /// and writable for its owner only; folders that are missing are made.
    pub(crate) fn make_file(&self, path: &[&str]) -> io::Result<File> {
        let (name, parents) = path.split_last().ok_or(io::ErrorKind::InvalidInput)?;
        let folder = self.make_folder(parents)?;
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&folder, *name, flags, Mode::from_raw_mode(0o600))?;
        Ok(File::from(file))
    }

    /// Makes a symbolic link with these components, which must not exist.
    pub(crate) fn make_symlink(&self, path: &[&str], text: &str) -> io::Result<()> {
        let (name, parents) = path.split_last().ok_or(io::ErrorKind::InvalidInput)?;
        let folder = self.make_folder(parents)?;
        rustix::fs::symlinkat(text, &folder, *name)?;
        Ok(())
    }
}
