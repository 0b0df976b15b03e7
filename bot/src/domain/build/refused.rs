//! Check runs that GitHub refuses.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The pause after the first refusal; each further pause is twice as long. The first is short,
/// because GitHub may not know a commit for a moment after its push.
const FIRST: SignedDuration = SignedDuration::from_secs(1);

/// The longest pause. A check run that is refused so often waits for a person: the repository is
/// gone, or the App lacks a permission.
const LAST: SignedDuration = SignedDuration::from_hours(1);

/// GitHub's refusal of a check run for another reason than the rate limit.
///
/// summit retries soon at first and later every hour. It also retries when the build moves, and at
/// every start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// GitHub's last answer.
    pub reason: String,
    /// When GitHub refused first.
    pub since: Timestamp,
    /// When summit tried last.
    pub tried_at: Timestamp,
    /// When summit tries again.
    pub next_at: Timestamp,
    /// How often GitHub refused in a row.
    pub tries: u32,
    /// The build's `seq` at the last try.
    pub seq: u64,
}

impl Refused {
    /// A new refusal of the build at `seq`, after the refusals in `before`.
    pub fn again(before: Option<&Self>, reason: String, seq: u64, now: Timestamp) -> Self {
        let tries = before.map_or(0, |before| before.tries);
        let pause = FIRST * (1 << tries.min(12));
        Self {
            reason,
            since: before.map_or(now, |before| before.since),
            tried_at: now,
            next_at: now + pause.min(LAST),
            tries: tries.saturating_add(1),
            seq,
        }
    }

    /// How long to wait from `now` until the next try. `seq` is the build's present one; summit was
    /// started at `started_at`.
    pub fn pause(&self, seq: u64, started_at: Timestamp, now: Timestamp) -> SignedDuration {
        if seq != self.seq || self.tried_at < started_at {
            return SignedDuration::ZERO;
        }
        self.next_at.duration_since(now).max(SignedDuration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::build::example::at;

    fn refused(times: u32) -> Refused {
        let mut refused = Refused::again(None, "gone".to_owned(), 3, at(0));
        for _ in 1..times {
            refused = Refused::again(Some(&refused), "gone".to_owned(), 3, refused.next_at);
        }
        refused
    }

    #[test]
    fn it_is_tried_soon_and_then_every_hour_for_ever() {
        let pauses = |times| {
            let refused = refused(times);
            refused.next_at.duration_since(refused.tried_at).as_secs()
        };
        let seen: Vec<i64> = [1, 2, 3, 8, 12, 13, 100].map(pauses).to_vec();
        assert_eq!(seen, [1, 2, 4, 128, 2048, 3600, 3600]);
        assert_eq!(refused(100).since, at(0));
    }

    #[test]
    fn a_move_of_the_build_or_a_start_of_summit_is_a_new_try() {
        let refused = refused(20);
        let soon = refused.tried_at + SignedDuration::from_secs(1);
        let long_ago = at(-1);
        assert_eq!(refused.pause(3, long_ago, soon).as_secs(), 3599);
        assert!(refused.pause(4, long_ago, soon).is_zero());
        assert!(refused.pause(3, soon, soon).is_zero());
        assert!(refused.pause(3, long_ago, refused.next_at).is_zero());
    }
}
