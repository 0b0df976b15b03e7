//! The write rate limiter for GitHub.
//!
//! GitHub allows about 80 content-creating writes in a minute and 500 in an hour, and asks for a
//! second between writes. Every write takes a [`Turn`] first. Each class has its own share of the
//! minute and of the hour; see `Class::limits`. Conclusions and beginnings go out at once, because
//! people wait for them. Answers and remarks keep a second between each other, because GitHub
//! notifies people of them. Progress is limited to one write per second on average, with bursts of
//! about seven.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// The length of a burst of progress writes.
const AHEAD: Duration = Duration::from_secs(7);

/// What a write is for. Check runs are written in this order. The order says nothing about the
/// shares: a beginning goes before an answer, yet has the smaller share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// How a build ended.
    Conclusion,
    /// The first check run of a build.
    Beginning,
    /// A reaction or answer to a command whose author may give it.
    Answer,
    /// A reaction or answer to anyone else, or to a command that anyone may give. Its share is
    /// small, so that strangers' comments do not delay check runs.
    Remark,
    /// Progress of a build, further annotations, changes after the end, and retries.
    Progress,
}

impl Class {
    /// The most writes of all classes in the last minute and hour that still let this class write.
    fn limits(self) -> (usize, usize) {
        match self {
            Self::Conclusion => (80, 500),
            Self::Beginning => (60, 350),
            Self::Answer => (70, 425),
            Self::Remark | Self::Progress => (20, 120),
        }
    }

    /// How long a burst may run ahead of one write per second.
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

/// The rate limiter.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<Written>);

#[derive(Debug, Default)]
struct Written {
    /// The times of the writes in the last hour.
    times: VecDeque<Instant>,
    /// When the next answer or remark is due.
    answers: Option<Instant>,
    /// When progress is due without a burst.
    progress: Option<Instant>,
}

impl Pace {
    /// Takes a turn. Without a free turn, the error is the time until the next one.
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

    /// When the next write of a class is due, if the class keeps a distance.
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

    /// Counts the turns that are free at this moment.
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
        // Answers neither delay these nor are delayed by them.
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
        // A quiet time does not make the burst longer.
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
