//! What a channel holds: packages, histories, and the names that point to histories.

use std::collections::BTreeMap;

use api::id::{ChannelName, HistoryId, StreamName, TagName};
use moss_db::{Error, RoTxn, RwTxn};

use super::Tables;
use crate::domain::arrival::{self, Packages};
use crate::domain::change::Change;
use crate::domain::history::History;
use crate::domain::root::volatile;

/// A channel's names and histories.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Standing {
    /// Where each stream stands.
    pub(crate) streams: BTreeMap<StreamName, HistoryId>,
    /// What each tag pins.
    pub(crate) tags: BTreeMap<TagName, HistoryId>,
    /// Newest first.
    pub(crate) histories: Vec<History>,
}

impl Tables {
    /// Everything that a channel's root index says, and more.
    pub(crate) fn standing(
        &self,
        txn: &RoTxn<'_>,
        channel: &ChannelName,
    ) -> Result<Standing, Error> {
        let mut histories = self
            .histories
            .iter_prefix(txn, channel)?
            .map(|row| row.map(|(_, history)| history))
            .collect::<Result<Vec<_>, _>>()?;
        histories.reverse();
        let named = |row: Result<((ChannelName, StreamName), HistoryId), Error>| {
            row.map(|((_, name), history)| (name, history))
        };
        let streams = self
            .streams
            .iter_prefix(txn, channel)?
            .map(named)
            .collect::<Result<_, _>>()?;
        let named = |row: Result<((ChannelName, TagName), HistoryId), Error>| {
            row.map(|((_, name), history)| (name, history))
        };
        let tags = self
            .tags
            .iter_prefix(txn, channel)?
            .map(named)
            .collect::<Result<_, _>>()?;
        Ok(Standing {
            streams,
            tags,
            histories,
        })
    }

    /// The packages that a channel holds.
    pub(crate) fn packages(
        &self,
        txn: &RoTxn<'_>,
        channel: &ChannelName,
    ) -> Result<Packages, Error> {
        self.packages
            .iter_prefix(txn, channel)?
            .map(|row| row.map(|((_, slot), package)| (slot, package)))
            .collect()
    }

    /// How many packages a channel holds.
    pub(crate) fn count_packages(
        &self,
        txn: &RoTxn<'_>,
        channel: &ChannelName,
    ) -> Result<u64, Error> {
        let mut count = 0;
        for key in self.packages.iter_prefix(txn, channel)?.keys() {
            key?;
            count += 1;
        }
        Ok(count)
    }

    /// The channel's newest history: `volatile` follows it.
    pub(crate) fn find_newest(
        &self,
        txn: &RoTxn<'_>,
        channel: &ChannelName,
    ) -> Result<Option<HistoryId>, Error> {
        self.find_stream(txn, channel, &volatile())
    }

    /// The channel's history of this id.
    pub(crate) fn find_history(
        &self,
        txn: &RoTxn<'_>,
        channel: &ChannelName,
        id: &HistoryId,
    ) -> Result<Option<History>, Error> {
        let key = (channel.clone(), id.clone());
        let found = self
            .histories
            .find_by(txn, &self.histories_by_id, &key)?
            .next()
            .transpose()?;
        Ok(found.map(|(_, history)| history))
    }

    /// Records a history: the channel's packages become what they are after `change`, and `volatile`
    /// follows it.
    pub(crate) fn publish(
        &self,
        txn: &mut RwTxn<'_>,
        channel: &ChannelName,
        history: &History,
        change: &Change,
    ) -> Result<(), Error> {
        let number = self.publications.next(txn)?;
        self.histories
            .put(txn, &(channel.clone(), number), history)?;
        // A name may go from one recipe to another: all that leaves does so first.
        for package in &change.leaving {
            let key = (channel.clone(), arrival::slot(package));
            self.packages.delete(txn, &key)?;
        }
        for package in &change.coming {
            let key = (channel.clone(), arrival::slot(package));
            self.packages.put(txn, &key, package)?;
        }
        self.set_stream(txn, channel, &volatile(), &history.id)
    }

    /// Where a stream stands.
    pub(crate) fn find_stream(
        &self,
        txn: &RoTxn<'_>,
        channel: &ChannelName,
        stream: &StreamName,
    ) -> Result<Option<HistoryId>, Error> {
        self.streams.find(txn, &(channel.clone(), stream.clone()))
    }

    /// Moves a stream.
    pub(crate) fn set_stream(
        &self,
        txn: &mut RwTxn<'_>,
        channel: &ChannelName,
        stream: &StreamName,
        history: &HistoryId,
    ) -> Result<(), Error> {
        self.streams
            .put(txn, &(channel.clone(), stream.clone()), history)
    }

    /// What a tag pins.
    pub(crate) fn find_tag(
        &self,
        txn: &RoTxn<'_>,
        channel: &ChannelName,
        tag: &TagName,
    ) -> Result<Option<HistoryId>, Error> {
        self.tags.find(txn, &(channel.clone(), tag.clone()))
    }

    /// Sets a tag.
    pub(crate) fn set_tag(
        &self,
        txn: &mut RwTxn<'_>,
        channel: &ChannelName,
        tag: &TagName,
        history: &HistoryId,
    ) -> Result<(), Error> {
        self.tags.put(txn, &(channel.clone(), tag.clone()), history)
    }
}
