//! An attempt that is not final: who may change its fate, and who watches it.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use api::attempt::Attempt;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::log::Log;
use crate::sandbox::limits::Excess;

/// Why an attempt was stopped before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Somebody does not want it any more.
    Cancelled,
    /// Nobody has read it.
    Expired,
    /// It took too long.
    WallTime,
    /// It took too much of something else.
    Exceeded(Excess),
    /// avalanche is being shut down.
    Shutdown,
}

/// An attempt that waits or runs.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) log: Log,
    state: watch::Sender<Attempt>,
    stop: CancellationToken,
    cause: OnceLock<Cause>,
    lease: Duration,
    last_read: Mutex<Instant>,
}

impl Live {
    pub(super) fn new(attempt: Attempt, log: Log, lease: Duration) -> Self {
        let (state, _) = watch::channel(attempt);
        Self {
            log,
            state,
            stop: CancellationToken::new(),
            cause: OnceLock::new(),
            lease,
            last_read: Mutex::new(Instant::now()),
        }
    }

    /// Where it stands.
    pub(super) fn attempt(&self) -> Attempt {
        self.state.borrow().clone()
    }

    /// Shows a new state; the database has it already.
    pub(super) fn show(&self, attempt: Attempt) {
        self.state.send_replace(attempt);
    }

    /// Follows the states.
    pub(super) fn watch(&self) -> watch::Receiver<Attempt> {
        self.state.subscribe()
    }

    /// Stops it, for the first cause that is given.
    pub(super) fn stop(&self, cause: Cause) {
        let _ = self.cause.set(cause);
        self.stop.cancel();
    }

    /// Is cancelled when it is to stop.
    pub(super) fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// Why it was stopped, if it was.
    pub(super) fn cause(&self) -> Option<Cause> {
        self.cause.get().copied()
    }

    /// Renews the lease.
    pub(super) fn read(&self) {
        *self
            .last_read
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Waits until the lease has run out.
    pub(super) async fn lease_end(&self) {
        loop {
            let end = *self
                .last_read
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                + self.lease;
            if end <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(end).await;
        }
    }
}
