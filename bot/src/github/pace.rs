//! The write rate limiter for GitHub.
//!
//! GitHub allows about 80 content-creating writes in a minute and 500 in an hour, and asks for a
//! second between writes. Every write takes a [`Turn`] first. Each class has its own share of the
//! minute and of the hour; see `Class::limits`. Conclusions and beginnings go out at once, because
//! people wait for them. Answers and remarks keep a second between each other, because GitHub
//! notifies people of them. Progress is limited to one write per second on average, with bursts of
//! about seven.
//!
//! GitHub's hour does not begin anew when summit does. So the writes of the last hour are stored, about
//! once a second, and taken up at the start.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::call::Error;

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
            Self::Remark => (40, 120),
            Self::Progress => (30, 120),
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

/// The right to one write. It counts only if the write is sent: dropped without that, it is given back.
#[derive(Debug)]
#[must_use = "a turn that is not used is given back"]
pub struct Turn {
    pace: Arc<Shared>,
    number: u64,
    is_sent: bool,
}

impl Turn {
    /// Uses the turn for a write that had this result, and returns the result.
    ///
    /// GitHub did not do what it answered with a 5xx or not at all. Such a write keeps its place in
    /// the minute, so that they stay apart, but takes nothing of the hour. Otherwise an outage would
    /// use up the hour, and nothing could be written for long after it.
    ///
    /// # Errors
    /// The error of the write.
    pub(super) fn spend<T>(mut self, result: Result<T, Error>) -> Result<T, Error> {
        let is_done = match &result {
            Ok(_) | Err(Error::Unreadable { .. }) => true,
            Err(Error::Refused { status, .. }) => !status.is_server_error(),
            Err(Error::Transport { .. }) => false,
            // It was not sent, or GitHub did not count it.
            Err(Error::RateLimited { .. } | Error::Suspended { .. }) => return result,
        };
        self.is_sent = true;
        let mut written = self.pace.lock();
        if is_done {
            written.unsaved += 1;
            self.pace.sent.notify_one();
        } else {
            written.forgive(self.number);
        }
        drop(written);
        result
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_sent {
            self.pace.lock().give_back(self.number);
        }
    }
}

/// The rate limiter.
#[derive(Debug, Default)]
pub(super) struct Pace(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    written: Mutex<Written>,
    /// Tells that a write was sent that is not stored yet.
    sent: Notify,
}

#[derive(Debug, Default)]
struct Written {
    /// The turns of the last hour, in their order.
    turns: VecDeque<Taken>,
    /// The number of the next turn.
    next: u64,
    /// When the next answer or remark is due.
    answers: Option<Instant>,
    /// When progress is due without a burst.
    progress: Option<Instant>,
    /// How many writes that count in the hour are not stored yet.
    unsaved: u64,
}

/// A turn that was taken.
#[derive(Debug)]
struct Taken {
    number: u64,
    /// When the turn is an hour old. The time at which it was taken may lie before the machine's start,
    /// and then no [`Instant`] stands for it.
    hour_ends: Instant,
    /// False for a write that GitHub did not do.
    counts_in_hour: bool,
}

impl Pace {
    /// Takes a turn. Without a free turn, the error is the time until the next one.
    pub(super) fn take(&self, now: Instant, class: Class) -> Result<Turn, Duration> {
        let mut written = self.0.lock();
        let pause = written.pause(now, class);
        if !pause.is_zero() {
            return Err(pause);
        }
        let number = written.push(now + HOUR);
        if let Some(end) = written.end(class) {
            *end = Some(end.map_or(now, |end| end.max(now)) + SECOND);
        }
        Ok(Turn {
            pace: Arc::clone(&self.0),
            number,
            is_sent: false,
        })
    }

    /// Counts the writes of an earlier process, by how long ago they were. The oldest come first.
    pub(super) fn restore(&self, now: Instant, ages: impl IntoIterator<Item = Duration>) {
        let mut written = self.0.lock();
        for age in ages {
            written.push(now + HOUR.saturating_sub(age));
        }
    }

    /// Waits until writes were sent that are not stored yet.
    pub(super) async fn wait_for_unsaved(&self) {
        while self.0.lock().unsaved == 0 {
            self.0.sent.notified().await;
        }
    }

    /// How many writes are not stored yet. They count as stored from now on.
    pub(super) fn take_unsaved(&self) -> u64 {
        std::mem::take(&mut self.0.lock().unsaved)
    }

