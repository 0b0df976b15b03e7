//! How fast summit writes to GitHub.
//!
//! GitHub takes about 80 writes that make content in a minute and 500 in an hour, and asks for a
//! second between writes. Every write here takes a [`Turn`] first, and the more important it is,
//! the more of minute and hour it may use. Conclusions and the first sign of a build are what
//! people wait for: they go out at once. Whatever else is written has a second for each write, and
//! so makes up for bursts of those; a few may come before their second, so that one push to a quiet
//! organisation is shown as it goes.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// How far paced writes may be ahead of their seconds.
const AHEAD: Duration = Duration::from_secs(7);

/// What a write is for, the more important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// What people wait for: how a build ended.
    Conclusion,
    /// The first that people see of a build.
    Beginning,
    /// A reaction or an answer to a comment.
    Answer,
    /// Nice to know: how far a build is, more annotations, what changed after its end; and what is
    /// only tried again.
    Progress,
}

impl Class {
    /// How many writes there may have been in the last minute and in the last hour.
    fn limits(self) -> (usize, usize) {
        match self {
            Self::Conclusion => (80, 500),
            Self::Beginning => (60, 350),
            Self::Answer => (70, 425),
            Self::Progress => (20, 120),
        }
    }

    /// True when each of these needs a second of its own.
    fn is_paced(self) -> bool {
        match self {
            Self::Conclusion | Self::Beginning => false,
            Self::Answer | Self::Progress => true,
        }
    }
}

/// The right to one write.
#[derive(Debug)]
#[must_use = "a turn that is not used is one write less"]
pub struct Turn(());

/// Gives out turns.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<Written>);

#[derive(Debug, Default)]
struct Written {
    /// When, in the last hour.
    times: VecDeque<Instant>,
    /// When the seconds of all paced ones so far are over.
    paced: Option<Instant>,
}

impl Pace {
    /// A turn, if there is one now; else how long there will be none.
    pub(super) fn take(&self, now: Instant, class: Class) -> Result<Turn, Duration> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = written.pause(now, class);
        if !pause.is_zero() {
            return Err(pause);
        }
        written.times.push_back(now);
        if class.is_paced() {
            let from = written.paced.map_or(now, |end| end.max(now));
            written.paced = Some(from + SECOND);
        }
        Ok(Turn(()))
    }
}

impl Written {
    /// How long a write of this class has to wait.
    fn pause(&mut self, now: Instant, class: Class) -> Duration {
        while self.times.front().is_some_and(|then| *then + HOUR <= now) {
            self.times.pop_front();
        }
        let (minute, hour) = class.limits();
        let window = |most: usize, length: Duration| {
            let first = self.times.len().checked_sub(most)?;
            let then = self.times.get(first)?;
            Some((*then + length).saturating_duration_since(now))
        };
        let distance = self
            .paced
            .filter(|_| class.is_paced())
            .map(|end| end.saturating_duration_since(now).saturating_sub(AHEAD));
        [window(minute, MINUTE), window(hour, HOUR), distance]
            .into_iter()
            .flatten()
            .max()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many turns there are one after the other at this moment.
    fn burst(pace: &Pace, at: Instant, class: Class) -> usize {
        std::iter::repeat_with(|| pace.take(at, class))
            .take_while(Result::is_ok)
            .count()
    }

    #[test]
    fn what_people_wait_for_goes_at_once_and_has_the_last_word() {
        let begin = Instant::now();
        let pace = Pace::default();
        assert_eq!(burst(&pace, begin, Class::Beginning), 60);
        assert_eq!(burst(&pace, begin, Class::Progress), 0);
        assert_eq!(burst(&pace, begin, Class::Conclusion), 20);
        let pause = pace.take(begin + SECOND, Class::Conclusion).unwrap_err();
        assert_eq!(pause, MINUTE - SECOND);
        assert!(pace.take(begin + MINUTE, Class::Conclusion).is_ok());
    }

    #[test]
    fn an_hour_is_never_more_than_full() {
        let begin = Instant::now();
        let pace = Pace::default();
        let minutes = (0..60).map(|minute| begin + MINUTE * minute);
        let total: usize = minutes.map(|at| burst(&pace, at, Class::Conclusion)).sum();
        assert_eq!(total, 500);
        assert_eq!(burst(&pace, begin + HOUR, Class::Conclusion), 80);
    }

    /// Reactions, comments, progress and appended annotations share one line.
    #[test]
    fn writes_that_can_wait_have_a_second_each_but_for_a_few() {
        let begin = Instant::now();
        let pace = Pace::default();
        assert_eq!(burst(&pace, begin, Class::Answer), 8);
        let soon = begin + Duration::from_millis(300);
        let pause = pace.take(soon, Class::Progress).unwrap_err();
        assert_eq!(pause, Duration::from_millis(700));
        // Neither held up by them nor holding them up.
        assert!(pace.take(soon, Class::Conclusion).is_ok());
        assert!(pace.take(soon + pause, Class::Progress).is_ok());
        assert!(pace.take(soon + pause, Class::Answer).is_err());
        // A quiet time gives no more than the few.
        assert_eq!(burst(&pace, begin + MINUTE, Class::Answer), 8);
    }

    #[test]
    fn progress_leaves_room_for_the_rest() {
        let begin = Instant::now();
        let pace = Pace::default();
        let seconds = (0..60).map(|second| begin + SECOND * second);
        let taken: usize = seconds.map(|at| burst(&pace, at, Class::Progress)).sum();
        assert_eq!(taken, 20);
        let end = begin + SECOND * 59;
        assert_eq!(burst(&pace, end, Class::Answer), 8);
        assert_eq!(burst(&pace, end, Class::Beginning), 60 - 28);
    }
}
