//! Reading a channel, and moving its streams and tags.

use std::sync::Arc;

use api::id::{ChannelName, HistoryId, StreamName, TagName};
use api::repository;

use super::{Channel, Failure, Repository};
use crate::db::Standing;
use crate::domain::pointer::{self, Immovable, Move};

/// Why a stream or a tag was not set.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotMoved {
    /// vessel has no such channel.
    #[error("there is no channel {0}")]
    NoChannel(ChannelName),
    /// The channel has no such history.
    #[error("the channel {channel} has no history {history}")]
    NoHistory {
        /// The channel.
        channel: ChannelName,
        /// What was asked for.
        history: HistoryId,
    },
    /// It may not be moved so.
    #[error(transparent)]
    Immovable(#[from] Immovable),
    /// It failed.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<moss_db::Error> for NotMoved {
    fn from(error: moss_db::Error) -> Self {
        Self::Failure(error.into())
    }
}

/// What a channel holds, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Overview {
    /// Its name.
    pub(crate) channel: ChannelName,
    /// Its names and histories.
    pub(crate) standing: Standing,
    /// How many packages it holds now.
    pub(crate) packages: u64,
}

impl Repository {
    /// What a channel's names and histories are; none for a channel that vessel does not have.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn find_channel(
        self: &Arc<Self>,
        name: ChannelName,
    ) -> Result<Option<repository::Channel>, Failure> {
        if !self.has_channel(&name) {
            return Ok(None);
        }
        let this = Arc::clone(self);
        let standing = self
            .environment
            .query(move |txn| Ok::<_, Failure>((this.tables.standing(txn, &name)?, name)));
        let (standing, name) = standing.await?;
        Ok(Some(view(name, standing)))
    }

    /// All channels.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn overview(self: &Arc<Self>) -> Result<Vec<Overview>, Failure> {
        let this = Arc::clone(self);
        let overview = self.environment.query(move |txn| {
            let overview = this.channels.keys().map(|channel| {
                Ok(Overview {
                    channel: channel.clone(),
                    standing: this.tables.standing(txn, channel)?,
                    packages: this.tables.count_packages(txn, channel)?,
                })
            });
            overview.collect::<Result<_, Failure>>()
        });
        overview.await
    }

    /// Makes a stream name a history. When this returns, clients see it.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn move_stream(
        self: &Arc<Self>,
        name: ChannelName,
        stream: StreamName,
        target: HistoryId,
    ) -> Result<repository::Channel, NotMoved> {
        let channel = self.require(&name)?;
        let this = Arc::clone(self);
        let moved = self.environment.submit(move |txn| {
            let standing = this.tables.find_stream(txn, &name, &stream)?;
            let decided = pointer::move_stream(&stream, standing.as_ref(), &target)?;
            this.require_history(txn, &name, &target)?;
            match decided {
                Move::Unchanged => {}
                Move::Set => this.tables.set_stream(txn, &name, &stream, &target)?,
            }
            tracing::info!(channel = %name, stream = %stream, history = %target, "a stream was set");
            Ok::<_, NotMoved>(())
        });
        moved.await?;
        self.show(channel).await
    }

    /// Makes a tag name a history, for ever. When this returns, clients see it.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn set_tag(
        self: &Arc<Self>,
        name: ChannelName,
        tag: TagName,
        target: HistoryId,
    ) -> Result<repository::Channel, NotMoved> {
        let channel = self.require(&name)?;
        let this = Arc::clone(self);
        let set = self.environment.submit(move |txn| {
            let standing = this.tables.find_tag(txn, &name, &tag)?;
            let decided = pointer::set_tag(&tag, standing.as_ref(), &target)?;
            this.require_history(txn, &name, &target)?;
            match decided {
                Move::Unchanged => {}
                Move::Set => this.tables.set_tag(txn, &name, &tag, &target)?,
            }
            tracing::info!(channel = %name, tag = %tag, history = %target, "a tag was set");
            Ok::<_, NotMoved>(())
        });
        set.await?;
        self.show(channel).await
    }

    /// Writes the public files and reads the channel. Should the writing fail, the channel's worker
    /// goes on trying.
    async fn show(
        self: &Arc<Self>,
        channel: Arc<Channel>,
    ) -> Result<repository::Channel, NotMoved> {
        let name = channel.name.clone();
        let projected = self.blocking(move |this| {
            let projected = this.project(&channel);
            channel.wake.notify_one();
            projected
        });
        projected.await?;
        self.find_channel(name.clone())
            .await?
            .ok_or(NotMoved::NoChannel(name))
    }

    fn require(&self, name: &ChannelName) -> Result<Arc<Channel>, NotMoved> {
        let channel = self.channels.get(name).cloned();
        channel.ok_or_else(|| NotMoved::NoChannel(name.clone()))
    }

    fn require_history(
        &self,
        txn: &moss_db::RoTxn<'_>,
        channel: &ChannelName,
        history: &HistoryId,
    ) -> Result<(), NotMoved> {
        match self.tables.find_history(txn, channel, history)? {
            Some(_) => Ok(()),
            None => Err(NotMoved::NoHistory {
                channel: channel.clone(),
                history: history.clone(),
            }),
        }
    }
}

fn view(channel: ChannelName, standing: Standing) -> repository::Channel {
    let history = |history: crate::domain::history::History| repository::History {
        id: history.id,
        import: Some(history.import),
        published_at: history.published_at,
        packages: history.packages,
    };
    repository::Channel {
        channel,
        streams: standing.streams,
        tags: standing.tags,
        histories: standing.histories.into_iter().map(history).collect(),
    }
}