    /// Counts writes as not stored again.
    pub(super) fn return_unsaved(&self, count: u64) {
        self.0.lock().unsaved += count;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Written {
    /// Adds a turn and returns its number.
    fn push(&mut self, hour_ends: Instant) -> u64 {
        let number = self.next;
        self.next += 1;
        self.turns.push_back(Taken {
            number,
            hour_ends,
            counts_in_hour: true,
        });
        number
    }

    /// How long a write of this class has to wait.
    fn pause(&mut self, now: Instant, class: Class) -> Duration {
        while self.turns.front().is_some_and(|turn| turn.hour_ends <= now) {
            self.turns.pop_front();
        }
        let (minute, hour) = class.limits();
        // From the newest on: the one that has to be over before another fits.
        let newest = self.turns.iter().rev();
        let in_minute = newest.clone().nth(minute - 1);
        let in_hour = newest.filter(|turn| turn.counts_in_hour).nth(hour - 1);
        let over = |turn: Option<&Taken>, length: Duration| {
            // An hour before the end of its hour it was taken.
            let now = now + (HOUR - length);
            Some(turn?.hour_ends.saturating_duration_since(now))
        };
        let windows = over(in_minute, MINUTE).max(over(in_hour, HOUR));
        let ahead = class.ahead();
        let distance = self
            .end(class)
            .and_then(|end| *end)
            .map(|end| end.saturating_duration_since(now).saturating_sub(ahead));
        windows.max(distance).unwrap_or_default()
    }

    fn give_back(&mut self, number: u64) {
        self.turns.retain(|turn| turn.number != number);
    }

    /// Notes that GitHub did not do the write of a turn.
    fn forgive(&mut self, number: u64) {
        let turn = self.turns.iter_mut().find(|turn| turn.number == number);
        if let Some(turn) = turn {
            turn.counts_in_hour = false;
        }
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

    /// Counts the turns that are free at this moment, and uses them.
    fn burst(pace: &Pace, at: Instant, class: Class) -> usize {
        let mut count = 0;
        while let Ok(turn) = pace.take(at, class) {
            assert!(turn.spend(Ok(())).is_ok());
            count += 1;
        }
        count
    }

    fn refused(status: u16) -> Result<(), Error> {
        Err(Error::Refused {
            status: http::StatusCode::from_u16(status).unwrap(),
            method: http::Method::POST,
            path: "/repos/a/b/check-runs".to_owned(),
            message: String::new(),
        })
    }

    /// How long it takes to write so many conclusions, one by one as turns come.
    fn time_to_write(pace: &Pace, begin: Instant, count: usize) -> Duration {
        let mut now = begin;
        for _ in 0..count {
            let turn = loop {
                match pace.take(now, Class::Conclusion) {
                    Ok(turn) => break turn,
                    Err(pause) => now += pause,
                }
            };
            assert!(turn.spend(Ok(())).is_ok());
        }
        now - begin
    }

    #[test]
    fn an_outage_takes_nothing_of_the_hour() {
        let begin = Instant::now();
        let without = time_to_write(&Pace::default(), begin, 500);
        let pace = Pace::default();
        let mut tried = 0;
        for second in 0..600 {
            let at = begin + SECOND * second;
            while let Ok(turn) = pace.take(at, Class::Conclusion) {
                assert!(turn.spend(refused(502)).is_err());
                tried += 1;
            }
        }
        assert_eq!(tried, 800, "80 a minute, and no more");
        let with = time_to_write(&pace, begin + SECOND * 600, 500);
        assert!(with <= without + MINUTE, "{with:?} instead of {without:?}");
    }

    #[test]
    fn a_turn_without_a_write_is_given_back() {
        let begin = Instant::now();
        let pace = Pace::default();
        for _ in 0..1000 {
            drop(pace.take(begin, Class::Conclusion).unwrap());
            let until = jiff::Timestamp::UNIX_EPOCH;
            let turn = pace.take(begin, Class::Conclusion).unwrap();
            let paused = turn.spend(Err::<(), _>(Error::RateLimited { until }));
            assert!(paused.is_err());
        }
        assert_eq!(burst(&pace, begin, Class::Conclusion), 80);
        // What GitHub refuses, it has counted.
        let at = begin + HOUR;
        for _ in 0..80 {
            let turn = pace.take(at, Class::Conclusion).unwrap();
            assert!(turn.spend(refused(422)).is_err());
        }
        assert!(pace.take(at, Class::Conclusion).is_err());
    }

    /// GitHub goes on counting while summit starts anew.
    #[test]
    fn an_hour_that_is_spent_stays_spent_after_a_restart() {
        let begin = Instant::now();
        let pace = Pace::default();
        // As many as fit into an hour, half an hour ago and twenty minutes ago.
        let minutes = |count: u64| Duration::from_secs(60 * count);
        let ages = [(300, minutes(30)), (200, minutes(20))];
        let ages = ages.map(|(count, age)| std::iter::repeat_n(age, count));
        pace.restore(begin, ages.into_iter().flatten());
        let pause = pace.take(begin, Class::Conclusion).unwrap_err();
        assert_eq!(pause, minutes(30));
        assert_eq!(burst(&pace, begin + minutes(30), Class::Conclusion), 80);
        // The minute is free again, and a clock that was put back does no harm.
        let pace = Pace::default();
        pace.restore(begin, std::iter::repeat_n(Duration::ZERO, 80));
        assert!(pace.take(begin, Class::Conclusion).is_err());
        assert_eq!(burst(&pace, begin + MINUTE, Class::Conclusion), 80);
    }

    #[tokio::test]
    async fn what_was_sent_is_to_be_stored_once() {
        let pace = Pace::default();
        let begin = Instant::now();
        drop(pace.take(begin, Class::Conclusion).unwrap());
        let turn = pace.take(begin, Class::Conclusion).unwrap();
        assert!(turn.spend(refused(502)).is_err());
        assert_eq!(pace.take_unsaved(), 0, "GitHub did neither");
        assert_eq!(burst(&pace, begin + MINUTE, Class::Conclusion), 80);
        pace.wait_for_unsaved().await;
        assert_eq!(pace.take_unsaved(), 80);
        assert_eq!(pace.take_unsaved(), 0);
        pace.return_unsaved(80);
        pace.wait_for_unsaved().await;
        assert_eq!(pace.take_unsaved(), 80);
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
        assert_eq!(taken, 30);
        let end = begin + SECOND * 59;
        assert_eq!(burst(&pace, end, Class::Answer), 1);
        assert_eq!(burst(&pace, end, Class::Beginning), 60 - 31);
    }
}
