//! Reads the install root: every file that may be packaged, in the order of the layout.
//!
//! The order is depth first, entries by the bytes of their names, a directory after its children.
//! Nothing is followed: a symlink is recorded with its text, wherever it points. The walk reads
//! the tree after the build's last process has ended, so nothing changes beneath it.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use moss_format::Digest;
use moss_format::digest::Hasher;
use thiserror::Error;

use super::path::InstalledPath;

/// The mode of a directory that needs no record of its own once it holds something.
const USUAL_DIRECTORY: u32 = 0o040_755;
/// How deep folders may nest; the deepest of real packages nest about 30.
const DEPTH_LIMIT: usize = 256;
/// How many files there may be, left-out ones included; the largest of real packages have some
/// 200,000.
const FILE_LIMIT: usize = 2_000_000;

/// One file of the install root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: InstalledPath,
    /// The full `st_mode`, with type and with set-user-id, set-group-id and sticky bits.
    pub(crate) mode: u32,
    pub(crate) kind: Kind,
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file. Hard links are files of their own with equal content.
    Regular(Content),
    /// A symlink with its text.
    Symlink(String),
    /// A directory that is empty or has an unusual mode.
    Directory,
    CharDevice,
    BlockDevice,
    Fifo,
    Socket,
}

/// The content of a regular file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    /// Where the bytes can be read, which need not be the install root.
    pub(crate) source: PathBuf,
    pub(crate) size: u64,
    pub(crate) digest: Digest,
}

/// A file that is not packaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) path: InstalledPath,
    pub(crate) reason: Reason,
}

/// Why a file is not packaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Packages own `/usr` and nothing else.
    OutsideUsr,
    /// Libtool archives name build folders and are of no use once installed.
    Libtool,
}

/// Whether libtool archives are left out: `lastrip` of the recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Libtool {
    LeaveOut,
    Keep,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) entries: Vec<Entry>,
    pub(crate) left: Vec<Left>,
}

/// Why the install root could not be read.
#[derive(Debug, Error)]
pub enum Error {
    /// A file or folder cannot be read.
    #[error("cannot read `{path}` in the install root")]
    Read {
        /// The path on the installed system.
        path: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The format stores text in UTF-8 only.
    #[error("the name of `{path}` in the install root is not UTF-8")]
    Name {
        /// The path, with the offending bytes replaced.
        path: String,
    },
    /// The format stores text in UTF-8 only.
    #[error("the symlink `{path}` in the install root points to `{text}`, which is not UTF-8")]
    Symlink {
        /// The path on the installed system.
        path: String,
        /// The link's text, with the offending bytes replaced.
        text: String,
    },
    /// Folders nest deeper than any package needs.
    #[error("the folders of the install root nest more than {DEPTH_LIMIT} deep at `{path}`")]
    TooDeep {
        /// The path on the installed system.
        path: String,
    },
    /// There are more files than any package needs.
    #[error("the install root holds more than {FILE_LIMIT} files")]
    TooMany,
    /// The tree holds more than a package may.
    #[error("the install root holds more than {limit} bytes, reached at `{path}`")]
    TooLarge {
        /// The path on the installed system.
        path: String,
        /// The limit, in bytes.
        limit: u64,
    },
}

/// Walks `install_root`. `limit` bounds the sum of the sizes of all regular files, in bytes, hard
/// links and holes counted in full.
pub(crate) fn walk(install_root: &Path, libtool: Libtool, limit: u64) -> Result<Collected, Error> {
    let mut walk = Walk {
        libtool,
        limit,
        total: 0,
        collected: Collected::default(),
    };
    walk.folder(install_root, &InstalledPath::root())?;
    Ok(walk.collected)
}

/// Reads a regular file to its end; `source` is not followed if it is a symlink.
pub(crate) fn content(source: PathBuf) -> io::Result<Content> {
    let mut hasher = Hasher::new();
    let mut file = open(&source)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => hasher.update(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Content {
        source,
        size: hasher.length(),
        digest: hasher.digest(),
    })
}

/// Opens a regular file for reading, without following a symlink and without blocking on a fifo.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(file)
}

struct Walk {
    libtool: Libtool,
    limit: u64,
    total: u64,
    collected: Collected,
}

impl Walk {
    /// Walks one folder; true if it is empty.
    fn folder(&mut self, folder: &Path, installed: &InstalledPath) -> Result<bool, Error> {
        let read = |source| Error::Read {
            path: installed.to_string(),
            source,
        };
        if installed.components().count() > DEPTH_LIMIT {
            let path = installed.to_string();
            return Err(Error::TooDeep { path });
        }
        let listed = fs::read_dir(folder).map_err(read)?;
        let mut names = listed
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(read)?;
        // An OsString is ordered by its bytes.
        names.sort_unstable();
        for name in &names {
            let Some(text) = name.to_str() else {
                let path = installed.join(&name.to_string_lossy()).to_string();
                return Err(Error::Name { path });
            };
            self.entry(folder.join(name), installed.join(text))?;
        }
        Ok(names.is_empty())
    }

