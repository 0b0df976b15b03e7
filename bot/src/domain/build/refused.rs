//! A check run that GitHub does not take.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long after the first refusal it is tried again: a commit can be unknown for a moment after
/// its push.
const FIRST: SignedDuration = SignedDuration::from_secs(1);

/// How long after the later ones, at most. What was refused so often waits for people: a
/// repository that is gone, a permission that the App lacks.
const LAST: SignedDuration = SignedDuration::from_hours(1);

/// That GitHub refused a check run, and not because it was asked too much.
///
/// It is tried again, soon at first and then every hour, when the build moves, and at every start
/// of summit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What GitHub said, the newest answer.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// When it was tried last.
    pub tried_at: Timestamp,
    /// When it is tried again.
    pub next_at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// The build's `seq` then.
    pub seq: u64,
}

impl Refused {
    /// A refusal of the build as of `seq`, after those `before` it.
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

    /// How long from `now` it is not to be tried; `seq` is the build's, `started_at` when summit
    /// was started.
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
