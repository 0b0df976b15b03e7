//! What to fetch, and what came of it.

use std::path::PathBuf;

use api::id::Sha256;
use url::Url;

/// A file to be had.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where it may be had, the best place first.
    pub urls: Vec<Url>,
    /// The digest that it must have.
    pub sha256: Sha256,
    /// The size that it must or may have.
    pub size: Size,
    /// Where it goes. The folder must exist; `<target>.part` beside it is used on the way.
    pub target: PathBuf,
}

/// What is known of a file's size, in bytes. There is no way to say that a file may have any
/// size: a server could send for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// It has this size.
    Exactly(u64),
    /// It has this size at most.
    AtMost(u64),
}

impl Size {
    /// The most bytes that the file can have.
    #[must_use]
    pub fn limit(self) -> u64 {
        match self {
            Self::Exactly(bytes) | Self::AtMost(bytes) => bytes,
        }
    }

    /// The size, where it is known.
    pub(crate) fn exact(self) -> Option<u64> {
        match self {
            Self::Exactly(bytes) => Some(bytes),
            Self::AtMost(_) => None,
        }
    }
}

/// A file that is there, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where it is: the request's target.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a fetched file came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It was at its target already, and its digest is right.
    Present,
    /// An interrupted fetch had left all of it.
    Part,
    /// It, or the rest of it, came from here.
    Url(Url),
}

/// How far a fetch is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The bytes that are there.
    pub received: u64,
    /// The bytes that there will be, where that is known.
    pub total: Option<u64>,
}
