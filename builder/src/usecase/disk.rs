//! What an attempt takes of the disk, measured while it runs.
//!
//! No file system offers an unprivileged process a quota, so the workspace is measured at intervals,
//! through all phases: clones, archives and packages fill a disk as well as scripts do.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::sandbox::limits::{self, Excess, Resource};

/// The folder is measured anew when so long has passed, …
const MEASURE: Duration = Duration::from_secs(2);
/// … and so many times what the last measurement took, so that large trees cost little.
const SHARE: u32 = 20;

/// Measures a folder.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    most: u64,
    last: Option<Measured>,
}

#[derive(Debug, Clone, Copy)]
struct Measured {
    at: Instant,
    took: Duration,
    used: u64,
    free: u64,
}

impl Disk {
    /// Of `folder`, which need not be there yet and may take `most` bytes.
    pub(super) fn new(folder: PathBuf, most: u64) -> Self {
        Self {
            folder,
            most,
            last: None,
        }
    }

    /// Ends when the folder takes too much, and else never.
    pub(super) async fn excess(mut self) -> Excess {
        limits::measure(move || self.look()).await
    }

    fn look(&mut self) -> Option<Excess> {
        let most = self.most;
        let free = free(&self.folder)?;
        if let Some(last) = self.last {
            let due = last.at.elapsed() >= MEASURE.max(last.took * SHARE);
            // What has gone from the file system since may all be this build's.
            let suspicious = last.used + last.free.saturating_sub(free) > most;
            if !due && !suspicious {
                return None;
            }
        }
        let at = Instant::now();
        let used = size(&self.folder);
        self.last = Some(Measured {
            at,
            took: at.elapsed(),
            used,
            free,
        });
        excess(used, most)
    }
}

/// Whether `folder` takes more than `most` bytes right now.
pub(super) fn find_excess(folder: &Path, most: u64) -> Option<Excess> {
    excess(size(folder), most)
}

fn excess(used: u64, most: u64) -> Option<Excess> {
    (used > most).then_some(Excess {
        resource: Resource::Disk,
        used: Some(used),
        most,
    })
}

fn free(folder: &Path) -> Option<u64> {
    let file_system = rustix::fs::statvfs(folder).ok()?;
    Some(file_system.f_bfree * file_system.f_frsize)
}

/// What a folder takes of the disk, in bytes. Links are not followed, files with several names
/// count once, and what goes away meanwhile or cannot be read does not count.
fn size(folder: &Path) -> u64 {
    let mut linked = HashSet::new();
    let counts = |entry: io::Result<fs::Metadata>| {
        let metadata = entry.ok()?;
        let first = metadata.nlink() == 1
            || metadata.is_dir()
            || linked.insert((metadata.dev(), metadata.ino()));
        // st_blocks is in units of 512 bytes, whatever the file system's.
        first.then(|| metadata.blocks() * 512)
    };
    walkdir::WalkDir::new(folder)
        .same_file_system(true)
        .into_iter()
        .flatten()
        .map(|entry| entry.metadata().map_err(io::Error::from))
        .filter_map(counts)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_two_names_counts_once_and_holes_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("first");
        fs::write(&first, vec![1; 1 << 20]).unwrap();
        fs::hard_link(&first, folder.path().join("second")).unwrap();
        std::os::unix::fs::symlink(&first, folder.path().join("link")).unwrap();
        let sparse = fs::File::create(folder.path().join("sparse")).unwrap();
        sparse.set_len(1 << 40).unwrap();
        let size = size(folder.path());
        assert!((1 << 20..2 << 20).contains(&size), "{size}");
    }
}
