//! Wakes the task of an attempt when its builder reports. The task may be in the pause after a
//! failed request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use api::id::AttemptId;

use crate::usecase::{Wake, locked};

/// A wake for each attempt that has a task.
#[derive(Debug, Default)]
pub struct Reported(Mutex<HashMap<AttemptId, Arc<Wake>>>);

impl Reported {
    /// Wakes the task of an attempt, if there is one.
    pub fn wake(&self, attempt: AttemptId) {
        if let Some(wake) = locked(&self.0).get(&attempt) {
            wake.wake();
        }
    }

    /// Registers a task for the reports of its attempt, until the returned guard is dropped.
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

/// The registration of a task for the reports of its attempt.
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
        // A newer task may have registered for the attempt.
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
