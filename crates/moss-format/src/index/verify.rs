use std::collections::HashMap;

use super::{Entry, TakeError, entries_within};
use crate::Limits;

/// Why an index is not as clients and writers need it.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It is malformed, or a package in it cannot stand in an index.
    #[error(transparent)]
    Take(#[from] TakeError),
    /// A package stands behind one that it belongs before: packages are sorted
    /// by source id, then name.
    #[error(
        "the package {name:?} in the payload at byte {offset} belongs before {before:?}, which precedes it"
    )]
    Order {
        /// Where the payload's header begins.
        offset: u64,
        /// The package's name.
        name: String,
        /// The name of the package that precedes it.
        before: String,
    },
    /// Two packages have the same file; clients would lose one.
    #[error(
        "the package {name:?} in the payload at byte {offset} has the hash {hash} of the one at byte {first}"
    )]
    SameHash {
        /// Where the second payload's header begins.
        offset: u64,
        /// The second package's name.
        name: String,
        /// SHA-256 of both files.
        hash: String,
        /// Where the first payload's header begins.
        first: u64,
    },
}

/// Checks every package of an index, and that they can stand beside each
/// other, in this order.
///
/// # Errors
///
/// The first fault found, with its place.
pub fn verify(bytes: &[u8], limits: Limits) -> Result<(), VerifyError> {
    let entries = entries_within(bytes, limits)?.entries;
    for (before, entry) in entries.iter().zip(entries.iter().skip(1)) {
        if sorted_by(before) > sorted_by(entry) {
            return Err(VerifyError::Order {
                offset: entry.payload().offset(),
                name: entry.key().name.clone(),
                before: before.key().name.clone(),
            });
        }
    }
    let mut hashes = HashMap::with_capacity(entries.len());
    for entry in &entries {
        let offset = entry.payload().offset();
        if let Some(first) = hashes.insert(entry.key().hash.as_str(), offset) {
            return Err(VerifyError::SameHash {
                offset,
                name: entry.key().name.clone(),
                hash: entry.key().hash.clone(),
                first,
            });
        }
    }
    Ok(())
}

fn sorted_by(entry: &Entry) -> (&str, &str) {
    (&entry.key().source_id, &entry.key().name)
}