    fn entry(&mut self, path: PathBuf, installed: InstalledPath) -> Result<(), Error> {
        let metadata = fs::symlink_metadata(&path).map_err(|source| Error::Read {
            path: installed.to_string(),
            source,
        })?;
        if metadata.is_dir() {
            let empty = self.folder(&path, &installed)?;
            // `/usr` itself always exists and has no name in a layout.
            let recorded = empty || metadata.mode() != USUAL_DIRECTORY;
            if !recorded || installed.as_str() == "/usr" {
                return Ok(());
            }
        }
        if self.collected.entries.len() + self.collected.left.len() >= FILE_LIMIT {
            return Err(Error::TooMany);
        }
        match self.reason(&installed, &metadata) {
            Some(reason) => self.collected.left.push(Left {
                path: installed,
                reason,
            }),
            None => {
                let kind = self.kind(path, &installed, &metadata)?;
                let entry = Entry {
                    path: installed,
                    mode: metadata.mode(),
                    kind,
                };
                self.collected.entries.push(entry);
            }
        }
        Ok(())
    }

    fn reason(&self, path: &InstalledPath, metadata: &Metadata) -> Option<Reason> {
        if path.below("/usr").is_none() {
            return Some(Reason::OutsideUsr);
        }
        let is_library = path.below("/usr/lib").is_some() || path.below("/usr/lib32").is_some();
        let is_libtool = is_library && !metadata.is_dir() && path.as_str().ends_with(".la");
        match self.libtool {
            Libtool::LeaveOut if is_libtool => Some(Reason::Libtool),
            Libtool::LeaveOut | Libtool::Keep => None,
        }
    }

