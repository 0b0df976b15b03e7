//! A service that does not answer, as people read of it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A builder is called silent once it has not answered for this long. A restart takes less.
pub const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// A builder that does not answer about an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// When it answered last.
    pub since: Timestamp,
    /// When summit asks again.
    pub next: Timestamp,
    /// When the build goes to another builder.
    pub until: Timestamp,
}

/// `NAME has not answered since 14:59 UTC`.
pub fn has_not_answered(name: impl std::fmt::Display, since: Timestamp) -> String {
    format!("{name} has not answered since {}", clock(since))
}

impl Silence {
    /// The silence of `builder` in a sentence. It stays true for as long as the silence lasts.
    pub(crate) fn explain(&self, builder: impl std::fmt::Display) -> String {
        format!(
            "{}; summit asks again at {}; the build goes to another builder at {}.",
            has_not_answered(builder, self.since),
            clock(self.next),
            clock(self.until)
        )
    }
}

/// Between two requests that are further apart than this, the service may well have answered others.
const GAP: SignedDuration = SignedDuration::from_mins(2);

/// Since when a service does not answer that is asked now and then.
#[derive(Debug, Default)]
pub struct SilentSince(Option<Spell>);

#[derive(Debug)]
struct Spell {
    since: Timestamp,
    /// The last request that was not answered.
    last: Timestamp,
}

impl SilentSince {
    /// Notes that it did not answer, and returns since when it does not.
    pub fn note(&mut self, now: Timestamp) -> Timestamp {
        let since = self.at(now);
        self.0 = Some(Spell { since, last: now });
        since
    }

    /// Notes that it answered.
    pub fn end(&mut self) {
        self.0 = None;
    }

    /// Since when it does not answer; `now` when that is new.
    pub fn at(&self, now: Timestamp) -> Timestamp {
        let spell = self.0.as_ref();
        let spell = spell.filter(|spell| now.duration_since(spell.last) < GAP);
        spell.map_or(now, |spell| spell.since)
    }
}

fn clock(at: Timestamp) -> impl std::fmt::Display {
    at.strftime("%H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::build::example::at;

    #[test]
    fn a_silence_lasts_while_it_is_asked_and_does_not_answer() {
        let mut silent = SilentSince::default();
        assert_eq!(silent.at(at(5)), at(5));
        assert_eq!(silent.note(at(10)), at(10));
        assert_eq!(silent.note(at(100)), at(10));
        assert_eq!(silent.at(at(110)), at(10));
        assert_eq!(silent.note(at(1000)), at(1000), "nobody asked in between");
        silent.end();
        assert_eq!(silent.note(at(1010)), at(1010));
    }
}
