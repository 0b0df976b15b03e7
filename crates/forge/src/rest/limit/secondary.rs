//! The secondary limits: how much content a caller may create, and how many points its requests may
//! cost, in a short time of the forge's clock. GitHub names the numbers in its documentation; which
//! requests create content it does not say, so here all of them below `/repos/` do that write
//! something and delete nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::Method;
use jiff::{SignedDuration, Timestamp};

use super::Key;
use crate::config::{SecondaryLimits, Wait};
use crate::fault::Failure;
use crate::rest::caller::Caller;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Requests that create content.
const CONTENT_A_MINUTE: usize = 80;
const CONTENT_AN_HOUR: usize = 500;
const POINTS_A_MINUTE: u64 = 900;

/// What each caller did of late, and whether it is refused for it.
#[derive(Debug, Default)]
pub(crate) struct Secondary {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    enforced: Option<SecondaryLimits>,
    past: HashMap<Key, Past>,
}

/// The requests of a caller that were let in, oldest first.
#[derive(Debug, Default)]
struct Past {
    /// In the last hour.
    contents: VecDeque<Timestamp>,
    /// In the last minute, with the points of each.
    points: VecDeque<(Timestamp, u64)>,
}

impl Secondary {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enforces the limits from now on, or does not. What was done before counts for nothing.
    pub(crate) fn enforce(&self, limits: Option<SecondaryLimits>) {
        *self.lock() = Inner {
            enforced: limits,
            past: HashMap::new(),
        };
    }

    /// Lets a request in, or gives the answer of the limit that it is beyond.
    pub(crate) fn admit(
        &self,
        caller: &Caller,
        method: &Method,
        path: &str,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let mut inner = self.lock();
        let Some(limits) = inner.enforced else {
            return Ok(());
        };
        let past = inner.past.entry(Key::of(caller)).or_default();
        past.forget(now);
        let request = Request::of(method, path);
        match past.wait(request, now) {
            None => {
                past.note(request, now);
                Ok(())
            }
            Some(wait) => Err(Failure::SecondaryLimit {
                status: limits.status,
                retry_after: match limits.retry_after {
                    Wait::Named => Some(seconds(wait)),
                    Wait::Unnamed => None,
                },
            }),
        }
    }
}

/// What a request counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Request {
    points: u64,
    content: Content,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Created,
    None,
}

impl Request {
    fn of(method: &Method, path: &str) -> Self {
        let is_read = [Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
        let below = ["/repos/", "/repositories/"];
        let is_below = below.iter().any(|folder| path.starts_with(folder));
        let creates = is_below && !is_read && *method != Method::DELETE;
        Self {
            points: if is_read { 1 } else { 5 },
            content: if creates {
                Content::Created
            } else {
                Content::None
            },
        }
    }
}

impl Past {
    /// Forgets what no limit looks back to.
    fn forget(&mut self, now: Timestamp) {
        let is_old = |at: Timestamp, span| now.duration_since(at) >= span;
        while self.contents.front().is_some_and(|at| is_old(*at, HOUR)) {
            self.contents.pop_front();
        }
        while self
            .points
            .front()
            .is_some_and(|(at, _)| is_old(*at, MINUTE))
        {
            self.points.pop_front();
        }
    }

    /// How long the caller has to wait until a request is within all limits.
    fn wait(&self, request: Request, now: Timestamp) -> Option<SignedDuration> {
        let content = match request.content {
            Content::Created => [(CONTENT_A_MINUTE, MINUTE), (CONTENT_AN_HOUR, HOUR)]
                .into_iter()
                .filter_map(|(most, span)| rest(self.full_since(most)?, span, now))
                .max(),
            Content::None => None,
        };
        content.max(self.wait_for_points(request.points, now))
    }

    /// When the first of the last `most` contents was created, once there are so many.
    fn full_since(&self, most: usize) -> Option<Timestamp> {
        let first = self.contents.len().checked_sub(most)?;
        self.contents.get(first).copied()
    }