    fn kind(
        &mut self,
        path: PathBuf,
        installed: &InstalledPath,
        metadata: &Metadata,
    ) -> Result<Kind, Error> {
        let read = |source| Error::Read {
            path: installed.to_string(),
            source,
        };
        let file_type = metadata.file_type();
        Ok(if file_type.is_symlink() {
            let text = fs::read_link(&path).map_err(read)?.into_os_string();
            let text = text.into_string().map_err(|text| Error::Symlink {
                path: installed.to_string(),
                text: text.to_string_lossy().into_owned(),
            })?;
            Kind::Symlink(text)
        } else if file_type.is_dir() {
            Kind::Directory
        } else if file_type.is_char_device() {
            Kind::CharDevice
        } else if file_type.is_block_device() {
            Kind::BlockDevice
        } else if file_type.is_fifo() {
            Kind::Fifo
        } else if file_type.is_socket() {
            Kind::Socket
        } else {
            self.total = self.total.saturating_add(metadata.len());
            if self.total > self.limit {
                return Err(Error::TooLarge {
                    path: installed.to_string(),
                    limit: self.limit,
                });
            }
            Kind::Regular(content(path).map_err(read)?)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    struct Root(tempfile::TempDir);

    impl Root {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self, path: &str) -> PathBuf {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            path
        }

        fn file(&self, path: &str, mode: u32) -> &Self {
            let path = self.path(path);
            fs::write(&path, path.as_os_str().as_bytes()).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            self
        }

        fn walk(&self) -> Collected {
            walk(self.0.path(), Libtool::LeaveOut, u64::MAX).unwrap()
        }
    }

    fn listing(collected: &Collected) -> Vec<String> {
        let line = |entry: &Entry| {
            let kind = match &entry.kind {
                Kind::Regular(_) => "file".to_owned(),
                Kind::Symlink(text) => format!("-> {text}"),
                Kind::Directory => "directory".to_owned(),
                Kind::CharDevice => "char".to_owned(),
                Kind::BlockDevice => "block".to_owned(),
                Kind::Fifo => "fifo".to_owned(),
                Kind::Socket => "socket".to_owned(),
            };
            format!("{} {:06o} {kind}", entry.path, entry.mode)
        };
        collected.entries.iter().map(line).collect()
    }

    #[test]
    fn depth_first_by_bytes_with_directories_last() {
        let root = Root::new();
        root.file("usr/bin/b", 0o755)
            .file("usr/bin/B", 0o4755)
            .file("usr/bin/b-x", 0o644);
        // `b` sorts before `b.d` as an entry although `/` is greater than `.` as a byte.
        root.file("usr/share/b.d/x", 0o644)
            .file("usr/share/b/x", 0o600);
        fs::create_dir(root.path("usr/share/empty")).unwrap();
        fs::set_permissions(root.path("usr/share/b"), fs::Permissions::from_mode(0o1777)).unwrap();
        symlink("/nowhere/at all", root.path("usr/share/link")).unwrap();
        symlink("share", root.path("usr/folder-link")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            root.path("usr/share/pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.path("usr/share/s")).unwrap();
        fs::set_permissions(root.path("usr/share/s"), fs::Permissions::from_mode(0o700)).unwrap();
        let collected = root.walk();
        assert_eq!(
            listing(&collected),
            [
                "/usr/bin/B 104755 file",
                "/usr/bin/b 100755 file",
                "/usr/bin/b-x 100644 file",
                "/usr/folder-link 120777 -> share",
                "/usr/share/b/x 100600 file",
                "/usr/share/b 041777 directory",
                "/usr/share/b.d/x 100644 file",
                "/usr/share/empty 040755 directory",
                "/usr/share/link 120777 -> /nowhere/at all",
                "/usr/share/pipe 010600 fifo",
                "/usr/share/s 140700 socket",
            ]
        );
        assert_eq!(collected.left, []);
    }

    #[test]
    fn hard_links_are_two_files_with_one_digest() {
        let root = Root::new();
        root.file("usr/bin/a", 0o755);
        fs::hard_link(root.path("usr/bin/a"), root.path("usr/bin/z")).unwrap();
        let collected = root.walk();
        let content = |entry: &Entry| {
            let Kind::Regular(content) = &entry.kind else {
                panic!("{entry:?}");
            };
            (content.size, content.digest)
        };
        let digests: Vec<_> = collected.entries.iter().map(content).collect();
        assert_eq!(digests.len(), 2);
        assert_eq!(digests[0], digests[1]);
        let bytes = fs::read(root.path("usr/bin/a")).unwrap();
        assert_eq!(digests[0], (bytes.len() as u64, Digest::of(&bytes)));
    }

    #[test]
    fn what_is_left_out_is_named() {
        let root = Root::new();
        root.file("etc/x.conf", 0o644)
            .file("usr/lib/x/libx.la", 0o644);
        root.file("usr/lib32/liby.la", 0o644)
            .file("usr/share/z.la", 0o644);
        root.file("usrlocal", 0o644).file("usr/lib64/w.la", 0o644);
        fs::create_dir_all(root.path("var/cache")).unwrap();
        let collected = root.walk();
        let left: Vec<_> = collected
            .left
            .iter()
            .map(|left| (left.path.as_str(), left.reason))
            .collect();
        assert_eq!(
            left,
            [
                ("/etc/x.conf", Reason::OutsideUsr),
                ("/usr/lib/x/libx.la", Reason::Libtool),
                ("/usr/lib32/liby.la", Reason::Libtool),
                ("/usrlocal", Reason::OutsideUsr),
                ("/var/cache", Reason::OutsideUsr),
            ]
        );
        assert_eq!(
            listing(&collected),
            ["/usr/lib64/w.la 100644 file", "/usr/share/z.la 100644 file"]
        );
        let kept = walk(root.0.path(), Libtool::Keep, u64::MAX).unwrap();
        assert_eq!(kept.entries.len(), 4);
    }

    #[test]
    fn a_usr_that_is_a_symlink_is_not_followed() {
        let root = Root::new();
        symlink("/bin", root.path("usr")).unwrap();
        let collected = root.walk();
        assert_eq!(listing(&collected), Vec::<String>::new());
        assert_eq!(collected.left.len(), 1);
    }

    #[test]
    fn names_and_links_must_be_utf8() {
        let bad = std::ffi::OsStr::from_bytes(b"caf\xe9");
        let root = Root::new();
        fs::write(root.path("usr/share/x").with_file_name(bad), "").unwrap();
        let error = walk(root.0.path(), Libtool::LeaveOut, 10).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the name of `/usr/share/caf\u{fffd}` in the install root is not UTF-8"
        );
        let root = Root::new();
        symlink(bad, root.path("usr/share/x")).unwrap();
        let error = walk(root.0.path(), Libtool::LeaveOut, 10).unwrap_err();
        assert!(error.to_string().contains("`/usr/share/x`"), "{error}");
    }

    #[test]
    fn folders_that_nest_without_end_are_refused() {
        let root = Root::new();
        fs::create_dir_all(root.path("usr").join("d/".repeat(300))).unwrap();
        let error = walk(root.0.path(), Libtool::LeaveOut, 10).unwrap_err();
        assert!(
            matches!(&error, Error::TooDeep { path } if path.len() == "/usr".len() + 256 * 2),
            "{error}"
        );
    }

    #[test]
    fn a_tree_over_the_limit_is_refused_before_it_is_read() {
        let root = Root::new();
        let file = File::create(root.path("usr/share/hole")).unwrap();
        file.set_len(1 << 40).unwrap();
        let error = walk(root.0.path(), Libtool::LeaveOut, 1 << 30).unwrap_err();
        assert!(matches!(&error, Error::TooLarge { path, .. } if path == "/usr/share/hole"));
    }
}
