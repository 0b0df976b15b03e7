//! Waiting: to be woken, and between tries.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::domain::under_way::Concerns;

/// How long a worker waits at most before it looks by itself.
pub(super) const IDLE: Duration = Duration::from_secs(30);

/// One wake for each worker.
#[derive(Debug, Default)]
pub struct Wakes {
    /// Deliveries have come.
    pub inbox: Wake,
    /// Targets are to be looked at.
    pub looks: Wake,
    /// Builds have moved.
    pub schedule: Wake,
    /// Attempts were dispatched.
    pub attend: Wake,
    /// Imports were begun.
    pub publish: Wake,
    /// Check runs do not agree.
    pub reconcile: Wake,
    /// Effects are to be done.
    pub outbox: Wake,
    /// Commands are to be run.
    pub commands: Wake,
    /// Buttons were pressed.
    pub presses: Wake,
    /// What the App can see may have changed.
    pub sweep: Wake,
}

impl Wakes {
    /// Wakes those whom a change of builds concerns.
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

    /// Waits to be woken, for a while.
    pub async fn wait(&self) {
        self.wait_at_most(IDLE).await;
    }

    /// Waits to be woken, for as long as `limit`. Running out of time is as good a reason to look.
    pub async fn wait_at_most(&self, limit: Duration) {
        self.is_woken_within(limit).await;
    }

    /// Waits to be woken, for as long as `limit`, and says whether it was.
    pub async fn is_woken_within(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.0.notified()).await.is_ok()
    }
}

/// What is behind a lock. Nobody leaves it half changed: a panic ends the process anyway.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Grows from try to try, up to a limit.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    last: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(250);
    const LAST: Duration = Duration::from_secs(30);

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

    /// Waits, but no longer than until something new is to be done: one thing that fails again and
    /// again must not hold up the others.
    pub(crate) async fn wait_or(&mut self, wake: &Wake) {
        tokio::select! {
            () = self.wait() => {}
            () = wake.0.notified() => {}
        }
    }

    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(self.last);
    }
}
