//! The memory of used tokens.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Remembers each token's id until the token has ended.
#[derive(Debug, Default)]
pub(super) struct Used {
    until: Mutex<HashMap<String, i64>>,
}

impl Used {
    /// Notes `id`, which ends at `until`. False when it was noted before.
    pub(super) fn note(&self, id: String, until: i64, now: i64) -> bool {
        let mut known = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        // Forgetting is paid for by arrivals: at most twice the live tokens are kept.
        if known.len() >= 1024 && known.len().is_power_of_two() {
            known.retain(|_, end| *end >= now);
        }
        known.insert(id, until).is_none()
    }
}
