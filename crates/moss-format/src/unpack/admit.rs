//! What is known of a package before anything of it is written.

use std::io::{Read, Seek};

use super::Error;
use crate::layout::{Entry, Kind};
use crate::package::Package;

/// Fails unless all of this can be unpacked.
pub(super) fn admit<R: Read + Seek>(package: &Package<R>, layout: &[Entry]) -> Result<(), Error> {
    if let Some(entry) = layout.iter().find(|entry| !is_supported(&entry.kind)) {
        return Err(unsupported(entry));
    }
    let limits = package.limits();
    let within = |what, size, limit| {
        if size <= limit {
            return Ok(());
        }
        Err(Error::Limit { what, size, limit })
    };
    within("bytes", package.unpacked_size(layout), limits.unpacked)?;
    within("paths", count_paths(layout), limits.unpacked_paths)
}

/// How many files, links and folders there will be, with the folders on the way
/// to them.
fn count_paths(layout: &[Entry]) -> u64 {
    let mut sorted: Vec<&str> = layout.iter().map(|entry| entry.target.as_str()).collect();
    sorted.sort_unstable_by(|a, b| a.split('/').cmp(b.split('/')));
    let mut count = 0_u64;
    let mut before = "";
    for target in sorted {
        // What the path shares with the one before it is there already.
        let both = before.split('/').zip(target.split('/'));
        let shared = both.take_while(|(a, b)| a == b).count();
        let new = target.split('/').count().saturating_sub(shared);
        count = count.saturating_add(new as u64);
        before = target;
    }
    count
}

fn is_supported(kind: &Kind) -> bool {
    match kind {
        Kind::Regular(_) | Kind::Symlink(_) | Kind::Directory => true,
        Kind::CharDevice | Kind::BlockDevice | Kind::Fifo | Kind::Socket | Kind::Other { .. } => {
            false
        }
    }
}

pub(super) fn unsupported(entry: &Entry) -> Error {
    Error::Unsupported {
        target: entry.target.clone(),
    }
}
