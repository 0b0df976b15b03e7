use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::content::Slice;
use crate::layout::{Entry, Kind, UnsafePath};
use crate::stone::Located;
use crate::{Digest, Limits};

/// The parts of a package contradict each other, or a path leads elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistent {
    /// A path does not stay below `/usr`.
    #[error(transparent)]
    Path(#[from] UnsafePath),
    /// A path stands twice in the layout.
    #[error("the path {target:?} stands twice in the layout")]
    PathTwice {
        /// The path.
        target: String,
    },
    /// A path lies below one that is no directory.
    #[error("the path {target:?} lies below {parent:?}, which is no directory")]
    BelowFile {
        /// The path.
        target: String,
        /// The path that should be a directory.
        parent: String,
    },
    /// The layout names a file that the index lacks.
    #[error("the file {target:?} has the digest {digest}, which the content index lacks")]
    NoContent {
        /// The path.
        target: String,
        /// The digest.
        digest: Digest,
    },
    /// The index names a file that no path uses.
    #[error("no path has the file {digest} of the content index")]
    Unused {
        /// The digest.
        digest: Digest,
    },
    /// The index names a file twice.
    #[error("the file {digest} stands twice in the content index")]
    FileTwice {
        /// The digest.
        digest: Digest,
    },
    /// There is a content index but no content, or the reverse.
    #[error("the package has a content index or a content, but not both")]
    Halved,
}

/// Checks that every path stays below `/usr`, stands once, and lies below
/// directories only.
pub(super) fn layout(entries: &[Entry], limits: &Limits) -> Result<(), Inconsistent> {
    for entry in entries {
        entry.path_within(limits)?;
    }
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by(|a, b| order(&a.target, &b.target));
    // What lies below a path follows it directly in this order.
    for (entry, next) in sorted.iter().zip(sorted.iter().skip(1)) {
        let Some(rest) = next.target.strip_prefix(&entry.target) else {
            continue;
        };
        if rest.is_empty() {
            return Err(Inconsistent::PathTwice {
                target: next.target.clone(),
            });
        }
        if rest.starts_with('/') && entry.kind != Kind::Directory {
            return Err(Inconsistent::BelowFile {
                target: next.target.clone(),
                parent: entry.target.clone(),
            });
        }
    }
    Ok(())
}

/// The order of paths by their components: a slash sorts before every other
/// character of a name.
fn order(a: &str, b: &str) -> Ordering {
    let key = |byte| if byte == b'/' { 0 } else { byte };
    a.bytes().map(key).cmp(b.bytes().map(key))
}

/// Checks that layout, index and content name the same files.
pub(super) fn files(
    entries: &[Entry],
    slices: &[Slice],
    content: Option<&Located>,
) -> Result<(), Inconsistent> {
    if slices.is_empty() != content.is_none() {
        return Err(Inconsistent::Halved);
    }
    let mut indexed = BTreeSet::new();
    for Slice { digest, .. } in slices {
        if !indexed.insert(*digest) {
            return Err(Inconsistent::FileTwice { digest: *digest });
        }
    }
    let mut unused = indexed.clone();
    for entry in entries {
        let Some(digest) = entry.digest() else {
            continue;
        };
        if !indexed.contains(&digest) {
            return Err(Inconsistent::NoContent {
                target: entry.target.clone(),
                digest,
            });
        }
        unused.remove(&digest);
    }
    match unused.first() {
        None => Ok(()),
        Some(digest) => Err(Inconsistent::Unused { digest: *digest }),
    }
}
