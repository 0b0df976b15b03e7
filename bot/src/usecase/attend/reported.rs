//! Waking the task of an attempt when its builder reports: it may pause after a question that got no
//! answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use api::id::AttemptId;

use crate::usecase::{Wake, locked};

/// The wakes of those attempts that a task attends to.
#[derive(Debug, Default)]
pub struct Reported(Mutex<HashMap<AttemptId, Arc<Wake>>>);

impl Reported {
    /// Wakes the task that attends to an attempt, if there is one.
    pub fn wake(&self, attempt: AttemptId) {
        if let Some(wake) = locked(&self.0).get(&attempt) {
            wake.wake();
        }
    }

    /// Takes reports of an attempt for as long as what this returns lives.
    pub(super) fn listen(&self, attempt: AttemptId) -> Listening<'_> {
        let wake = Arc::default();
        locked(&self.0).insert(attempt, Arc::clone(&wake));
        Listening {
            reported: self,
            attempt,
            wake,
        }
    }
}

/// A task that hears of the reports of its attempt.
pub(super) struct Listening<'reported> {
    reported: &'reported Reported,
    attempt: AttemptId,
    wake: Arc<Wake>,
}

impl Listening<'_> {
    pub(super) fn wake(&self) -> &Wake {
        &self.wake
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        let mut wakes = locked(&self.reported.0);
        // Another task may attend to it by now.
        if wakes
            .get(&self.attempt)
            .is_some_and(|wake| Arc::ptr_eq(wake, &self.wake))
        {
            wakes.remove(&self.attempt);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::build::example::id;

    #[tokio::test]
    async fn a_report_wakes_the_task_of_its_attempt_and_no_other() {
        let reported = Reported::default();
        let [first, second] = [1, 2].map(|number| AttemptId::new(id(number), 1));
        let (one, other) = (reported.listen(first), reported.listen(second));
        reported.wake(first);
        reported.wake(AttemptId::new(id(3), 1));
        let soon = Duration::from_millis(10);
        assert!(one.wake().is_woken_within(soon).await);
        assert!(!other.wake().is_woken_within(soon).await);
        drop(one);
        reported.wake(first);
        assert_eq!(locked(&reported.0).len(), 1);
    }
}
