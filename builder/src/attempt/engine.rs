//! Takes orders, drives attempts, answers for them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::attempt::{Attempt, Failure, Order, Phase, Reason, State};
use api::id::{AttemptId, ServiceName};
use secrecy::SecretString;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::failure::Halt;
use super::lifecycle::Event;
use super::live::{Cause, Live};
use super::prepare::log_name;
use super::probe;
use super::queue::{Queue, Slot, Turn};
use super::record::Record;
use super::run::{Done, Run};
use super::workspace::Workspace;
use crate::helper::Helper;
use crate::log::Log;

mod answer;
mod housekeeping;
mod parts;

pub use answer::{LogSource, ReleaseError};
pub use housekeeping::RecoverError;
pub use parts::Parts;

/// How long between two tries to write a final state that could not be written.
const RETRY: Duration = Duration::from_secs(2);

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
    /// When the id has another order, or this builder cannot do it.
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
        let tables = parts.tables.clone();
        let before = parts.env.query(move |txn| tables.find(txn, &id)).await?;
        if let Some(before) = before {
            if !before.is_same_order(&record) {
                return Err(AcceptError::Conflict(id));
            }
            let live = self.lives().get(&id).map(|live| live.attempt());
            return Ok((live.unwrap_or(before.attempt), None));
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

    /// Runs the attempt and returns what became of it.
    async fn drive(
        &self,
        live: &Live,
        id: AttemptId,
        order: &Order,
        token: Option<SecretString>,
    ) -> Event {
        let wall = Duration::from_secs(u64::from(order.limits.wall_seconds));
        let halt = match self.wait_for_slot(live, id).await {
            Ok(slot) => {
                let work = self.work(live, id, order, token, &slot);
                tokio::pin!(work);
                let result = tokio::select! {
                    result = &mut work => result,
                    () = tokio::time::sleep(wall) => {
                        live.stop(Cause::WallTime);
                        work.await
                    }
                };
                match result {
                    Ok(Done { assets, host }) => return Event::Succeeded { assets, host },
                    Err(halt) => halt,
                }
            }
            Err(halt) => halt,
        };
        let phase = match live.attempt().state {
            State::Running { phase, .. } => phase,
            State::Accepted { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. }
            | State::Expired { .. } => Phase::Clone,
        };
        end(halt, live.cause(), phase, order)
    }

    async fn wait_for_slot(&self, live: &Live, id: AttemptId) -> Result<Slot, Halt> {
        let mut place = self.inner.queue.join(id);
        let mut told = 0;
        loop {
            match place.turn() {
                Turn::Come(slot) => return Ok(slot),
                Turn::Wait(ahead) if ahead != told => {
                    told = ahead;
                    live.log.say(&format!(
                        "==> waiting: {ahead} attempts stand before this one"
                    ));
                    self.inner
                        .parts
                        .advance(live, Event::Moved { ahead })
                        .await
                        .map_err(|error| Halt::internal("note a place in the queue", &error))?;
                }
                Turn::Wait(_) => {}
            }
            live.stopping()
                .run_until_cancelled(place.moved())
                .await
                .ok_or(Halt::Stopped)?;
        }
    }

    async fn work(
        &self,
        live: &Live,
        id: AttemptId,
        order: &Order,
        token: Option<SecretString>,
        slot: &Slot,
    ) -> Result<Done, Halt> {
        let parts = &self.inner.parts;
        let identity = parts.identity(slot.number());
        let work = parts.work.clone();
        let made =
            tokio::task::spawn_blocking(move || Workspace::create(&work, id, identity)).await;
        let workspace = made
            .map_err(std::io::Error::other)
            .and_then(|made| made)
            .map_err(|error| Halt::internal("make a workspace", &error))?;
        let group = parts
            .delegation
            .as_ref()
            .map(|delegation| delegation.group(&id.to_string(), &parts.limits))
            .transpose()
            .map_err(|error| Halt::internal("make a control group", &error))?
            .map(Arc::new);
        let run = Run {
            parts,
            live,
            id,
            helper: Helper::new(parts.executable.clone(), identity).within(group),
            workspace: Arc::new(workspace),
            log: live.log.clone(),
        };
        let result = Box::pin(run.all(order, token)).await;
        // Removing what a build left may take a while.
        let left = (run.helper, run.workspace);
        let _ = tokio::task::spawn_blocking(move || drop(left)).await;
        result
    }

    /// Removes what an attempt has made that does not succeed: it may have been stopped when its
    /// assets were there already, or while they were written.
    async fn take_back_assets(&self, id: AttemptId) {
        let parts = &self.inner.parts;
        let folders = [&parts.emitting, &parts.assets].map(|folder| folder.join(id.to_string()));
        let removed = tokio::task::spawn_blocking(move || {
            folders
                .iter()
                .try_for_each(|folder| super::workspace::remove(folder))
        });
        if let Ok(Err(error)) = removed.await {
            tracing::warn!(
                attempt.id = %id, %error,
                "cannot remove the assets of an attempt; the next start tries again"
            );
        }
    }

    /// Writes a final state, however long it takes to be possible.
    async fn finish(&self, live: &Live, event: Event) {
        let parts = &self.inner.parts;
        let last_words = match &event {
            Event::Failed(failure) => {
                format!("==> failed in {}: {}", failure.phase, failure.message)
            }
            Event::Succeeded { assets, .. } => format!("==> succeeded with {} files", assets.len()),
            Event::Cancelled => "==> cancelled".to_owned(),
            Event::Expired => "==> expired: nobody has read this attempt for its lease".to_owned(),
            Event::Moved { .. } | Event::Entered(_) | Event::Networked(_) => String::new(),
        };
        live.log.say(&last_words);
        let id = live.attempt().id;
        while let Err(error) = parts.advance(live, event.clone()).await {
            tracing::error!(attempt.id = %id, %error, "cannot write the end of an attempt");
            if parts.supervisor.token().is_cancelled() {
                break; // The next start finds it unfinished and says so.
            }
            tokio::time::sleep(RETRY).await;
        }
        self.lives().remove(&id);
        tracing::info!(attempt.id = %id, end = last_words.trim_start_matches("==> "), "an attempt ended");
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

/// What becomes of an attempt that did not come to its end.
fn end(halt: Halt, cause: Option<Cause>, phase: Phase, order: &Order) -> Event {
    let failed = |reason, message: String| {
        Event::Failed(Failure {
            phase,
            reason,
            message,
        })
    };
    match (halt, cause) {
        (Halt::Failed { reason, message }, None) => failed(reason, message),
        // What fails because it is being stopped, is stopped.
        (_, Some(Cause::Cancelled)) => Event::Cancelled,
        (_, Some(Cause::Expired)) => Event::Expired,
        (_, Some(Cause::WallTime)) => failed(
            Reason::LimitReached {
                limit: "wall_seconds".to_owned(),
            },
            format!(
                "it took longer than the {} seconds it may",
                order.limits.wall_seconds
            ),
        ),
        (_, Some(Cause::Shutdown)) | (Halt::Stopped, None) => failed(
            Reason::Interrupted,
            "the builder was stopped while this ran".to_owned(),
        ),
    }
}
