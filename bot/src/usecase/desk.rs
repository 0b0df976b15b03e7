//! Asking another service: each by a task of its own, so that one that is silent delays nobody else.
//!
//! Who wants an answer leaves a wish and waits a moment. What comes later wakes who waited in vain.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;

use super::wake::{Wake, locked};

/// How long an answer is waited for before its service counts as silent.
pub(super) const MOMENT: Duration = Duration::from_millis(500);

/// A place where one service is asked one thing, again and again.
#[derive(Debug)]
pub(super) struct Desk<T> {
    state: Mutex<State<T>>,
    wished: Notify,
    heard: Notify,
}

#[derive(Debug)]
struct State<T> {
    /// Counts wishes.
    wished: u64,
    /// The last wish that was answered.
    answered: u64,
    answer: Option<T>,
    /// Whether the last answer was that there is none, so that the next is not waited for.
    is_silent: bool,
    /// Whether somebody waited in vain.
    is_missed: bool,
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
            }),
            wished: Notify::new(),
            heard: Notify::new(),
        }
    }
}

/// A wish for an answer that is not older than it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish(u64);

impl<T: Clone> Desk<T> {
    /// Wishes for an answer.
    pub(super) fn wish(&self) -> Wish {
        let mut state = locked(&self.state);
        state.wished += 1;
        let wish = Wish(state.wished);
        drop(state);
        self.wished.notify_one();
        wish
    }

    /// The answer to a wish, if it comes within a moment; of a service that was silent only if it is there
    /// already.
    pub(super) async fn hear(&self, wish: Wish) -> Option<T> {
        let waiting = async {
            loop {
                let heard = self.heard.notified();
                let mut heard = std::pin::pin!(heard);
                heard.as_mut().enable();
                if let Some(answer) = self.find(wish) {
                    return answer;
                }
                heard.await;
            }
        };
        if locked(&self.state).is_silent {
            return self.find(wish).or_else(|| self.miss());
        }
        match tokio::time::timeout(MOMENT, waiting).await {
            Ok(answer) => Some(answer),
            Err(_) => self.find(wish).or_else(|| self.miss()),
        }
    }

    /// What was answered last, whenever.
    pub(super) fn last(&self) -> Option<T> {
        locked(&self.state).answer.clone()
    }

    fn find(&self, wish: Wish) -> Option<T> {
        let state = locked(&self.state);
        let is_answered = state.answered >= wish.0;
        state.answer.clone().filter(|_| is_answered)
    }

    fn miss(&self) -> Option<T> {
        locked(&self.state).is_missed = true;
        None
    }

    /// Waits for somebody to wish something.
    pub(super) async fn wished(&self) -> Wish {
        self.wished.notified().await;
        Wish(locked(&self.state).wished)
    }

    /// Answers a wish, and all before it. `is_silent` says that the answer is none. When somebody waited in
    /// vain for one that is, `wake` is told.
    pub(super) fn answer(&self, wish: Wish, answer: T, is_silent: bool, wake: &Wake) {
        let mut state = locked(&self.state);
        let was_silent = std::mem::replace(&mut state.is_silent, is_silent);
        state.answered = wish.0;
        state.answer = Some(answer);
        let is_news = std::mem::take(&mut state.is_missed) && (!is_silent || !was_silent);
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

    /// Long enough for whatever a test waits for.
    const LIMIT: Duration = Duration::from_secs(60);

    /// A desk whose service answers what it is told, none of which is silence.
    struct Service {
        desk: Arc<Desk<Option<u8>>>,
        tell: UnboundedSender<Option<u8>>,
        wake: Arc<Wake>,
        /// Answers until it is dropped.
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
        // From now on nobody waits for it, …
        let wish = desk.wish();
        assert_eq!(desk.hear(wish).await, None);
        tell.send(Some(1)).unwrap();
        assert!(wake.is_woken_within(LIMIT).await, "it is back");
        assert_eq!(desk.hear(wish).await, Some(Some(1)));
        // … until it is back.
        tell.send(Some(2)).unwrap();
        assert_eq!(desk.hear(desk.wish()).await, Some(Some(2)));
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
