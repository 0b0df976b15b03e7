use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};
use std::fmt;

use super::Parts;
use crate::content::Slice;
use crate::layout::{Entry, Kind, UnsafePath};
use crate::{Digest, Limits, payload};

/// The parts of a package contradict each other, or a path leads elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} ({place})")]
pub struct Inconsistent {
    /// Where that shows.
    pub place: Place,
    /// What is wrong.
    pub what: Contradiction,
}

/// A payload of a file, or a record in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where the payload's header begins in the file.
    pub payload: u64,
    /// The number of the record, from 0; none when the payload as a whole is at
    /// fault.
    pub record: Option<u32>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(record) = self.record {
            write!(f, "record {record} of ")?;
        }
        write!(f, "the payload at byte {}", self.payload)
    }
}

/// What is wrong with a package whose parts are each well-formed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
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
    /// A part is there and has no records: clients reject that.
    #[error("the {part:?} payload has no records")]
    Empty {
        /// The kind of the payload.
        part: payload::Kind,
    },
    /// A link's text is longer than any system takes.
    #[error("the text of the link {target:?} has {length} bytes, more than {LINK}")]
    LinkText {
        /// The path of the link.
        target: String,
        /// How long its text is.
        length: usize,
    },
    /// A part is there, but of a later version or compression only: the package
    /// holds more than is understood.
    #[error("the package has its {part:?} payload in an unknown version or compression only")]
    NotUnderstood {
        /// The kind of the payload.
        part: payload::Kind,
    },
}

/// Most bytes of a link's text that Linux takes.
const LINK: usize = 4095;

/// A contradiction and the number of the record that shows it.
pub(super) type AtRecord = (usize, Contradiction);

/// Checks that every path stays below `/usr`, stands once, and lies below
/// directories only.
pub(super) fn layout(entries: &[Entry], limits: &Limits) -> Result<(), AtRecord> {
    for (record, entry) in entries.iter().enumerate() {
        if let Err(error) = entry.path_within(limits) {
            return Err((record, error.into()));
        }
        if let Kind::Symlink(text) = &entry.kind
            && text.len() > LINK
        {
            let link = Contradiction::LinkText {
                target: entry.target.clone(),
                length: text.len(),
            };
            return Err((record, link));
        }
    }
    let mut sorted: Vec<(usize, &Entry)> = entries.iter().enumerate().collect();
    sorted.sort_by(|(_, a), (_, b)| order(&a.target, &b.target));
    // What lies below a path follows it directly in this order.
    for ((_, entry), (record, next)) in sorted.iter().zip(sorted.iter().skip(1)) {
        let Some(rest) = next.target.strip_prefix(&entry.target) else {
            continue;
        };
        if rest.is_empty() {
            let target = next.target.clone();
            return Err((*record, Contradiction::PathTwice { target }));
        }
        if rest.starts_with('/') && entry.kind != Kind::Directory {
            let below = Contradiction::BelowFile {
                target: next.target.clone(),
                parent: entry.target.clone(),
            };
            return Err((*record, below));
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
pub(super) fn files(parts: &Parts) -> Result<(), Inconsistent> {
    check_whole(parts)?;
    let Parts { layout, slices, .. } = parts;
    let mut indexed = BTreeSet::new();
    for (record, Slice { digest, .. }) in slices.records.iter().enumerate() {
        if !indexed.insert(*digest) {
            return Err(slices.at((record, Contradiction::FileTwice { digest: *digest })));
        }
    }
    let mut used: HashSet<Digest> = HashSet::new();
    for (record, entry) in layout.records.iter().enumerate() {
        let Some(digest) = entry.digest() else {
            continue;
        };
        if !indexed.contains(&digest) {
            let target = entry.target.clone();
            return Err(layout.at((record, Contradiction::NoContent { target, digest })));
        }
        used.insert(digest);
    }
    for (record, Slice { digest, .. }) in slices.records.iter().enumerate() {
        if !used.contains(digest) {
            return Err(slices.at((record, Contradiction::Unused { digest: *digest })));
        }
    }
    Ok(())
}

/// Checks that no part is missing.
fn check_whole(parts: &Parts) -> Result<(), Inconsistent> {
    for (_, at) in &parts.other {
        let part = at.header().kind;
        let missing = match part {
            payload::Kind::Layout => !parts.layout.is_there(),
            payload::Kind::Index => !parts.slices.is_there(),
            payload::Kind::Content => parts.content.is_none(),
            payload::Kind::Meta | payload::Kind::Attributes | payload::Kind::Other(_) => false,
        };
        if missing {
            return Err(whole(at.offset(), Contradiction::NotUnderstood { part }));
        }
    }
    let layout = (&parts.layout.payload, parts.layout.records.is_empty());
    let slices = (&parts.slices.payload, parts.slices.records.is_empty());
    for (part, (offset, is_empty)) in [
        (payload::Kind::Layout, layout),
        (payload::Kind::Index, slices),
    ] {
        if is_empty && *offset != 0 {
            return Err(whole(*offset, Contradiction::Empty { part }));
        }
    }
    match (parts.slices.records.is_empty(), &parts.content) {
        (false, Some(_)) | (true, None) => Ok(()),
        (false, None) => Err(whole(parts.slices.payload, Contradiction::Halved)),
        (true, Some(content)) => Err(whole(content.offset(), Contradiction::Halved)),
    }
}

fn whole(payload: u64, what: Contradiction) -> Inconsistent {
    let place = Place {
        payload,
        record: None,
    };
    Inconsistent { place, what }
}
