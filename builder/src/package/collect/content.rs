//! The bytes of what was built, read without trust: nothing is followed, nothing blocks.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use moss_format::Digest;
use moss_format::digest::Hasher;

/// The content of a regular file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    /// Where the bytes can be read, which need not be the install root.
    pub(crate) source: PathBuf,
    pub(crate) size: u64,
    pub(crate) digest: Digest,
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
