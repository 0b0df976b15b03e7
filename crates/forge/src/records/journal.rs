//! The way of changes into the database: gathered while a commit is under way, then committed
//! together, in order.
//!
//! A thread of its own writes, as moss-db's own writer is one: changes are handed over under the lock
//! of the memory, where nobody can wait for a place in a queue. What has not been written yet is
//! bounded by the rows that there are, and in practice by the requests under way: each of them waits
//! for its own before it is answered.
//!
//! When a commit fails, as on a full disk, nothing is lost: the changes stay at the head of what is to
//! be written, and are tried again every second and with every new change. Whoever waits is told.
//!
//! A panic can break off a change, or the writing. Then the memory says what the database never will:
//! no more changes are taken, whoever waits is told so, and the forge stops.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use moss_db::Environment;
use tokio::sync::watch;

use super::tables::{Changes, Tables};

/// The pause before a failed commit is tried again, unless there is a new change before.
const RETRY: Duration = Duration::from_secs(1);

/// Changes that are not in the database.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unrecorded {
    /// A commit failed, and is tried again.
    #[error("the forge cannot write its records")]
    Failed(#[source] Arc<moss_db::Error>),
    /// A panic broke off a change or the writing, and the forge stops.
    #[error(
        "a panic broke off a change of the forge's records: the forge stops, and the next start \
         reads them from the database"
    )]
    Broken,
}

/// Takes changes and writes them. Dropping it waits for those that can be written.
pub(super) struct Journal {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    pending: Mutex<Pending>,
    /// There is something to write, or the journal is closing.
    wake: Condvar,
    progress: watch::Sender<Progress>,
}

#[derive(Default)]
struct Pending {
    changes: Changes,
    /// How many changes were ever handed over.
    handed_over: u64,
    is_closing: bool,
    is_broken: bool,
}

#[derive(Clone, Default)]
struct Progress {
    /// So many of the changes are in the database.
    recorded: u64,
    /// The last attempt failed with the changes up to this one.
    failure: Option<(u64, Unrecorded)>,
    is_broken: bool,
}

impl Shared {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn break_off(&self) {
        self.pending().is_broken = true;
        self.progress
            .send_modify(|progress| progress.is_broken = true);
    }
}

/// Breaks the journal off when a panic ends what it watches.
pub(super) struct Watch<'journal>(&'journal Shared);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.break_off();
        }
    }
}

impl Journal {
    pub(super) fn start(environment: Environment, tables: Tables) -> std::io::Result<Self> {
        Self::start_with(move |changes| environment.write(|txn| tables.write(txn, changes)))
    }

    pub(super) fn start_with(
        write: impl FnMut(&Changes) -> Result<(), moss_db::Error> + Send + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            pending: Mutex::default(),
            wake: Condvar::new(),
            progress: watch::Sender::new(Progress::default()),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("forge-records".to_owned())
            .spawn(move || write_all(&own, write))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    pub(super) fn hand_over(&self, changes: Changes) {
        if changes.is_empty() {
            return;
        }
        let mut pending = self.shared.pending();
        if pending.is_broken {
            return;
        }
        pending.changes.add(changes);
        pending.handed_over += 1;
        self.shared.wake.notify_one();
    }

    /// Breaks the journal off when the thread panics before this is dropped.
    pub(super) fn watch(&self) -> Watch<'_> {
        Watch(&self.shared)
    }

    /// Returns once the journal is broken off.
    pub(super) async fn broken_off(&self) {
        self.reached(|progress| progress.is_broken).await;
    }

    pub(super) async fn recorded(&self) -> Result<(), Unrecorded> {
        let wanted = self.shared.pending().handed_over;
        let progress = self
            .reached(|progress| {
                let failed = progress.failure.as_ref();
                progress.is_broken
                    || progress.recorded >= wanted
                    || failed.is_some_and(|(tried, _)| *tried >= wanted)
            })
            .await;
        if progress.is_broken {
            return Err(Unrecorded::Broken);
        }
        match progress.failure {
            Some((_, error)) if progress.recorded < wanted => Err(error),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) async fn recorded_at_last(&self) -> Result<(), Unrecorded> {
        let wanted = self.shared.pending().handed_over;
        let progress = self
            .reached(|progress| progress.is_broken || progress.recorded >= wanted)
            .await;
        match progress.is_broken {
            true => Err(Unrecorded::Broken),
            false => Ok(()),
        }
    }

    async fn reached(&self, is_it: impl FnMut(&Progress) -> bool) -> Progress {
        let mut progress = self.shared.progress.subscribe();
        let reached = progress.wait_for(is_it).await;
        let reached = reached.expect("the sender lives as long as the journal");
        reached.clone()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.pending().is_closing = true;
        self.shared.wake.notify_one();
        let ended = self.thread.take().map(JoinHandle::join);
        if let Some(Err(_)) = ended {
            tracing::error!("the thread that writes the forge's records has panicked");
        }
    }
}

fn write_all(shared: &Shared, mut write: impl FnMut(&Changes) -> Result<(), moss_db::Error>) {
    let _watch = Watch(shared);
    let mut has_failed = false;
    while let Some((changes, last)) = next_changes(shared, has_failed) {
        let written = write(&changes);
        has_failed = written.is_err();
        match written {
            Ok(()) => shared.progress.send_modify(|progress| {
                progress.recorded = last;
                progress.failure = None;
            }),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot write the records"
                );
                put_back(shared, changes);
                let failure = Some((last, Unrecorded::Failed(Arc::new(error))));
                shared
                    .progress
                    .send_modify(|progress| progress.failure = failure);
            }
        }
    }
}

/// Waits for changes. None once the journal closes and there are none that can be written.
fn next_changes(shared: &Shared, has_failed: bool) -> Option<(Changes, u64)> {
    let mut pending = shared.pending();
    if has_failed {
        let known = pending.handed_over;
        let paused = shared
            .wake
            .wait_timeout_while(pending, RETRY, |pending| {
                pending.handed_over == known && !pending.is_closing
            })
            .unwrap_or_else(PoisonError::into_inner);
        pending = paused.0;
        if pending.is_closing {
            return None;
        }
    } else {
        pending = shared
            .wake
            .wait_while(pending, |pending| {
                pending.changes.is_empty() && !pending.is_closing
            })
            .unwrap_or_else(PoisonError::into_inner);
    }
    if pending.changes.is_empty() {
        return None;
    }
    Some((std::mem::take(&mut pending.changes), pending.handed_over))
}

/// Puts changes that were not written before those handed over meanwhile.
fn put_back(shared: &Shared, mut changes: Changes) {
    let mut pending = shared.pending();
    changes.add(std::mem::take(&mut pending.changes));
    pending.changes = changes;
}
