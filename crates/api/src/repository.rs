//! What vessel says of its channels.
//!
//! `GET /api/v1/channels/{channel}` → [`Channel`]; `PUT …/streams/{stream}` and `PUT …/tags/{tag}`
//! with a [`Target`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{ChannelName, HistoryId, ImportId, StreamName, TagName};

/// A channel's names and histories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Which channel.
    pub channel: ChannelName,
    /// Where each stream stands.
    pub streams: BTreeMap<StreamName, HistoryId>,
    /// What each tag pins.
    pub tags: BTreeMap<TagName, HistoryId>,
    /// Newest first.
    pub histories: Vec<History>,
}

/// One immutable state of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Its id.
    pub id: HistoryId,
    /// The import that made it; none for a channel's empty beginning.
    pub import: Option<ImportId>,
    /// When.
    pub published_at: Timestamp,
    /// How many packages it holds.
    pub packages: u64,
}

/// What a stream or a tag is to name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The history.
    pub history: HistoryId,
}
