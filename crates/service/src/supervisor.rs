//! The owner of a process's tasks.
//!
//! A task is spawned by name. When the process is to end, the token is cancelled; tasks that watch
//! it finish what they are at and return. Those that have not returned when the grace is over are
//! named in the log and dropped with the runtime. A task that panics takes the process down in
//! order: a service that lost a part of itself must not go on answering.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Owns tasks; cheap to clone, all clones are one supervisor.
#[derive(Clone, Debug, Default)]
pub struct Supervisor {
    token: CancellationToken,
    tracker: TaskTracker,
    running: Arc<Mutex<Vec<&'static str>>>,
    failed: Arc<Mutex<Option<&'static str>>>,
}

impl Supervisor {
    /// A supervisor without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// A part of this supervisor that can be stopped on its own, and stops with it.
    pub fn child(&self) -> Self {
        Self {
            token: self.token.child_token(),
            ..Self::default()
        }
    }

    /// Is cancelled when the tasks are to end.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Runs `task` until it returns. It should watch [`Supervisor::token`].
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let guard = Guard::new(self.clone(), name);
        #[expect(
            clippy::disallowed_methods,
            reason = "the supervisor is the one place that spawns"
        )]
        let handle = tokio::spawn(self.tracker.track_future(async move {
            let _guard = guard;
            task.await;
        }));
        drop(handle);
    }

    /// Runs `task` on a thread where it may block.
    pub fn spawn_blocking(&self, name: &'static str, task: impl FnOnce() + Send + 'static) {
        let guard = Guard::new(self.clone(), name);
        let tracked = self.tracker.token();
        drop(tokio::task::spawn_blocking(move || {
            let _held = (guard, tracked);
            task();
        }));
    }

    /// Runs `task`, but drops it at its next await when the tasks are to end. For tasks whose every
    /// await is a safe place to stop.
    pub fn spawn_until_shutdown(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let token = self.token();
        self.spawn(name, async move {
            token.run_until_cancelled(task).await;
        });
    }

    /// Asks the tasks to end, without waiting.
    pub fn stop(&self) {
        self.token.cancel();
    }

    /// Asks the tasks to end and waits for them, `grace` at most. Returns the names of those that
    /// did not end.
    pub async fn shutdown(&self, grace: Duration) -> Vec<&'static str> {
        self.token.cancel();
        self.tracker.close();
        match tokio::time::timeout(grace, self.tracker.wait()).await {
            Ok(()) => Vec::new(),
            Err(_) => self
                .running
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }

    /// The task that panicked, if one did.
    pub fn find_failed(&self) -> Option<&'static str> {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a task's name among the running ones, and notes its panic.
struct Guard {
    supervisor: Supervisor,
    name: &'static str,
}

impl Guard {
    fn new(supervisor: Supervisor, name: &'static str) -> Self {
        supervisor
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(name);
        Self { supervisor, name }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut running = self
            .supervisor
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(position) = running.iter().position(|name| *name == self.name) {
            running.swap_remove(position);
        }
        drop(running);
        if std::thread::panicking() {
            tracing::error!(task = self.name, "a task panicked; the service stops");
            let mut failed = self
                .supervisor
                .failed
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            failed.get_or_insert(self.name);
            self.supervisor.token.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_the_tasks_that_do_not_end() {
        let supervisor = Supervisor::new();
        supervisor.spawn("obedient", {
            let token = supervisor.token();
            async move { token.cancelled().await }
        });
        supervisor.spawn("stubborn", std::future::pending());
        assert_eq!(
            supervisor.shutdown(Duration::from_millis(50)).await,
            ["stubborn"]
        );
    }

    #[tokio::test]
    async fn a_panic_stops_the_whole() {
        let supervisor = Supervisor::new();
        supervisor.spawn("doomed", async { panic!("as the test wants") });
        supervisor.token().cancelled().await;
        assert_eq!(supervisor.find_failed(), Some("doomed"));
    }

    #[tokio::test]
    async fn a_child_stops_alone_and_with_its_parent() {
        let parent = Supervisor::new();
        let child = parent.child();
        child.stop();
        assert!(!parent.token().is_cancelled());
        let child = parent.child();
        parent.stop();
        assert!(child.token().is_cancelled());
    }
}
