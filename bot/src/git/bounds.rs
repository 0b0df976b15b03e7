//! How much of a difference is looked at.
//!
//! Anyone can propose a pull request, and a few kilobytes of git objects can stand for a tree with
//! billions of folders, or for files that are mostly zeros. So all that is gone through is counted,
//! and work in a mirror can be told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How much of a difference is looked at. What is the same on both sides does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Entries of folders.
    pub entries: usize,
    /// Bytes of files that a merge may have to read.
    pub bytes: u64,
}

impl Bounds {
    /// For what people with write access pushed: far above any real repository.
    pub const TRUSTED: Self = Self {
        entries: 10_000_000,
        bytes: u64::MAX,
    };
}

/// A difference that is beyond a bound. An outcome, not an error: looked at again, it would be the
/// same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// Of entries.
    #[error("more than {limit} files and folders differ")]
    Entries {
        /// How many there may be.
        limit: usize,
    },
    /// Of one folder.
    #[error("a folder lists {size} bytes of names, and at most {limit} are read")]
    Folder {
        /// What it has.
        size: usize,
        /// What it may have.
        limit: usize,
    },
    /// Of folders in folders.
    #[error("folders lie more than {limit} deep")]
    Depth {
        /// How deep they may lie.
        limit: usize,
    },
    /// Of paths.
    #[error("the paths that differ have more than {limit} bytes together")]
    Paths {
        /// What they may have.
        limit: usize,
    },
    /// Of files.
    #[error("the files that differ have more than {limit} bytes together")]
    Files {
        /// What they may have.
        limit: u64,
    },
}

/// Tells work in a mirror to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks the work to end. It does so between two objects.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// True when the work is to end.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Stops the work when nobody waits for it any more.
#[derive(Debug, Default)]
pub struct StopOnDrop(Stop);

impl StopOnDrop {
    /// What the work looks at.
    pub fn stop(&self) -> Stop {
        self.0.clone()
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}