    fn wait_for_points(&self, wanted: u64, now: Timestamp) -> Option<SignedDuration> {
        let mut used: u64 = self.points.iter().map(|(_, points)| points).sum();
        let mut wait = None;
        for (at, points) in &self.points {
            if used + wanted <= POINTS_A_MINUTE {
                break;
            }
            used -= points;
            wait = rest(*at, MINUTE, now);
        }
        wait
    }

    fn note(&mut self, request: Request, now: Timestamp) {
        self.points.push_back((now, request.points));
        match request.content {
            Content::Created => self.contents.push_back(now),
            Content::None => {}
        }
    }
}

/// What is left of a span that began then.
fn rest(began: Timestamp, span: SignedDuration, now: Timestamp) -> Option<SignedDuration> {
    let rest = span - now.duration_since(began);
    rest.is_positive().then_some(rest)
}

/// In whole seconds, none of them too early.
fn seconds(wait: SignedDuration) -> u64 {
    let whole = u64::try_from(wait.as_secs()).unwrap_or(0);
    whole + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::AccountId;

    const CALLER: Caller = Caller::User(AccountId::new(1));

    fn limited(retry_after: Wait) -> Secondary {
        let limits = Secondary::default();
        limits.enforce(Some(SecondaryLimits {
            status: 429,
            retry_after,
        }));
        limits
    }

    /// How many requests are let in, and the answer of the next.
    fn burst(limits: &Secondary, method: &Method, path: &str, now: Timestamp) -> (usize, Failure) {
        let mut count = 0;
        loop {
            match limits.admit(&CALLER, method, path, now) {
                Ok(()) => count += 1,
                Err(failure) => return (count, failure),
            }
        }
    }

    fn refusal(retry_after: Option<u64>) -> Failure {
        Failure::SecondaryLimit {
            status: 429,
            retry_after,
        }
    }

    #[test]
    fn content_is_limited_by_the_minute_and_by_the_hour() {
        let limits = limited(Wait::Named);
        let begin = Timestamp::from_second(1_800_000_000).unwrap();
        let path = "/repos/o/r/check-runs";
        let mut all = 0;
        for minute in 0..7 {
            let now = begin + SignedDuration::from_mins(minute);
            let (count, failure) = burst(&limits, &Method::POST, path, now);
            all += count;
            let wait = if all < CONTENT_AN_HOUR {
                60
            } else {
                3600 - 60 * minute
            };
            let wait = u64::try_from(wait).unwrap();
            assert_eq!(failure, refusal(Some(wait)), "in minute {minute}");
        }
        assert_eq!(all, CONTENT_AN_HOUR);
        let later = begin + SignedDuration::from_secs(3599);
        let read = Method::GET;
        assert_eq!(limits.admit(&CALLER, &read, path, later), Ok(()));
        let now = begin + HOUR;
        assert_eq!(burst(&limits, &Method::PATCH, path, now).0, 80);
        let other = Caller::User(AccountId::new(2));
        assert_eq!(limits.admit(&other, &Method::POST, path, now), Ok(()));
    }

    #[test]
    fn points_are_limited_by_the_minute() {
        let limits = limited(Wait::Unnamed);
        let begin = Timestamp::from_second(1_800_000_000).unwrap();
        let (get, post) = (Method::GET, Method::POST);
        // What creates nothing costs as any write does.
        let path = "/app/installations/1/access_tokens";
        assert_eq!(burst(&limits, &post, path, begin), (180, refusal(None)));
        assert_eq!(burst(&limits, &get, "/user", begin), (0, refusal(None)));
        let next = begin + MINUTE;
        assert_eq!(burst(&limits, &get, "/user", next).0, 900);
    }

    #[test]
    fn nothing_is_limited_unless_it_is_wanted() {
        let limits = Secondary::default();
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        for _ in 0..2000 {
            assert_eq!(
                limits.admit(&CALLER, &Method::POST, "/repos/o/r", now),
                Ok(())
            );
        }
    }
}
