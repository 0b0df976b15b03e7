//! What the engine answers about attempts, and what can be done to them from outside.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::attempt::Attempt;
use api::host::{Holder, Limit, Networking};
use api::id::AttemptId;
use api::status::Database;
use tokio::time::Instant;

use super::super::live::{Cause, Live};
use super::super::prepare::log_name;
use super::super::workspace;
use super::Engine;
use crate::config;
use crate::sandbox::limits;

/// How long a reader waits for news.
const LONG_POLL: Duration = Duration::from_secs(25);
/// How often a waiting reader renews the lease.
const RENEWAL: Duration = Duration::from_secs(2);

/// Why assets were not released.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// It is still at work on them.
    #[error("attempt {0} has not ended; cancel it first")]
    Unfinished(AttemptId),
    /// The database fails.
    #[error("cannot release an attempt")]
    Database(#[from] moss_db::Error),
    /// The files stay.
    #[error("cannot remove the assets of an attempt")]
    Files(#[source] std::io::Error),
}

/// The log of an attempt.
#[derive(Debug)]
pub struct LogSource {
    path: PathBuf,
    live: Option<Arc<Live>>,
}

impl Engine {
    /// Where an attempt stands; with `after`, once its sequence number is above that, or after 25
    /// seconds. Renews the lease.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn read(
        &self,
        id: AttemptId,
        after: Option<u64>,
    ) -> Result<Option<Attempt>, moss_db::Error> {
        if let Some(live) = self.find_live(id) {
            let mut states = live.watch();
            let moved = async {
                let news = |attempt: &Attempt| after.is_none_or(|after| attempt.seq > after);
                // The sender lives as long as `live`.
                let _ = states.wait_for(news).await;
            };
            self.wait(&live, moved).await;
            return Ok(Some(live.attempt()));
        }
        let record = self.find_record(id).await?;
        Ok(record.map(|record| record.attempt))
    }

    /// How many bytes are free where attempts write.
    pub fn free_bytes(&self) -> u64 {
        self.inner.parts.floor.free()
    }

    /// How full the database is.
    pub fn usage(&self) -> Database {
        let usage = self.inner.parts.env.usage();
        Database {
            used_bytes: usage.used(),
            map_bytes: usage.map_size(),
        }
    }

    /// What recipes that ask for the network get here.
    pub fn networking(&self) -> Networking {
        match self.inner.parts.networking {
            config::Networking::Refuse => Networking::Refuse,
            config::Networking::Host => Networking::Host,
        }
    }

    /// What one build may use here.
    pub fn limits(&self) -> BTreeMap<String, Limit> {
        let parts = &self.inner.parts;
        let limit = |(key, most, holder)| {
            let held_by = match holder {
                limits::Holder::ControlGroup => Holder::ControlGroup,
                limits::Holder::ResourceLimit => Holder::ResourceLimit,
                limits::Holder::Measured => Holder::Measured,
            };
            (String::from(key), Limit { most, held_by })
        };
        let list = parts.limits.list(parts.memory_holder());
        list.into_iter().map(limit).collect()
    }

    /// Stops an attempt and returns where it stands then: final, if it could be stopped in time.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn cancel(&self, id: AttemptId) -> Result<Option<Attempt>, moss_db::Error> {
        if let Some(live) = self.find_live(id) {
            live.stop(Cause::Cancelled);
            let mut states = live.watch();
            let ended = async { drop(states.wait_for(|attempt| attempt.state.is_final()).await) };
            self.wait(&live, ended).await;
            return Ok(Some(live.attempt()));
        }
        self.read(id, None).await
    }

    /// Lets the assets of a finished attempt go.
    ///
    /// # Errors
    /// When it has not ended, or the files or the database fail.
    pub async fn release(&self, id: AttemptId) -> Result<Option<Attempt>, ReleaseError> {
        let parts = &self.inner.parts;
        if self.find_live(id).is_some() {
            return Err(ReleaseError::Unfinished(id));
        }
        let (tables, now) = (parts.tables.clone(), parts.clock.now());
        let released = parts
            .env
            .submit(move |txn| {
                let Some(mut record) = tables.find(txn, &id)? else {
                    return Ok(None);
                };
                record.released_at.get_or_insert(now);
                tables.put(txn, &record)?;
                Ok::<_, moss_db::Error>(Some(record.attempt))
            })
            .await?;
        if released.is_some() {
            let folder = parts.assets.join(id.to_string());
            tokio::task::spawn_blocking(move || workspace::remove(&folder))
                .await
                .map_err(std::io::Error::other)
                .and_then(|removed| removed)
                .map_err(ReleaseError::Files)?;
        }
        Ok(released)
    }

    /// The log of an attempt. Renews the lease.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn log(&self, id: AttemptId) -> Result<Option<LogSource>, moss_db::Error> {
        let path = self.inner.parts.logs.join(log_name(id));
        if let Some(live) = self.find_live(id) {
            live.read();
            return Ok(Some(LogSource {
                path,
                live: Some(live),
            }));
        }
        let record = self.find_record(id).await?;
        Ok(record.map(|_| LogSource { path, live: None }))
    }

    /// Waits for `news`, 25 seconds at most, and holds the lease meanwhile.
    async fn wait(&self, live: &Live, news: impl Future<Output = ()>) {
        let end = Instant::now() + LONG_POLL;
        let shutdown = self.inner.parts.supervisor.token();
        tokio::pin!(news);
        live.read();
        loop {
            tokio::select! {
                () = &mut news => break,
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep_until(end) => break,
                () = tokio::time::sleep(RENEWAL) => live.read(),
            }
        }
        live.read();
    }
}

impl LogSource {
    /// Where the file is.
    pub fn path(&self) -> &PathBuf {
        &self.path
    }

    /// Waits until the log goes beyond `offset` or will not any more, 25 seconds at most. Returns
    /// true when what is in the file now is all.
    pub async fn wait_beyond(&self, engine: &Engine, offset: u64) -> bool {
        let Some(live) = &self.live else { return true };
        let (mut length, mut states) = (live.log.watch(), live.watch());
        let news = async {
            tokio::select! {
                _ = length.wait_for(|length| *length > offset) => {}
                _ = states.wait_for(|attempt| attempt.state.is_final()) => {}
            }
        };
        engine.wait(live, news).await;
        live.attempt().state.is_final()
    }
}
