//! The hourly limit: counted and reported as GitHub does. It is not enforced; tests inject the
//! answers of a limit that is used up.

pub(crate) mod secondary;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, HeaderValue};
use jiff::{SignedDuration, Timestamp};

use crate::id::{AccountId, InstallationId};
use crate::rest::caller::Caller;

/// Requests an hour.
const LIMIT: u64 = 5_000;

/// What each caller has used.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    windows: Mutex<HashMap<Key, Window>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    App,
    Installation(InstallationId),
    User(AccountId),
}

impl Key {
    fn of(caller: &Caller) -> Self {
        match caller {
            Caller::App => Self::App,
            Caller::Installation(grant) => Self::Installation(grant.installation),
            Caller::User(account) => Self::User(*account),
        }
    }
}

/// One caller's hour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    used: u64,
    reset: Timestamp,
}

/// What a request costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cost {
    /// Nothing: an answer of 304.
    Free,
    /// One request.
    One,
}

impl Limits {
    /// Counts a request and tells the caller's hour.
    pub(crate) fn count(&self, caller: &Caller, cost: Cost, now: Timestamp) -> Window {
        let key = Key::of(caller);
        let fresh = Window {
            used: 0,
            reset: now + SignedDuration::from_hours(1),
        };
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(key).or_insert(fresh);
        if window.reset <= now {
            *window = fresh;
        }
        match cost {
            Cost::Free => {}
            Cost::One => window.used += 1,
        }
        *window
    }
}

impl Window {
    /// As if all were used, and the hour over in so many seconds.
    pub(crate) fn exhausted(self, now: Timestamp, resets_in: u64) -> Self {
        let rest = SignedDuration::from_secs(i64::try_from(resets_in).unwrap_or(i64::MAX));
        Self {
            used: LIMIT,
            reset: now.saturating_add(rest).unwrap_or(self.reset),
        }
    }

    /// Writes the headers.
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        headers.insert("x-ratelimit-limit", HeaderValue::from(LIMIT));
        headers.insert("x-ratelimit-used", HeaderValue::from(self.used));
        headers.insert(
            "x-ratelimit-remaining",
            HeaderValue::from(LIMIT.saturating_sub(self.used)),
        );
        headers.insert(
            "x-ratelimit-reset",
            HeaderValue::from(self.reset.as_second()),
        );
        headers.insert("x-ratelimit-resource", HeaderValue::from_static("core"));
    }
}
