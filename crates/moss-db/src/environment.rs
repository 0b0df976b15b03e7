//! A database folder, opened: transactions, and the state of its map.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use heed::{RoTxn, RwTxn, WithoutTls};

use crate::check::{Checks, Fault};
use crate::error::Error;
use crate::schema::{IDENTITY_TABLE, Schema};
use crate::writer::Writer;
use room::Alarm;

pub(crate) mod backup;
mod lock;
mod open;
pub(crate) mod room;

pub use open::{OpenError, Options};
pub use room::Usage;

/// LMDB's environment as this crate opens it. Transactions are not bound to threads.
pub(crate) type Env = heed::Env<WithoutTls>;

/// An open database. Cheap to clone; it closes when the last clone is dropped, which waits for
/// the changes already submitted.
#[derive(Debug, Clone)]
pub struct Environment {
    inner: Arc<Inner>,
}

/// Fields are dropped in order: the writer finishes its work before the environment closes,
/// and the folder is free for others only after that. Only a writer whose last change drops the
/// environment itself cannot be waited for.
#[derive(Debug)]
struct Inner {
    writer: Writer,
    alarm: Arc<Alarm>,
    env: Env,
    checks: Checks,
    path: PathBuf,
    _lock: lock::FolderLock,
}

impl Environment {
    /// Opens the database in the folder `path`, which is created when it is missing, and its
    /// tables. Runs the migrations that it needs.
    ///
    /// A folder is open at most once at a time, in all processes of the machine. It must lie on
    /// a local file system: LMDB maps it into memory and locks with shared memory.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn open<S: Schema>(path: &Path, options: &Options) -> Result<(Self, S), OpenError> {
        let opened = open::open::<S>(path, options)?;
        let alarm = Arc::new(Alarm::new(opened.env.clone()));
        alarm.look();
        let writer = Writer::start(Arc::clone(&alarm), opened.identity).map_err(|source| {
            OpenError::Writer {
                path: path.to_owned(),
                source,
            }
        })?;
        let path = path.to_owned();
        let inner = Inner {
            writer,
            alarm,
            env: opened.env,
            checks: opened.checks,
            path,
            _lock: opened.lock,
        };
        Ok((
            Self {
                inner: Arc::new(inner),
            },
            opened.tables,
        ))
    }

    /// Runs `view` on one consistent state of the database. Blocks the thread; for async code
    /// see [`Self::query`].
    ///
    /// Readers do not wait for writers, nor writers for readers; but pages that a reader may
    /// still see are not reused, so `view` should be short.
    ///
    /// # Errors
    ///
    /// What `view` returns, or that no transaction could be begun.
    pub fn read<T, E: From<Error>>(
        &self,
        view: impl FnOnce(&RoTxn<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let txn = self
            .inner
            .env
            .read_txn()
            .map_err(|error| Error::storage("begin reading the database", error))?;
        view(&txn)
    }

    /// Runs `change` in a transaction of its own and commits it when it returns `Ok`; when this
    /// returns, the change is on the disk. Blocks the thread, for other writers too: for async
    /// code, and where many write at once, see [`Self::submit`].
    ///
    /// Must not be called from within a change: the inner one would wait for the outer one.
    ///
    /// # Errors
    ///
    /// What `change` returns, or why the commit failed; in both cases nothing was changed.
    pub fn write<T, E: From<Error>>(
        &self,
        change: impl FnOnce(&mut RwTxn<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut txn = self
            .inner
            .env
            .write_txn()
            .map_err(|error| Error::storage("begin writing the database", error))?;
        let value = change(&mut txn)?;
        txn.commit()
            .map_err(|error| Error::storage("commit to the database", error))?;
        self.inner.alarm.look();
        Ok(value)
    }

    /// As [`Self::read`], on a thread of the tokio runtime on which blocking is allowed.
    ///
    /// # Errors
    ///
    /// What `view` returns, that no transaction could be begun, or [`Error::Closed`] when the
    /// runtime is shutting down.
    ///
    /// # Panics
    ///
    /// When `view` panics, and outside a tokio runtime.
    pub async fn query<T, E>(
        &self,
        view: impl FnOnce(&RoTxn<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let environment = self.clone();
        let reading = tokio::task::spawn_blocking(move || environment.read(view));
        match reading.await {
            Ok(result) => result,
            Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
            Err(_) => Err(Error::Closed.into()),
        }
    }

    /// Hands `change` to the writer thread and returns once it is on the disk.
    ///
    /// Changes submitted at the same time share one transaction and one sync, yet each is on
    /// its own: one that returns an error, or panics, leaves nothing behind and takes no other
    /// along. A change sees those made before it. Changes submitted one after the other from
    /// one place are made in that order.
    ///
    /// When the returned future is dropped, the change may be made or not, but not in part.
    ///
    /// # Errors
    ///
    /// What `change` returns, or why the commit failed. After a failed commit nothing of any
    /// change that shared it was kept.
    ///
    /// # Panics
    ///
    /// When `change` panics.
    pub async fn submit<T, E>(
        &self,
        change: impl FnOnce(&mut RwTxn<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.submit_then(change, |value| value).await
    }

    /// As [`Self::submit`], and runs `committed` on what `change` returned, once that is on the disk.
    /// This is done in the order of the changes, and before the submitter is answered: for what has to
    /// be kept in step with the database outside of it.
    ///
    /// It runs on the writer's thread, so that all later changes wait for it. It is not run for a
    /// change that failed.
    ///
    /// # Errors
    ///
    /// As [`Self::submit`].
    ///
    /// # Panics
    ///
    /// When `change` or `committed` panics; in the latter case the change stands.
    pub async fn submit_then<T, U, E>(
        &self,
        change: impl FnOnce(&mut RwTxn<'_>) -> Result<T, E> + Send + 'static,
        committed: impl FnOnce(T) -> U + Send + 'static,
    ) -> Result<U, E>
    where
        T: Send + 'static,
        U: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.inner.writer.submit(change, committed).await
    }

    /// How much of the map is used. Cheap enough to be asked with every status.
    ///
    /// The first commit that leaves 80 % of it used is logged as a warning, once.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage::of(&self.inner.env)
    }

    /// Looks over the whole database and names all that is wrong. It reads every row once for its
    /// table and once for each of its indexes, on one state, while the database stays in use. Blocks
    /// the thread.
    ///
    /// # Errors
    ///
    /// When a table cannot be read at all.
    pub fn check(&self) -> Result<Vec<Fault>, Error> {
        let mut present = open::table_names(&self.inner.env)
            .map_err(|error| Error::storage("list the tables", error))?;
        present.remove(IDENTITY_TABLE);
        self.read(|txn| self.inner.checks.run(txn, present))
    }

    /// The number of the last transaction that changed the database.
    #[must_use]
    pub fn last_transaction(&self) -> u64 {
        self.inner.env.info().last_txn_id as u64
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    pub(crate) fn env(&self) -> &Env {
        &self.inner.env
    }
}
