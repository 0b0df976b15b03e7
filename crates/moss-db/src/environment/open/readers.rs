//! Room for LMDB's table of readers.
//!
//! LMDB maps the file `lock.mdb` and makes it as long as the table, but with a hole where nobody
//! has read yet. A first reader in a new part of it needs a block of the disk, and where the disk
//! is full the kernel has no way to say so but to kill the process. So all blocks are taken before
//! LMDB sees the file: a full disk refuses writes, and never readers.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::OpenError;

/// LMDB's name for the file.
const FILE: &str = "lock.mdb";
/// What LMDB keeps of each reader, in bytes: a line of the processor's cache, or two where lines
/// are short.
const READER: u64 = 128;
/// More than what stands before the table.
const HEADER: u64 = 4096;

/// Takes the blocks for `readers`. LMDB gives a longer file to more readers.
pub(in crate::environment) fn reserve(folder: &Path, readers: u32) -> Result<(), OpenError> {
    let path = folder.join(FILE);
    let failed = |source| OpenError::folder(&path, source);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    let length = HEADER + u64::from(readers) * READER;
    match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, length) {
        // Some file systems cannot; they are no worse than they were.
        Ok(()) | Err(Errno::OPNOTSUPP) => Ok(()),
        Err(error) => Err(failed(error.into())),
    }
}
