//! The immutable states of a channel.

use api::id::{HistoryId, ImportId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A history as the database keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct History {
    /// Its id.
    pub(crate) id: HistoryId,
    /// The import that made it.
    pub(crate) import: ImportId,
    /// When.
    pub(crate) published_at: Timestamp,
    /// How many packages it holds, over all architectures.
    pub(crate) packages: u64,
}

/// The id of the history that `import` makes at `now`: when, for people, and then so much of the
/// import's id that no other history ever gets the same one, not even after a restored backup.
pub(crate) fn id(now: Timestamp, import: ImportId) -> HistoryId {
    // A year before 0 would begin with a sign, which no identifier may.
    let time = now.max(Timestamp::UNIX_EPOCH).strftime("%Y%m%d-%H%M%S");
    // The last bytes of a UUID of version 7 are the random ones.
    let [.., a, b, c, d, e, f] = *import.as_bytes();
    let tail = hex::encode([a, b, c, d, e, f]);
    format!("{time}-{tail}")
        .parse()
        .expect("digits and hyphens make an identifier")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_when_and_is_its_imports_own() {
        let now: Timestamp = "2026-11-22T21:58:01.5Z".parse().unwrap();
        let import: ImportId = "01936b0e-0000-7000-8000-0123456789ab".parse().unwrap();
        assert_eq!(id(now, import).as_str(), "20261122-215801-0123456789ab");
        assert_ne!(id(now, import), id(now, ImportId::new()));
    }

    #[test]
    fn ids_of_the_ends_of_time_are_identifiers_too() {
        let import: ImportId = "01936b0e-0000-7000-8000-0123456789ab".parse().unwrap();
        assert_eq!(
            id(Timestamp::MIN, import).as_str(),
            "19700101-000000-0123456789ab"
        );
        assert!(id(Timestamp::MAX, import).as_str().starts_with("99991230-"));
    }
}
