//! Runs one task for each key.
//!
//! The database, or the builds under way in memory, lists the wanted keys. A task works on its key
//! until the key is not wanted any more. If a task ends early for any reason, a new one starts. So
//! a task stores nothing important in itself.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::time::Duration;

use service::error::Chain;
use tokio::task::{AbortHandle, JoinError, JoinSet};

use super::wake::{IDLE, Wake};

/// The wanted keys.
pub(super) struct Wanted<K, J> {
    /// The keys, each with its task's input.
    pub(super) things: Vec<(K, J)>,
    /// When to list the keys again without a wake.
    pub(super) again: Option<Duration>,
}

impl<K, J> From<Vec<(K, J)>> for Wanted<K, J> {
    fn from(things: Vec<(K, J)>) -> Self {
        Self {
            things,
            again: None,
        }
    }
}

/// Runs a task for every key in `wanted`. `what` names the keys in an error log.
pub(super) async fn run<K, J, E, W, F>(
    wake: &Wake,
    what: &'static str,
    mut wanted: impl FnMut() -> W,
    mut begin: impl FnMut(K, J) -> F,
) where
    K: Clone + Eq + Hash,
    E: std::error::Error + 'static,
    W: Future<Output = Result<Wanted<K, J>, E>>,
    F: Future<Output = ()> + Send + 'static,
{
    let mut begun: HashMap<K, AbortHandle> = HashMap::new();
    let mut tasks: JoinSet<()> = JoinSet::new();
    loop {
        let mut pause = IDLE;
        match wanted().await {
            Ok(wanted) => {
                pause = wanted.again.map_or(IDLE, |again| again.min(IDLE));
                begun.retain(|_, task| !task.is_finished());
                for (key, job) in wanted.things {
                    if let Entry::Vacant(place) = begun.entry(key.clone()) {
                        place.insert(tasks.spawn(begin(key, job)));
                    }
                }
            }
            Err(error) => tracing::error!(error = %Chain(&error), "{what} cannot be read"),
        }
        tokio::select! {
            () = wake.wait_at_most(pause) => {}
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => pass_panic(ended),
        }
    }
}

/// The supervisor handles a panic, as for every other task.
fn pass_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};

    use tokio::sync::Notify;

    use super::*;

    #[derive(Default)]
    struct Things {
        under_way: Mutex<Vec<u8>>,
        begun: Mutex<Vec<u8>>,
        one_begun: Notify,
        end: Notify,
        wake: Wake,
    }

    impl Things {
        async fn keep(self: Arc<Self>) {
            let wanted = || {
                let under_way = self.under_way.lock().unwrap().clone();
                let wanted: Vec<_> = under_way.into_iter().map(|key| (key, ())).collect();
                std::future::ready(Ok::<_, Infallible>(wanted.into()))
            };
            run(&self.wake, "things", wanted, |key, ()| {
                let things = Arc::clone(&self);
                async move {
                    things.begun.lock().unwrap().push(key);
                    things.one_begun.notify_one();
                    things.end.notified().await;
                }
            })
            .await;
        }

        async fn begun(&self, expected: &[u8]) {
            while *self.begun.lock().unwrap() != expected {
                self.one_begun.notified().await;
            }
        }
    }

    #[tokio::test]
    async fn a_thing_has_one_task_at_a_time_and_a_new_one_while_it_is_under_way() {
        let things = Arc::new(Things::default());
        things.under_way.lock().unwrap().push(1);
        let acts = async {
            things.begun(&[1]).await;
            things.under_way.lock().unwrap().push(2);
            things.wake.wake();
            things.begun(&[1, 2]).await;
            // The first task ends while its key is still wanted.
            things.under_way.lock().unwrap().pop();
            things.end.notify_one();
            things.begun(&[1, 2, 1]).await;
        };
        tokio::select! {
            () = Arc::clone(&things).keep() => {}
            () = acts => {}
        }
    }

    /// Without a wake, a worker would look only after `IDLE`.
    #[tokio::test]
    async fn a_thing_that_is_to_come_is_looked_for_in_time() {
        let begun_at = tokio::time::Instant::now();
        let mut looks = 0;
        let wanted = || {
            looks += 1;
            let things = if looks > 1 { vec![(1, ())] } else { Vec::new() };
            let again = Some(Duration::from_millis(1));
            std::future::ready(Ok::<_, Infallible>(Wanted { things, again }))
        };
        let (begun, mut is_begun) = tokio::sync::mpsc::channel(1);
        let begin = |_, ()| {
            let begun = begun.clone();
            async move { begun.send(()).await.unwrap() }
        };
        let wake = Wake::default();
        tokio::select! {
            () = run(&wake, "things", wanted, begin) => {}
            Some(()) = is_begun.recv() => {}
        }
        assert!(begun_at.elapsed() < IDLE);
    }

    #[tokio::test]
    #[should_panic(expected = "as the test wants")]
    async fn a_panic_goes_on() {
        let wanted = || std::future::ready(Ok::<_, Infallible>(vec![(1, ())].into()));
        let begin = |_, ()| async { panic!("as the test wants") };
        run(&Wake::default(), "things", wanted, begin).await;
    }
}
