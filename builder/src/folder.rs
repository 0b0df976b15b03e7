//! A folder below which no link is followed.
//!
//! Below a folder that somebody else may write to, a path leads wherever that somebody wants: each
//! part of it may be a symbolic link by the time it is used. Here a folder is a descriptor, and what
//! lies below is reached one part at a time from it, never through a link. New files are never
//! opened through what is there already.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt as _, fchown};
use std::path::{Component, Path};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

/// An open folder.
#[derive(Debug)]
pub(crate) struct Folder(File);

impl Folder {
    /// Opens the folder at `path`, which is not itself a link.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let descriptor = rustix::fs::open(path, flags(), Mode::empty())?;
        Ok(Self(descriptor.into()))
    }

    /// Opens the folder at `path` below this one.
    pub(crate) fn enter(&self, path: &Path) -> io::Result<Self> {
        self.walk(path, |folder, name| folder.open_at(name))
    }

    /// Opens the folder at `path` below this one; makes what is missing of it.
    pub(crate) fn make(&self, path: &Path) -> io::Result<Self> {
        self.walk(path, |folder, name| {
            match folder.open_at(name) {
                Err(Errno::NOENT) => {}
                result => return result,
            }
            match rustix::fs::mkdirat(&folder.0, name, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => folder.open_at(name),
                Err(error) => Err(error),
            }
        })
    }

    /// Makes the file `name`, which is not there, not even as a link.
    pub(crate) fn create(&self, name: &OsStr) -> io::Result<File> {
        check(name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mode = Mode::from_raw_mode(0o600);
        let file = rustix::fs::openat(&self.0, name, flags | OFlags::CLOEXEC, mode)?;
        Ok(file.into())
    }

    /// Removes `name`, a link and not what it leads to; it may be missing, and is no folder.
    pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
        check(name)?;
        match rustix::fs::unlinkat(&self.0, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the symbolic link `name`.
    pub(crate) fn symlink(&self, target: &OsStr, name: &OsStr) -> io::Result<()> {
        check(name)?;
        Ok(rustix::fs::symlinkat(target, &self.0, name)?)
    }

    /// Gives the file `old` of `from` a second name in this folder.
    pub(crate) fn hard_link(&self, from: &Self, old: &OsStr, name: &OsStr) -> io::Result<()> {
        check(old)?;
        check(name)?;
        Ok(rustix::fs::linkat(
            &from.0,
            old,
            &self.0,
            name,
            AtFlags::empty(),
        )?)
    }

    /// True when `name` is a regular file, and no link to one.
    pub(crate) fn has_file(&self, name: &OsStr) -> bool {
        check(name).is_ok()
            && rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
    }

    /// Gives the folder itself a mode, whatever the umask says.
    pub(crate) fn set_mode(&self, mode: u32) -> io::Result<()> {
        self.0.set_permissions(Permissions::from_mode(mode))
    }

    /// Gives the folder itself to a user and a group.
    pub(crate) fn give(&self, user: Option<u32>, group: Option<u32>) -> io::Result<()> {
        fchown(&self.0, user, group)
    }

    fn walk(
        &self,
        path: &Path,
        step: impl Fn(&Self, &OsStr) -> Result<OwnedFd, Errno>,
    ) -> io::Result<Self> {
        let mut folder = Self(self.0.try_clone()?);
        for component in path.components() {
            match component {
                Component::CurDir => {}
                Component::Normal(name) => folder = Self(step(&folder, name)?.into()),
                Component::RootDir | Component::ParentDir | Component::Prefix(_) => {
                    return Err(outside());
                }
            }
        }
        Ok(folder)
    }

    fn open_at(&self, name: &OsStr) -> Result<OwnedFd, Errno> {
        rustix::fs::openat(&self.0, name, flags(), Mode::empty())
    }
}

/// True for the error of a path that leads through a link or a file.
pub(crate) fn is_no_folder(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::NOTDIR | Errno::LOOP)
    )
}

fn flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

/// A name has one part.
fn check(name: &OsStr) -> io::Result<()> {
    match (
        Path::new(name).components().next(),
        Path::new(name).file_name(),
    ) {
        (Some(Component::Normal(first)), Some(last)) if first == name && last == name => Ok(()),
        _ => Err(outside()),
    }
}

fn outside() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "the path leads out of its folder",
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_link_is_followed_on_the_way_or_at_its_end() {
        let top = tempfile::tempdir().unwrap();
        let (inside, outside) = (top.path().join("inside"), top.path().join("outside"));
        fs::create_dir_all(inside.join("real")).unwrap();
        fs::create_dir(&outside).unwrap();
        symlink(&outside, inside.join("real/link")).unwrap();
        symlink(outside.join("new"), inside.join("real/dangling")).unwrap();
        let folder = Folder::open(&inside).unwrap();
        for path in ["real/link", "real/link/deeper"] {
            for result in [folder.enter(path.as_ref()), folder.make(path.as_ref())] {
                assert!(is_no_folder(&result.unwrap_err()), "{path}");
            }
        }
        for path in ["..", "real/../..", "/tmp"] {
            let error = folder.make(path.as_ref()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path}");
        }
        let real = folder.enter("real".as_ref()).unwrap();
        let error = real.create("dangling".as_ref()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        for name in ["..", ".", "", "a/b", "/a", "a/"] {
            assert!(real.create(name.as_ref()).is_err(), "{name:?}");
        }
        real.remove("dangling".as_ref()).unwrap();
        real.create("dangling".as_ref()).unwrap();
        assert!(Folder::open(&inside.join("real/link")).is_err());
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }
}
