//! The writer thread: many changes, one transaction, one sync.
//!
//! Each change runs in a nested transaction, so that one that fails is undone alone. Nobody is
//! told anything before the batch is committed, not even of failure: a change may have failed
//! because of what an earlier one in the batch did, and that is not true until it is durable.
//!
//! While one batch syncs, the next gathers in the queue. The queue is bounded; submitters wait
//! for a place.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use heed::RwTxn;
use tokio::sync::{mpsc, oneshot};

use crate::environment::room::Alarm;
use crate::error::Error;
use crate::raw::Handle;
use crate::schema::IDENTITY_KEY;

/// The most changes in one transaction, and the most that wait for the next.
const BATCH: usize = 1024;

/// Runs a change in the batch, if there could be one; returns how to tell its submitter what
/// became of it.
type Change = Box<dyn FnOnce(&Store, Result<&mut RwTxn<'_>, Error>) -> Tell + Send>;

/// Tells a submitter, given how the batch's commit went.
type Tell = Box<dyn FnOnce(Result<(), Error>)>;

/// What a change returned, or the payload of its panic.
type Outcome<T, E> = Result<Result<T, E>, Box<dyn Any + Send>>;

/// What the thread works on.
struct Store {
    alarm: Arc<Alarm>,
    /// A table that any transaction can read, unless it is broken.
    identity: Handle,
}

/// The writer thread of an environment. Dropping it waits for the changes already queued.
#[derive(Debug)]
pub(crate) struct Writer {
    /// `None` only while being dropped.
    queue: Option<mpsc::Sender<Change>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(alarm: Arc<Alarm>, identity: Handle) -> std::io::Result<Self> {
        let store = Store { alarm, identity };
        let (queue, changes) = mpsc::channel(BATCH);
        let thread = std::thread::Builder::new()
            .name("moss-db-writer".to_owned())
            .spawn(move || run(&store, changes))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    pub(crate) async fn submit<T, U, E>(
        &self,
        change: impl FnOnce(&mut RwTxn<'_>) -> Result<T, E> + Send + 'static,
        committed: impl FnOnce(T) -> U + Send + 'static,
    ) -> Result<U, E>
    where
        T: Send + 'static,
        U: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel::<Outcome<U, E>>();
        let change: Change = Box::new(move |store, batch| {
            let outcome = match batch {
                Ok(batch) => run_nested(store, batch, change),
                Err(error) => Ok(Err(error.into())),
            };
            Box::new(move |commit| {
                let outcome = match (commit, outcome) {
                    (Ok(()), Ok(Ok(value))) => {
                        catch_unwind(AssertUnwindSafe(|| Ok(committed(value))))
                    }
                    (Ok(()), Ok(Err(error))) => Ok(Err(error)),
                    (Ok(()), Err(panic)) => Err(panic),
                    (Err(error), _) => Ok(Err(error.into())),
                };
                // The submitter may have gone; the change stands all the same.
                let _ = answer.send(outcome);
            })
        });
        let Some(queue) = &self.queue else {
            return Err(Error::Closed.into());
        };
        queue.send(change).await.map_err(|_| Error::Closed)?;
        match answered.await {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => Err(Error::Closed.into()),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        let Some(thread) = self.thread.take() else {
            return;
        };
        // The last clone of an environment may be dropped inside a change.
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("the database's writer thread has panicked");
        }
    }
}

fn run(store: &Store, mut changes: mpsc::Receiver<Change>) {
    let mut batch = Vec::with_capacity(BATCH);
    while changes.blocking_recv_many(&mut batch, BATCH) > 0 {
        commit_batch(store, &mut batch);
    }
}

fn commit_batch(store: &Store, batch: &mut Vec<Change>) {
    let mut txn = match store.alarm.env().write_txn() {
        Ok(txn) => txn,
        Err(error) => {
            tracing::error!(error = %error, db.changes = batch.len(), "a batch cannot begin");
            let error = Arc::new(error);
            for change in batch.drain(..) {
                let failed = Error::shared("begin writing the database", &error);
                change(store, Err(failed))(Ok(()));
            }
            return;
        }
    };
    let told: Vec<Tell> = batch
        .drain(..)
        .map(|change| change(store, Ok(&mut txn)))
        .collect();
    match txn.commit() {
        Ok(()) => {
            told.into_iter().for_each(|tell| tell(Ok(())));
            store.alarm.look();
        }
        Err(error) => {
            tracing::error!(error = %error, db.changes = told.len(), "a commit failed");
            let error = Arc::new(error);
            for tell in told {
                tell(Err(Error::shared("commit to the database", &error)));
            }
        }
    }
}

/// Runs a change so that it is kept whole or not at all.
fn run_nested<T, E: From<Error>>(
    store: &Store,
    batch: &mut RwTxn<'_>,
    change: impl FnOnce(&mut RwTxn<'_>) -> Result<T, E>,
) -> Outcome<T, E> {
    let mut txn = match store.alarm.env().nested_write_txn(batch) {
        Ok(txn) => txn,
        Err(error) => return Ok(Err(Error::storage("begin a change", error).into())),
    };
    let value = match catch_unwind(AssertUnwindSafe(|| change(&mut txn))) {
        Ok(Ok(value)) => value,
        // Dropping the nested transaction undoes it.
        failed => return failed,
    };
    // A write that failed breaks a transaction, and committing a broken nested one would break
    // the batch. A change may have swallowed the error, so ask.
    let sound = store.identity.get(&txn, IDENTITY_KEY).map(drop);
    match sound.and_then(|()| txn.commit()) {
        Ok(()) => Ok(Ok(value)),
        Err(error) => Ok(Err(Error::storage("finish a change", error).into())),
    }
}
