//! How fast a server must send.
//!
//! A limit on silence alone lets a server hold a place for ever with a byte now and then. So each
//! answer has a deadline, which moves as it comes: a fixed grace and, on top, the time that the
//! bytes so far may have taken at the least rate.

use std::num::NonZero;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::Cause;

/// The pace of one answer.
#[derive(Debug)]
pub(crate) struct Pace {
    since: Instant,
    grace: Duration,
    least: NonZero<u32>,
    bytes: u64,
}

impl Pace {
    pub(crate) fn new(grace: Duration, least: NonZero<u32>) -> Self {
        Self {
            since: Instant::now(),
            grace,
            least,
            bytes: 0,
        }
    }

    pub(crate) fn note(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// When more must have come.
    pub(crate) fn deadline(&self) -> Instant {
        let due = Duration::from_secs(self.bytes / u64::from(self.least.get()));
        self.since + self.grace + due
    }

    /// That it came too slowly: what to say once the deadline is over.
    pub(crate) fn fault(&self) -> Cause {
        let elapsed = self.since.elapsed().as_millis().max(1);
        let rate = u128::from(self.bytes) * 1000 / elapsed;
        Cause::TooSlow {
            rate: u64::try_from(rate).unwrap_or(u64::MAX),
            least: self.least.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_buy_the_time_that_they_may_take() {
        let mut pace = Pace::new(Duration::from_secs(60), NonZero::new(1000).unwrap());
        assert_eq!(pace.deadline() - pace.since, Duration::from_secs(60));
        pace.note(1_000_000);
        assert_eq!(pace.deadline() - pace.since, Duration::from_secs(1060));
    }
}
