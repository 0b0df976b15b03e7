//! How much several fetches at one time may bring together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// A number of bytes, shared by fetches.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    most: u64,
    used: AtomicU64,
    over: Notify,
}

/// One fetch's share of what was used.
#[derive(Debug)]
pub(super) struct Share {
    inner: Arc<Inner>,
    noted: AtomicU64,
}

impl Budget {
    pub(super) fn new(most: u64) -> Self {
        Self {
            inner: Arc::new(Inner {
                most,
                used: AtomicU64::new(0),
                over: Notify::new(),
            }),
        }
    }

    pub(super) fn share(&self) -> Share {
        Share {
            inner: Arc::clone(&self.inner),
            noted: AtomicU64::new(0),
        }
    }

    /// Ends with what was used once that is too much.
    pub(super) async fn exceeded(&self) -> u64 {
        loop {
            // A note that comes before this waits leaves a permit.
            self.inner.over.notified().await;
            if let Some(used) = self.find_excess() {
                return used;
            }
        }
    }

    /// What was used, if that is too much.
    pub(super) fn find_excess(&self) -> Option<u64> {
        let used = self.inner.used.load(Ordering::Relaxed);
        (used > self.inner.most).then_some(used)
    }
}

impl Share {
    /// Notes that the fetch has `bytes` by now. What was thrown away in between stays counted.
    pub(super) fn note(&self, bytes: u64) {
        let before = self.noted.fetch_max(bytes, Ordering::Relaxed);
        let more = bytes.saturating_sub(before);
        let used = self.inner.used.fetch_add(more, Ordering::Relaxed) + more;
        if more > 0 && used > self.inner.most {
            self.inner.over.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn shares_add_up_and_their_excess_is_told() {
        let budget = Budget::new(100);
        let (first, second) = (budget.share(), budget.share());
        for bytes in [10, 60, 60, 20] {
            first.note(bytes);
        }
        second.note(40);
        assert_eq!(budget.find_excess(), None);
        second.note(41);
        assert_eq!(budget.find_excess(), Some(101));
        assert_eq!(budget.exceeded().await, 101);
    }
}
