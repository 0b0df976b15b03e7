//! A desk puts requests to another service from a task of its own. A silent service delays only its
//! own desk.
//!
//! A caller leaves a wish and waits a moment. An answer that comes later wakes the worker that
//! waited in vain.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::wake::{Wake, locked};

/// How long a caller waits for an answer.
pub(super) const MOMENT: Duration = Duration::from_millis(500);

/// How old an answer of a slow service may be.
const FRESH: Duration = Duration::from_secs(5);

/// A desk for one kind of request to one service.
#[derive(Debug)]
pub(super) struct Desk<T> {
    state: Mutex<State<T>>,
    wished: Notify,
    heard: Notify,
}

#[derive(Debug)]
struct State<T> {
    /// The number of the last wish.
    wished: u64,
    /// The number of the last wish with an answer.
    answered: u64,
    answer: Option<T>,
    /// The service did not answer last time. Callers then do not wait for it.
    is_silent: bool,
    /// Some caller stopped waiting before the answer came.
    is_missed: bool,
    /// An answer took longer than a moment. Its successors may be a few seconds old, since nobody could wait
    /// for newer ones.
    is_slow: bool,
    /// When the last answer came.
    answered_at: Option<Instant>,
}

impl<T: Clone> State<T> {
    fn find(&self, wish: Wish) -> Option<T> {
        let is_answered = self.answered >= wish.0;
        self.answer.clone().filter(|_| is_answered)
    }

    /// The last answer of a slow service, if it is fresh.
    fn find_fresh(&self) -> Option<T> {
        let is_fresh = self.answered_at.is_some_and(|at| at.elapsed() < FRESH);
        let counts = self.is_slow && !self.is_silent && is_fresh;
        self.answer.clone().filter(|_| counts)
    }
}

impl<T> Default for Desk<T> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                wished: 0,
                answered: 0,
                answer: None,
                is_silent: false,
                is_missed: false,
                is_slow: false,
                answered_at: None,
            }),
            wished: Notify::new(),
            heard: Notify::new(),
        }
    }
}

/// A request for an answer that is newer than this wish.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish(u64);

impl<T: Clone> Desk<T> {
    /// Leaves a wish.
    pub(super) fn wish(&self) -> Wish {
        let mut state = locked(&self.state);
        state.wished += 1;
        let wish = Wish(state.wished);
        drop(state);
        self.wished.notify_one();
        wish
    }

    /// Waits a moment for the answer to a wish. It does not wait for a service that was silent last time, nor
    /// for one that is slow and gave an answer a few seconds ago.
    pub(super) async fn hear(&self, wish: Wish) -> Option<T> {
        let waiting = async {
            loop {
                let heard = self.heard.notified();
                let mut heard = std::pin::pin!(heard);
                heard.as_mut().enable();
                if let Some(answer) = locked(&self.state).find(wish) {
                    return answer;
                }
                heard.await;
            }
        };
        let is_waited_for = {
            let state = locked(&self.state);
            !state.is_silent && state.find_fresh().is_none()
        };
        if is_waited_for && let Ok(answer) = tokio::time::timeout(MOMENT, waiting).await {
            return Some(answer);
        }
        let mut state = locked(&self.state);
        let found = state.find(wish).or_else(|| state.find_fresh());
        state.is_missed |= found.is_none();
        state.is_slow |= is_waited_for && found.is_none();
        found
    }

    /// The last answer, however old.
    pub(super) fn last(&self) -> Option<T> {
        locked(&self.state).answer.clone()
    }

    /// Waits until somebody leaves a wish.
    pub(super) async fn wished(&self) -> Wish {
        self.wished.notified().await;
        Wish(locked(&self.state).wished)
    }

    /// Answers a wish and all earlier ones. `is_silent`: the service did not answer. `wake` is
    /// woken when a caller stopped waiting too early, unless the service is still silent.
    pub(super) fn answer(&self, wish: Wish, answer: T, is_silent: bool, wake: &Wake) {
        let mut state = locked(&self.state);
        let was_silent = std::mem::replace(&mut state.is_silent, is_silent);
        state.answered = wish.0;
        state.answer = Some(answer);
        state.answered_at = Some(Instant::now());
        let was_missed = std::mem::take(&mut state.is_missed);
        state.is_slow &= was_missed;
        let is_news = was_missed && (!is_silent || !was_silent);
        drop(state);
        self.heard.notify_waiters();
        if is_news {
            wake.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
    use tokio::task::JoinSet;

    use super::*;

    /// A generous timeout for tests.
    const LIMIT: Duration = Duration::from_secs(60);

    /// A desk whose service gives the answers that a test sends, never silence.
    struct Service {
        desk: Arc<Desk<Option<u8>>>,
        tell: UnboundedSender<Option<u8>>,
        wake: Arc<Wake>,
        /// Dropping it stops the service.
        _tasks: JoinSet<()>,
    }

    fn service() -> Service {
        let (desk, wake) = (Arc::new(Desk::default()), Arc::new(Wake::default()));
        let (tell, mut told) = unbounded_channel();
        let (at_work, woken) = (Arc::clone(&desk), Arc::clone(&wake));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            loop {
                let wish = at_work.wished().await;
                let Some(answer) = told.recv().await else {
                    return;
                };
                at_work.answer(wish, answer, Option::is_none(&answer), &woken);
            }
        });
        Service {
            desk,
            tell,
            wake,
            _tasks: tasks,
        }
    }

    #[tokio::test]
    async fn a_late_answer_wakes_who_waited_in_vain() {
        let Service {
            desk, tell, wake, ..
        } = &service();
        assert_eq!(
            desk.hear(desk.wish()).await,
            None,
            "nothing within a moment"
        );
        tell.send(None).unwrap();
        assert!(
            wake.is_woken_within(LIMIT).await,
            "that it is silent is news"
        );
        // From now on nobody waits for the service, …
        let wish = desk.wish();
        assert_eq!(desk.hear(wish).await, None);
        tell.send(Some(1)).unwrap();
        assert!(wake.is_woken_within(LIMIT).await, "it is back");
        assert_eq!(desk.hear(wish).await, Some(Some(1)));
        // … until it is back, and what it said is fresh.
        assert_eq!(desk.hear(desk.wish()).await, Some(Some(1)));
    }

    /// Nobody could ever wait for it else: each answer comes after its wish was given up.
    #[tokio::test]
    async fn a_slow_service_is_heard() {
        let Service { desk, tell, .. } = &service();
        assert_eq!(desk.hear(desk.wish()).await, None, "slower than a moment");
        tell.send(Some(1)).unwrap();
        while desk.last().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(desk.hear(desk.wish()).await, Some(Some(1)), "it is fresh");
    }

    #[tokio::test]
    async fn an_answer_is_not_older_than_the_wish() {
        let Service { desk, tell, .. } = &service();
        let first = desk.wish();
        tokio::task::yield_now().await;
        let second = desk.wish();
        tell.send(Some(1)).unwrap();
        tell.send(Some(2)).unwrap();
        assert_eq!(desk.hear(second).await, Some(Some(2)), "asked once more");
        assert_eq!(desk.hear(first).await, Some(Some(2)));
    }
}
