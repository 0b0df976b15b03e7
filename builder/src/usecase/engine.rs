//! Takes orders, drives attempts, answers for them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::attempt::{Attempt, Order};
use api::host::NoOrders;
use api::id::{AttemptId, ServiceName};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::live::{Cause, Live};
use super::prepare::log_name;
use super::probe;
use super::queue::Queue;
use crate::db::Record;
use crate::domain::lifecycle::Event;
use crate::log::Log;

mod answer;
mod drive;
mod housekeeping;
mod parts;
mod room;

pub use answer::{LogSource, ReleaseError};
pub use housekeeping::RecoverError;
pub use parts::Parts;

/// The engine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    parts: Parts,
    queue: Queue,
    live: Mutex<HashMap<AttemptId, Arc<Live>>>,
    /// One order is taken at a time, so that no two can be for one new attempt.
    accepting: tokio::sync::Mutex<()>,
    /// When the cache was last emptied because the disk was full.
    emptied_at: tokio::sync::Mutex<Option<Instant>>,
}

/// Why an order was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The attempt has another order.
    #[error("attempt {0} was ordered before, with another order")]
    Conflict(AttemptId),
    /// This builder cannot do it.
    #[error("{0}")]
    Impossible(String),
    /// The database or the disk fails.
    #[error("cannot take the order")]
    Database(#[from] moss_db::Error),
    /// The log cannot be made.
    #[error("cannot start the log of the attempt")]
    Log(#[source] std::io::Error),
    /// It takes no orders now.
    #[error("this builder takes no orders: {0}")]
    NoRoom(NoOrders),
    /// avalanche is being shut down.
    #[error("the builder is shutting down")]
    Closing,
}

impl Engine {
    /// An engine over `parts`. First it ends what a former process left.
    ///
    /// # Errors
    /// When the database or the folders cannot be read or written.
    pub fn start(parts: Parts) -> Result<Self, RecoverError> {
        housekeeping::recover(&parts)?;
        let inner = Inner {
            queue: Queue::new(parts.slots),
            parts,
            live: Mutex::default(),
            accepting: tokio::sync::Mutex::default(),
            emptied_at: tokio::sync::Mutex::default(),
        };
        let engine = Self {
            inner: Arc::new(inner),
        };
        let prober = engine.clone();
        engine
            .inner
            .parts
            .supervisor
            .spawn("probe the sandbox", async move {
                probe::run(&prober.inner.parts).await;
            });
        let keeper = engine.clone();
        engine
            .inner
            .parts
            .supervisor
            .spawn_until_shutdown("housekeeping", housekeeping::run(keeper));
        Ok(engine)
    }

    /// Takes an order from `caller`, or finds that it was taken before.
    ///
    /// # Errors
    /// When the id has another order, or this builder cannot do it, or not now.
    pub async fn accept(
        &self,
        id: AttemptId,
        order: Order,
        caller: ServiceName,
    ) -> Result<Attempt, AcceptError> {
        self.check(&order)?;
        let (answer, answered) = oneshot::channel();
        let engine = self.clone();
        // A task of its own: the caller may go away, the attempt must not hang in between.
        self.inner.parts.supervisor.spawn("attempt", async move {
            engine.attempt(id, order, caller, answer).await;
        });
        answered.await.map_err(|_| AcceptError::Closing)?
    }

    /// The attempts that wait or run, oldest first.
    pub fn attempts(&self) -> Vec<AttemptId> {
        let mut attempts: Vec<Attempt> = self.lives().values().map(|live| live.attempt()).collect();
        attempts.sort_by_key(|attempt| (attempt.accepted_at, attempt.id));
        attempts.into_iter().map(|attempt| attempt.id).collect()
    }

    /// The folder of assets.
    pub fn assets(&self) -> &Path {
        &self.inner.parts.assets
    }

    fn check(&self, order: &Order) -> Result<(), AcceptError> {
        let impossible = |message: String| Err(AcceptError::Impossible(message));
        if order.architecture.as_str() != std::env::consts::ARCH {
            return impossible(format!(
                "this builder builds for {}, not for {}",
                std::env::consts::ARCH,
                order.architecture
            ));
        }
        if order.profile.as_str() != "default" {
            return impossible(format!("this builder has no profile {}", order.profile));
        }
        if order.limits.log_bytes > self.inner.parts.max_log_bytes {
            return impossible(format!(
                "a log here has at most {} bytes",
                self.inner.parts.max_log_bytes
            ));
        }
        if !api::transport::is_protected(&order.clone_url) {
            return impossible(format!(
                "{} is cloned over https only, or over http from this machine",
                order.clone_url
            ));
        }
        Ok(())
    }

    async fn attempt(
        self,
        id: AttemptId,
        mut order: Order,
        caller: ServiceName,
        answer: oneshot::Sender<Result<Attempt, AcceptError>>,
    ) {
        let token = order
            .credentials
            .take()
            .map(|credentials| credentials.token);
        let (taken, live) = match self.take(id, &order).await {
            Ok((taken, live)) => (Ok(taken), live),
            Err(error) => (Err(error), None),
        };
        // The caller may have gone away.
        let _ = answer.send(taken);
        let Some(live) = live else { return };
        tracing::info!(attempt.id = %id, recipe = %order.recipe, "an order was taken");
        let done = CancellationToken::new();
        let work = async {
            let event = self.drive(&live, id, &order, token).await;
            match &event {
                Event::Succeeded { .. } => {}
                Event::Failed(_)
                | Event::Cancelled
                | Event::Expired
                | Event::Moved { .. }
                | Event::Entered(_)
                | Event::Networked(_) => self.take_back_assets(id).await,
            }
            self.finish(&live, event).await;
            done.cancel();
        };
        let shutdown = self.inner.parts.supervisor.token();
        let report = self
            .inner
            .parts
            .reporter
            .follow(live.watch(), &order, &caller);
        // Hints must not hold up a shutdown.
        let report = shutdown.run_until_cancelled(report);
        tokio::join!(work, self.watch(&live, &done), report);
    }

    /// Writes the order down. There is no live attempt when it was taken before.
    async fn take(
        &self,
        id: AttemptId,
        order: &Order,
    ) -> Result<(Attempt, Option<Arc<Live>>), AcceptError> {
        let parts = &self.inner.parts;
        let _one_at_a_time = self.inner.accepting.lock().await;
        let record = Record::new(id, order, parts.clock.now());
        if let Some(before) = self.find_record(id).await? {
            if !before.is_same_order(&record) {
                return Err(AcceptError::Conflict(id));
            }
            let live = self.lives().get(&id).map(|live| live.attempt());
            return Ok((live.unwrap_or(before.attempt), None));
        }
        if let Some(lack) = self.make_room().await {
            return Err(AcceptError::NoRoom(lack));
        }
        let log = Log::create(&parts.logs.join(log_name(id)), order.limits.log_bytes)
            .map_err(AcceptError::Log)?;
        let attempt = record.attempt.clone();
        let tables = parts.tables.clone();
        parts
            .env
            .submit(move |txn| tables.put(txn, &record))
            .await?;
        let lease = Duration::from_secs(u64::from(order.lease_seconds));
        let live = Arc::new(Live::new(attempt.clone(), log, lease));
        self.lives().insert(id, Arc::clone(&live));
        Ok((attempt, Some(live)))
    }

    /// What the database has of an attempt.
    async fn find_record(&self, id: AttemptId) -> Result<Option<Record>, moss_db::Error> {
        let parts = &self.inner.parts;
        let tables = parts.tables.clone();
        parts.env.query(move |txn| tables.find(txn, &id)).await
    }

    /// Stops the attempt when its lease ends or avalanche does.
    async fn watch(&self, live: &Live, done: &CancellationToken) {
        let shutdown = self.inner.parts.supervisor.token();
        tokio::select! {
            () = done.cancelled() => return,
            () = live.lease_end() => live.stop(Cause::Expired),
            () = shutdown.cancelled() => live.stop(Cause::Shutdown),
        }
        done.cancelled().await;
    }

    fn lives(&self) -> std::sync::MutexGuard<'_, HashMap<AttemptId, Arc<Live>>> {
        // Every change of the map is a single call, so a panic elsewhere leaves it whole.
        self.inner
            .live
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn find_live(&self, id: AttemptId) -> Option<Arc<Live>> {
        self.lives().get(&id).cloned()
    }
}
