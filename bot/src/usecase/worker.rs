//! The loop of a worker: do a round of work, then wait for a wake.

use std::time::Duration;

use service::error::Chain;

use super::{Backoff, Wake};

/// The result of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// No work is left. The worker waits for a wake.
    Done,
    /// Something failed. The next round follows after a growing pause.
    Later,
    /// The remaining work has to wait for this long.
    After(Duration),
}

/// Runs rounds for ever. `what` names the work in the log when a whole round fails.
///
/// A wake always starts a new round, also during the pause after a failure: a repeated failure of
/// one item must not delay the others.
pub(super) async fn run<E, F>(wake: &Wake, what: &'static str, mut round: impl FnMut() -> F)
where
    E: std::error::Error + 'static,
    F: Future<Output = Result<Round, E>>,
{
    let mut backoff = Backoff::new();
    loop {
        match round().await {
            Ok(Round::Done) => {
                backoff.reset();
                wake.wait().await;
            }
            Ok(Round::Later) => backoff.wait_or(wake).await,
            Ok(Round::After(pause)) => {
                backoff.reset();
                wake.wait_at_most(pause).await;
            }
            Err(error) => {
                tracing::error!(error = %Chain(&error), "{what} cannot be read");
                backoff.wait().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::pin::pin;

    use futures_util::poll;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("it did not work")]
    struct Failed;

    const MINUTE: Duration = Duration::from_secs(60);

    /// Counts the rounds until the worker first waits after each outcome, and the rounds after a
    /// wake.
    async fn rounds(first: Vec<Result<Round, Failed>>) -> (usize, usize) {
        let wake = Wake::default();
        let begun = Cell::new(0);
        let mut left = first.into_iter();
        let mut worker = pin!(run(&wake, "the test", || {
            begun.set(begun.get() + 1);
            std::future::ready(left.next().unwrap_or(Ok(Round::Done)))
        }));
        assert!(poll!(&mut worker).is_pending());
        let before = begun.get();
        wake.wake();
        assert!(poll!(&mut worker).is_pending());
        (before, begun.get())
    }

    #[tokio::test]
    async fn a_worker_that_is_done_waits_for_its_wake() {
        assert_eq!(rounds(vec![Ok(Round::Done)]).await, (1, 2));
    }

    #[tokio::test]
    async fn a_wake_ends_the_pause_after_what_did_not_succeed() {
        assert_eq!(rounds(vec![Ok(Round::Later)]).await, (1, 2));
        assert_eq!(rounds(vec![Ok(Round::After(MINUTE))]).await, (1, 2));
    }

    #[tokio::test]
    async fn a_database_that_fails_is_given_time() {
        assert_eq!(rounds(vec![Err(Failed)]).await, (1, 1));
    }

    #[tokio::test]
    async fn a_pause_ends_by_itself() {
        let begun = Cell::new(0);
        let short = Duration::from_millis(1);
        let wake = Wake::default();
        let second = tokio::sync::Notify::new();
        let worker = run(&wake, "the test", || {
            begun.set(begun.get() + 1);
            if begun.get() == 2 {
                second.notify_one();
            }
            std::future::ready(Ok::<_, Failed>(Round::After(short)))
        });
        tokio::select! {
            () = worker => {}
            () = second.notified() => {}
        }
    }
}
