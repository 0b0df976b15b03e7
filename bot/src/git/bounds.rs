//! Limits for comparing trees.
//!
//! Anyone can open a pull request, and a few kilobytes of git objects can describe a tree with
//! billions of folders, or huge files of zeros. So each comparison counts what it visits, and a
//! caller can stop it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Limits for the difference of two trees. Entries that are equal on both sides do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How many entries of folders may differ.
    pub entries: usize,
    /// How many bytes of files may differ; a merge may have to read them.
    pub bytes: u64,
}

impl Bounds {
    /// The limits for commits of people with write access: far above any real repository.
    pub const TRUSTED: Self = Self {
        entries: 10_000_000,
        bytes: u64::MAX,
    };
}

/// A difference that exceeds a limit. This is an outcome and not an error, because a retry would
/// find the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// Too many entries differ.
    #[error("more than {limit} files and folders differ")]
    Entries {
        /// How many may differ.
        limit: usize,
    },
    /// One folder is too large.
    #[error("a folder lists {size} bytes of names, and at most {limit} are read")]
    Folder {
        /// Its size in bytes.
        size: usize,
        /// The largest size that is read.
        limit: usize,
    },
    /// Folders lie too deep.
    #[error("folders lie more than {limit} deep")]
    Depth {
        /// How deep they may lie.
        limit: usize,
    },
    /// The paths are too long together.
    #[error("the paths that differ have more than {limit} bytes together")]
    Paths {
        /// How many bytes they may have.
        limit: usize,
    },
    /// The files are too large together.
    #[error("the files that differ have more than {limit} bytes together")]
    Files {
        /// How many bytes they may have.
        limit: u64,
    },
}

/// A flag that asks work in a mirror to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks the work to stop. It stops before the next object.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// True when the work was asked to stop.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Stops the work when it is dropped, because nobody waits for the work any more.
#[derive(Debug, Default)]
pub struct StopOnDrop(Stop);

impl StopOnDrop {
    /// The flag for the work.
    pub fn stop(&self) -> Stop {
        self.0.clone()
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}
