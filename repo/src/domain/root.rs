//! `moss-root-index.json`: the file by which clients find a channel's histories.
//!
//! All four top-level keys must be there; every stream and tag must name an entry of `history`,
//! newest first. One identifier that breaks the rules would break every client, so the types here
//! take none.

use std::collections::BTreeMap;

use api::id::{HistoryId, StreamName, TagName};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

/// The stream that follows the newest history.
pub(crate) const VOLATILE: &str = "volatile";

/// The stream that follows the newest history.
pub(crate) fn volatile() -> StreamName {
    VOLATILE.parse().expect("the name is an identifier")
}

/// What a channel's root index says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RootIndex {
    streams: BTreeMap<StreamName, HistoryId>,
    tags: BTreeMap<TagName, HistoryId>,
    /// Newest first.
    histories: Vec<HistoryId>,
}

/// A stream or tag that names no history of the channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} names the history {history}, which the channel does not have")]
pub(crate) struct Dangling {
    what: String,
    history: HistoryId,
}

impl RootIndex {
    /// The root index of a channel with these names and histories, newest first.
    ///
    /// # Errors
    /// When a name points nowhere: clients would refuse the whole file.
    pub(crate) fn new(
        streams: BTreeMap<StreamName, HistoryId>,
        tags: BTreeMap<TagName, HistoryId>,
        histories: Vec<HistoryId>,
    ) -> Result<Self, Dangling> {
        let streams_named = streams
            .iter()
            .map(|(name, id)| (format!("the stream {name}"), id));
        let tags_named = tags
            .iter()
            .map(|(name, id)| (format!("the tag {name}"), id));
        for (what, history) in streams_named.chain(tags_named) {
            if !histories.contains(history) {
                let history = history.clone();
                return Err(Dangling { what, history });
            }
        }
        Ok(Self {
            streams,
            tags,
            histories,
        })
    }

    /// The file's bytes.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut bytes =
            serde_json::to_vec_pretty(self).expect("maps with text keys are always JSON");
        bytes.push(b'\n');
        bytes
    }
}

/// `{}`: version 0 has no facts of its own yet.
#[derive(Serialize)]
struct NoFacts {}

#[derive(Serialize)]
struct Formats {
    v0: NoFacts,
}

#[derive(Serialize)]
struct Named<'a> {
    format: &'static str,
    history: &'a HistoryId,
}

#[derive(Serialize)]
struct Entry {
    format: &'static str,
}

/// The format of the repository, as clients name it.
pub(crate) const FORMAT: &str = "v0";

impl Serialize for RootIndex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut file = serializer.serialize_map(Some(4))?;
        file.serialize_entry("formats", &Formats { v0: NoFacts {} })?;
        file.serialize_entry("streams", &names(&self.streams))?;
        file.serialize_entry("tags", &names(&self.tags))?;
        file.serialize_entry("history", &Histories(&self.histories))?;
        file.end()
    }
}

fn names<K: Ord>(names: &BTreeMap<K, HistoryId>) -> BTreeMap<&K, Named<'_>> {
    let named = |history| Named {
        format: FORMAT,
        history,
    };
    names
        .iter()
        .map(|(name, history)| (name, named(history)))
        .collect()
}

/// An object whose keys keep their order.
struct Histories<'a>(&'a [HistoryId]);

impl Serialize for Histories<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|id| (id, Entry { format: FORMAT })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_channel_has_all_four_keys() {
        let root = RootIndex::new(BTreeMap::new(), BTreeMap::new(), Vec::new()).unwrap();
        insta::assert_snapshot!(String::from_utf8(root.to_json()).unwrap());
    }

    #[test]
    fn histories_keep_their_order() {
        let id = |text: &str| text.parse::<HistoryId>().unwrap();
        let root = RootIndex::new(
            [(volatile(), id("b")), ("stable".parse().unwrap(), id("c"))].into(),
            [("2026-11".parse().unwrap(), id("a"))].into(),
            vec![id("b"), id("a"), id("c")],
        )
        .unwrap();
        insta::assert_snapshot!(String::from_utf8(root.to_json()).unwrap());
    }

    #[test]
    fn a_name_that_points_nowhere_is_refused() {
        let gone: HistoryId = "gone".parse().unwrap();
        let stream = RootIndex::new([(volatile(), gone.clone())].into(), BTreeMap::new(), vec![]);
        assert_eq!(
            stream.unwrap_err().to_string(),
            "the stream volatile names the history gone, which the channel does not have"
        );
        let tags = [("t".parse().unwrap(), gone)].into();
        assert!(RootIndex::new(BTreeMap::new(), tags, vec![]).is_err());
    }
}
