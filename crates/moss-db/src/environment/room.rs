//! How full the map is, and telling an operator in time.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Env;

/// The share of the map above which [`Usage::is_high`] warns.
const ALARM: f64 = 0.8;

/// How much of the map is used, in bytes. Pages that became free and wait for reuse count as
/// used, so the truth may be better: how soon a page can be reused depends on readers, and an alarm
/// that comes for nothing is better than a full map without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    used: u64,
    map_size: u64,
}

impl Usage {
    pub(super) fn of(env: &Env) -> Self {
        let info = env.info();
        let page = u64::from(env.unnamed_database_stat().page_size);
        Self {
            used: (info.last_page_number as u64 + 1) * page,
            map_size: info.map_size as u64,
        }
    }

    /// The bytes that the database has ever needed at one time.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used
    }

    /// The bytes that it can have.
    #[must_use]
    pub fn map_size(&self) -> u64 {
        self.map_size
    }

    /// The used share, from 0 to 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
    pub fn fraction(&self) -> f64 {
        self.used as f64 / self.map_size as f64
    }

    /// Whether 80 % are used, so that an operator should raise the map size.
    #[must_use]
    pub fn is_high(&self) -> bool {
        self.fraction() >= ALARM
    }
}

/// Says once that the map is nearly full. Whoever commits looks.
#[derive(Debug)]
pub(crate) struct Alarm {
    env: Env,
    is_raised: AtomicBool,
}

impl Alarm {
    pub(super) fn new(env: Env) -> Self {
        Self {
            env,
            is_raised: AtomicBool::new(false),
        }
    }

    pub(crate) fn env(&self) -> &Env {
        &self.env
    }

    pub(crate) fn look(&self) {
        let usage = Usage::of(&self.env);
        if usage.is_high() && !self.is_raised.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                db.path = %self.env.path().display(),
                db.used = usage.used(),
                db.map_size = usage.map_size(),
                "the database is nearly full: raise its map size in the configuration and restart"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alarm_is_raised_at_four_fifths() {
        let usage = |used| Usage {
            used,
            map_size: 1000,
        };
        assert!(!usage(799).is_high());
        assert!(usage(800).is_high());
    }
}
