//! Wakes of workers, and pauses between retries.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::domain::under_way::Concerns;

/// The longest wait of a worker without a wake.
pub(super) const IDLE: Duration = Duration::from_secs(30);

/// One wake for each worker.
#[derive(Debug, Default)]
pub struct Wakes {
    /// Targets have wishes.
    pub looks: Wake,
    /// Builds have moved.
    pub schedule: Wake,
    /// Attempts were dispatched.
    pub attend: Wake,
    /// Imports were begun.
    pub publish: Wake,
    /// Check runs differ from their builds.
    pub reconcile: Wake,
    /// Effects have to be done.
    pub outbox: Wake,
    /// Commands have to be run.
    pub commands: Wake,
    /// Buttons were pressed.
    pub presses: Wake,
    /// The App's list of repositories may have changed.
    pub sweep: Wake,
}

impl Wakes {
    /// Wakes all workers but the sweep, which has found that they can go on.
    pub(super) fn go_on(&self) {
        let Self {
            looks,
            schedule,
            attend,
            publish,
            reconcile,
            outbox,
            commands,
            presses,
            sweep: _,
        } = self;
        for wake in [
            looks, schedule, attend, publish, reconcile, outbox, commands, presses,
        ] {
            wake.wake();
        }
    }

    /// Wakes the workers that a change of builds concerns.
    pub fn wake(&self, concerns: Concerns) {
        let concerned = [
            (concerns.schedule, &self.schedule),
            (concerns.attempts, &self.attend),
            (concerns.imports, &self.publish),
            (concerns.check_runs, &self.reconcile),
        ];
        for (is_concerned, wake) in concerned {
            if is_concerned {
                wake.wake();
            }
        }
    }
}

/// Wakes one worker.
#[derive(Debug, Default)]
pub struct Wake(Notify);

impl Wake {
    /// Wakes the worker, now or as soon as it waits.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits for a wake, for up to `IDLE`.
    pub async fn wait(&self) {
        self.wait_at_most(IDLE).await;
    }

    /// Waits for a wake, for up to `limit`. The worker looks in either case.
    pub async fn wait_at_most(&self, limit: Duration) {
        self.is_woken_within(limit).await;
    }

    /// Waits for a wake, for up to `limit`. True when the wake came.
    pub async fn is_woken_within(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.0.notified()).await.is_ok()
    }
}

/// Locks a mutex and ignores poisoning: after a panic the process ends anyway.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A pause that grows with each retry, up to a limit.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    last: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(250);
    /// The longest pause.
    pub(crate) const LAST: Duration = Duration::from_secs(30);

    pub(crate) fn new() -> Self {
        Self::up_to(Self::LAST)
    }

    pub(crate) fn up_to(last: Duration) -> Self {
        Self {
            next: Self::FIRST,
            last,
        }
    }

    pub(crate) fn reset(&mut self) {
        self.next = Self::FIRST;
    }

    /// Waits for the pause or for a wake. A repeated failure of one item must not delay the others.
    pub(crate) async fn wait_or(&mut self, wake: &Wake) {
        tokio::select! {
            () = self.wait() => {}
            () = wake.0.notified() => {}
        }
    }

    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.next).await;
        self.grow();
    }

    /// The next pause, for a caller that waits by itself.
    pub(crate) fn take(&mut self) -> Duration {
        let pause = self.next;
        self.grow();
        pause
    }

    fn grow(&mut self) {
        self.next = (self.next * 2).min(self.last);
    }
}
