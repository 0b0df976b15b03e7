//! How fast summit writes to GitHub.
//!
//! GitHub takes about 80 writes that make content in a minute and 500 in an hour, and asks for a
//! second between writes. Every write here takes a [`Turn`] first, and the more important it is,
//! the more of minute and hour it may use. Conclusions and the first sign of a build are what
//! people wait for: they go out at once. Comments and reactions, of which GitHub notifies people,
//! keep a second's distance from each other. Progress has a second for each write too, but a few may
//! come before theirs, so that one push to a quiet organisation is shown as it goes.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// How far progress may be ahead of its seconds.
const AHEAD: Duration = Duration::from_secs(7);

/// What a write is for, the more important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// What people wait for: how a build ended.
    Conclusion,
    /// The first that people see of a build.
    Beginning,
    /// A reaction or an answer to a command that its author may give.
    Answer,
    /// One to what anybody may ask, or to somebody who may not: no stranger's comments take the place
    /// of builds.
    Remark,
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
            Self::Remark | Self::Progress => (20, 120),
        }
    }

    /// How far these may be ahead of their seconds.
    fn ahead(self) -> Duration {
        match self {
            Self::Conclusion | Self::Beginning | Self::Answer | Self::Remark => Duration::ZERO,
            Self::Progress => AHEAD,
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
    /// When the seconds of all answers so far are over.
    answers: Option<Instant>,
    /// When the seconds of all progress so far are over.
    progress: Option<Instant>,
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
        if let Some(end) = written.end(class) {
            *end = Some(end.map_or(now, |end| end.max(now)) + SECOND);
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
        let windows = window(minute, MINUTE).max(window(hour, HOUR));
        let ahead = class.ahead();
        let distance = self
            .end(class)
            .and_then(|end| *end)
            .map(|end| end.saturating_duration_since(now).saturating_sub(ahead));
        windows.max(distance).unwrap_or_default()
    }

    /// When the seconds of all writes of a class are over, where these need any.
    fn end(&mut self, class: Class) -> Option<&mut Option<Instant>> {
        match class {
            Class::Conclusion | Class::Beginning => None,
            Class::Answer | Class::Remark => Some(&mut self.answers),
            Class::Progress => Some(&mut self.progress),
        }
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

    #[test]
    fn a_second_lies_between_answers() {
        let begin = Instant::now();
        let pace = Pace::default();
        assert_eq!(burst(&pace, begin, Class::Answer), 1);
        let soon = begin + Duration::from_millis(300);
        let pause = pace.take(soon, Class::Answer).unwrap_err();
        assert_eq!(pause, Duration::from_millis(700));
        // Neither held up by them nor holding them up.
        assert!(pace.take(soon, Class::Conclusion).is_ok());
        assert!(pace.take(soon, Class::Progress).is_ok());
        assert!(pace.take(soon + pause, Class::Answer).is_ok());
    }

    #[test]
    fn strangers_take_no_place_of_builds() {
        let begin = Instant::now();
        let pace = Pace::default();
        let seconds = (0..3600).map(|second| begin + SECOND * second);
        let taken: usize = seconds.map(|at| burst(&pace, at, Class::Remark)).sum();
        assert_eq!(taken, 120);
        let end = begin + HOUR - SECOND;
        assert_eq!(burst(&pace, end, Class::Answer), 1);
        assert!(burst(&pace, end, Class::Beginning) > 20);
    }

    #[test]
    fn progress_has_a_second_each_but_for_a_few() {
        let begin = Instant::now();
        let pace = Pace::default();
        assert_eq!(burst(&pace, begin, Class::Progress), 8);
        assert_eq!(burst(&pace, begin + SECOND, Class::Progress), 1);
        // A quiet time gives no more than the few.
        assert_eq!(burst(&pace, begin + MINUTE, Class::Progress), 8);
    }

    #[test]
    fn progress_leaves_room_for_the_rest() {
        let begin = Instant::now();
        let pace = Pace::default();
        let seconds = (0..60).map(|second| begin + SECOND * second);
        let taken: usize = seconds.map(|at| burst(&pace, at, Class::Progress)).sum();
        assert_eq!(taken, 20);
        let end = begin + SECOND * 59;
        assert_eq!(burst(&pace, end, Class::Answer), 1);
        assert_eq!(burst(&pace, end, Class::Beginning), 60 - 21);
    }
}
