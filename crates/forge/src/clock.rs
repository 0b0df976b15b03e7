//! The forge's clock: real time, plus a shift that tests move forward so that a token expires
//! without waiting for it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Real time plus a shift.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    real: service::Clock,
    shift_ms: AtomicI64,
}

impl Clock {
    /// The present, shift included.
    pub(crate) fn now(&self) -> Timestamp {
        let shift = SignedDuration::from_millis(self.shift_ms.load(Ordering::Relaxed));
        self.real
            .now()
            .saturating_add(shift)
            .unwrap_or(Timestamp::MAX)
    }

    /// Moves the clock forward.
    pub(crate) fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.shift_ms.fetch_add(by, Ordering::Relaxed);
    }
}

/// GitHub writes times to the second, in UTC.
pub(crate) fn text(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
