//! What vessel does: takes orders, fetches and verifies stones, publishes histories, moves streams
//! and tags, and repairs at its start what a crash left half done.
//!
//! # The commit points of an import
//!
//! 1. stage: each stone is fetched into the import's staging folder;
//! 2. verify: size, digests, metadata and content of each;
//! 3. pool: each gets its place in the pool, synced;
//! 4. index: the new history's indexes are written aside, synced, renamed;
//! 5. commit: one LMDB transaction makes packages, history and `volatile` what they are now, and
//!    the import published;
//! 6. root: the root index is renamed into its place; now clients see it.
//!
//! A crash before 5 leaves files that nobody names. The start removes the indexes and begins the
//! import again, which finds its stones in the pool; when it is refused in the end, its stones are
//! taken out of there, at once and again at the next start. A crash between 5 and 6 leaves a root index behind the database: the start writes it
//! anew. Until 6 is done, the API shows the import as publishing.

mod accept;
mod carry_out;
mod channel;
mod compose;
mod fetch;
mod obstacle;
mod project;
mod publish;
mod repair;
mod status;
#[cfg(test)]
mod tests;
mod verify;
mod watch;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::id::{Architecture, ChannelName, ImportId};
use moss_db::Environment;
use service::{Clock, Supervisor};
use tokio::sync::{Notify, watch as tokio_watch};
use tokio_util::sync::CancellationToken;

use crate::db::{NotStepped, Tables};
use crate::domain::root::Dangling;
use crate::tree::{Tree, TreeError};
use compose::Entries;
use obstacle::Obstacle;

pub(crate) use accept::NotAccepted;
pub(crate) use channel::{NotMoved, Overview};

/// A fault of ours or of the machine: tried again, or answered as an internal error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] moss_db::Error),
    /// A file could not be dealt with.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The state of an import could not be changed.
    #[error(transparent)]
    Import(#[from] NotStepped),
    /// A history's index could not be made.
    #[error("cannot make the index for {architecture}")]
    Index {
        /// For which architecture.
        architecture: Architecture,
        /// Why.
        #[source]
        source: Box<moss_format::index::WriteError>,
    },
    /// A stone of the pool is not what the database says.
    #[error("cannot read the stone {file_name} in the pool: {reason}")]
    Pool {
        /// Which stone.
        file_name: String,
        /// Why.
        reason: String,
    },
    /// A stone that was fetched cannot be read now, which says nothing about it.
    #[error("cannot read the fetched stone {file_name}: {reason}")]
    Staged {
        /// Which stone.
        file_name: String,
        /// Why.
        reason: String,
    },
    /// A stone could not be fetched, for a reason on this machine.
    #[error(transparent)]
    Fetch(#[from] Box<moss_fetcher::Error>),
    /// The database's names contradict its histories.
    #[error(transparent)]
    Dangling(#[from] Dangling),
    /// The database has packages that came with no history.
    #[error("the channel {0} has packages but no history")]
    NoHistory(ChannelName),
    /// The runtime ends.
    #[error("the service is shutting down")]
    Ending,
}

/// A lock that a panic does not close: what it guards is replaced as a whole, never half.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A channel while the service runs.
pub(crate) struct Channel {
    name: ChannelName,
    architectures: Vec<Architecture>,
    /// There may be work: an import has come, or the public files are behind.
    wake: Notify,
    /// The public files are behind the database.
    is_behind: AtomicBool,
    /// One at a time writes the public files, and always what the database says then.
    projecting: Mutex<()>,
    /// Why the worker cannot work, while it cannot.
    obstacle: Mutex<Option<Obstacle>>,
    /// Imports that are published in the database and not yet in the root index.
    hidden: Mutex<BTreeSet<ImportId>>,
    /// The encoded metadata of the channel's packages, kept between publications.
    entries: Mutex<Entries>,
}

impl Channel {
    fn new(name: ChannelName, architectures: Vec<Architecture>) -> Self {
        Self {
            name,
            architectures,
            wake: Notify::new(),
            is_behind: AtomicBool::new(false),
            projecting: Mutex::new(()),
            obstacle: Mutex::default(),
            hidden: Mutex::default(),
            entries: Mutex::default(),
        }
    }
}

/// The repository: what all use cases work on.
pub(crate) struct Repository {
    environment: Environment,
    tables: Tables,
    tree: Tree,
    fetcher: fetch::Fetcher,
    clock: Clock,
    /// How long an import whose stones cannot be fetched is tried.
    give_up_hours: NonZero<u32>,
    channels: BTreeMap<ChannelName, Arc<Channel>>,
    /// Grows whenever an import changes.
    changes: tokio_watch::Sender<u64>,
    ending: CancellationToken,
}

impl Repository {
    /// A repository over an open database and its files, with these channels.
    pub(crate) fn new(
        (environment, tables): (Environment, Tables),
        tree: Tree,
        channels: impl IntoIterator<Item = (ChannelName, Vec<Architecture>)>,
        give_up_hours: NonZero<u32>,
        ending: CancellationToken,
    ) -> Result<Self, Failure> {
        let channels = channels
            .into_iter()
            .map(|(name, architectures)| {
                (name.clone(), Arc::new(Channel::new(name, architectures)))
            })
            .collect();
        let fetcher = fetch::Fetcher::new().map_err(Box::new)?;
        Ok(Self {
            environment,
            tables,
            tree,
            fetcher,
            clock: Clock::system(),
            give_up_hours,
            channels,
            changes: tokio_watch::Sender::new(0),
            ending,
        })
    }

    /// Begins to work on every channel.
    pub(crate) fn spawn_workers(self: &Arc<Self>, supervisor: &Supervisor) {
        for channel in self.channels.values() {
            let work = Arc::clone(self).work(Arc::clone(channel));
            supervisor.spawn("vessel channel worker", work);
        }
    }

    /// The architectures of a channel.
    pub(crate) fn architectures(&self, name: &ChannelName) -> Vec<String> {
        let channel = self
            .channels
            .get(name)
            .map(|channel| channel.architectures.iter());
        channel
            .into_iter()
            .flatten()
            .map(ToString::to_string)
            .collect()
    }

    /// Looks whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) async fn check(self: &Arc<Self>) -> Result<(), Failure> {
        let this = Arc::clone(self);
        let check = self.environment.query(move |txn| {
            for channel in this.channels.keys() {
                this.tables.find_newest(txn, channel)?;
            }
            Ok::<_, Failure>(())
        });
        check.await
    }

    /// True for a channel of the configuration.
    pub(crate) fn has_channel(&self, name: &ChannelName) -> bool {
        self.channels.contains_key(name)
    }

    /// The folder that clients may see.
    pub(crate) fn public(&self) -> &std::path::Path {
        self.tree.public()
    }

    /// Runs `work`, which blocks, off the async threads.
    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let this = Arc::clone(self);
        match tokio::task::spawn_blocking(move || work(&this)).await {
            Ok(result) => result,
            Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
            Err(_) => Err(Failure::Ending),
        }
    }

    /// Tells those who wait that an import has changed.
    fn tell(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}
