//! The states of an import and what moves it from one to the next.
//!
//! ```text
//! Accepted ──► Fetching ──► Publishing ──► Published or Refused, also straight from Fetching
//!               │    ▲         │
//!               ▼    │         ▼
//!               Waiting ◄──────┘
//! ```
//! A restart begins an import that is not final again from `Fetching`; what was fetched is kept.
//! While an import waits, those behind it go first.

use std::num::NonZero;
use std::time::Duration;

use api::id::HistoryId;
use api::import::{Refusal, State};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The pause after the first hindrance; after each further one it is twice as long.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Whose fault it is that an import does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Its stones cannot be had.
    Stones,
    /// vessel or its machine cannot do its part.
    Vessel,
}

/// What stood in an import's way until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hindrances {
    /// Since when its stones cannot be had, as far as vessel could try.
    since: Timestamp,
    count: u32,
}

impl Hindrances {
    /// One more, at `now`. What vessel could not try for a fault of its own says nothing of the
    /// stones: the time until they are given up begins anew.
    pub(crate) fn add(before: Option<Self>, fault: Fault, now: Timestamp) -> Self {
        let Self { since, count } = before.unwrap_or(Self {
            since: now,
            count: 0,
        });
        Self {
            since: match fault {
                Fault::Stones => since,
                Fault::Vessel => now,
            },
            count: count.saturating_add(1),
        }
    }

    /// How long to wait after one more.
    pub(crate) fn pause(before: Option<Self>) -> Duration {
        let count = before.map_or(0, |before| before.count);
        let factor = 2_u32.saturating_pow(count);
        LONGEST_PAUSE.min(FIRST_PAUSE.saturating_mul(factor))
    }

    /// True when the first was so long ago that it makes no sense to go on.
    pub(crate) fn are_too_old(self, limit: NonZero<u32>, now: Timestamp) -> bool {
        now.duration_since(self.since) >= SignedDuration::from_hours(i64::from(limit.get()))
    }
}

/// What happens to an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// An import before it came to its end.
    MovedUp,
    /// Its turn has come, or comes again after a wait or a restart.
    Begun {
        /// Stones that are there and verified.
        done: u32,
        /// Stones in all.
        total: u32,
    },
    /// One more stone is there and verified.
    StoneVerified,
    /// Something stands in the way that may pass.
    Hindered {
        /// What.
        by: String,
        /// Whose fault that is.
        fault: Fault,
        /// When it is tried again.
        until: Timestamp,
    },
    /// All stones are there and verified, and the channel takes them.
    Admitted,
    /// A history holds the stones.
    Published(HistoryId),
    /// The channel does not take it.
    Refused(Refusal),
}

/// An event that cannot happen in a state: a fault of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an import that is {state} cannot be {event}")]
pub(crate) struct IllegalTransition {
    state: &'static str,
    event: &'static str,
}

/// The state after `event` at `now`.
///
/// # Errors
/// When the event cannot happen in this state.
pub(crate) fn step(
    state: &State,
    event: Event,
    now: Timestamp,
) -> Result<State, IllegalTransition> {
    let illegal = IllegalTransition {
        state: state_name(state),
        event: event_name(&event),
    };
    let next = match event {
        Event::MovedUp => {
            let ahead = find_ahead(state).and_then(|ahead| ahead.checked_sub(1));
            ahead.map(|ahead| State::Accepted { ahead })
        }
        Event::Begun { done, total } => {
            (may_begin(state) && done <= total).then_some(State::Fetching { done, total })
        }
        Event::StoneVerified => find_progress(state)
            .filter(|(done, total)| done < total)
            .map(|(done, total)| State::Fetching {
                done: done + 1,
                total,
            }),
        Event::Admitted => find_progress(state)
            .filter(|(done, total)| done == total)
            .map(|_| State::Publishing),
        Event::Hindered { by, until, .. } => {
            is_at_work(state).then_some(State::Waiting { on: by, until })
        }
        Event::Published(history) => is_complete(state).then_some(State::Published {
            history,
            finished_at: now,
        }),
        Event::Refused(refusal) => is_at_work(state).then_some(State::Refused {
            refusal,
            finished_at: now,
        }),
    };
    next.ok_or(illegal)
}

fn find_ahead(state: &State) -> Option<u32> {
    if let State::Accepted { ahead } = state {
        Some(*ahead)
    } else {
        None
    }
}

fn find_progress(state: &State) -> Option<(u32, u32)> {
    if let State::Fetching { done, total } = state {
        Some((*done, *total))
    } else {
        None
    }
}

/// True when the import has not ended. Those ahead of it may all be hindered.
fn may_begin(state: &State) -> bool {
    match state {
        State::Accepted { .. }
        | State::Fetching { .. }
        | State::Waiting { .. }
        | State::Publishing => true,
        State::Published { .. } | State::Refused { .. } => false,
    }
}

/// True when every stone is there.
fn is_complete(state: &State) -> bool {
    match state {
        State::Fetching { done, total } => done == total,
        State::Publishing => true,
        State::Accepted { .. }
        | State::Waiting { .. }
        | State::Published { .. }
        | State::Refused { .. } => false,
    }
}

fn is_at_work(state: &State) -> bool {
    match state {
        State::Fetching { .. } | State::Publishing => true,
        State::Accepted { .. }
        | State::Waiting { .. }
        | State::Published { .. }
        | State::Refused { .. } => false,
    }
}

/// The state's name, for messages and logs.
pub(crate) fn state_name(state: &State) -> &'static str {
    match state {
        State::Accepted { .. } => "accepted",
        State::Fetching { .. } => "fetching",
        State::Waiting { .. } => "waiting",
        State::Publishing => "publishing",
        State::Published { .. } => "published",
        State::Refused { .. } => "refused",
    }
}

fn event_name(event: &Event) -> &'static str {
    match event {
        Event::MovedUp => "moved up",
        Event::Begun { .. } => "begun",
        Event::StoneVerified => "given one more stone",
        Event::Hindered { .. } => "hindered",
        Event::Admitted => "admitted",
        Event::Published(_) => "published",
        Event::Refused(_) => "refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::import::RefusalReason;

    fn now() -> Timestamp {
        "2026-11-22T22:00:00Z".parse().unwrap()
    }

    fn states() -> Vec<State> {
        let refusal = Refusal {
            reason: RefusalReason::AssetGone,
            file_name: None,
            message: "gone".to_owned(),
        };
        vec![
            State::Accepted { ahead: 2 },
            State::Accepted { ahead: 0 },
            State::Fetching { done: 1, total: 2 },
            State::Fetching { done: 2, total: 2 },
            State::Waiting {
                on: "the builder".to_owned(),
                until: now(),
            },
            State::Publishing,
            State::Published {
                history: "h-1".parse().unwrap(),
                finished_at: now(),
            },
            State::Refused {
                refusal,
                finished_at: now(),
            },
        ]
    }

    fn events() -> Vec<Event> {
        let refusal = Refusal {
            reason: RefusalReason::ReleaseLower,
            file_name: None,
            message: "lower".to_owned(),
        };
        vec![
            Event::MovedUp,
            Event::Begun { done: 0, total: 2 },
            Event::StoneVerified,
            Event::Hindered {
                by: "the disk".to_owned(),
                fault: Fault::Vessel,
                until: now(),
            },
            Event::Admitted,
            Event::Published("h-2".parse().unwrap()),
            Event::Refused(refusal),
        ]
    }

    #[test]
    fn the_whole_matrix_of_transitions() {
        let json = |state: &State| serde_json::to_string(state).unwrap();
        let mut lines = Vec::new();
        for state in states() {
            lines.push(json(&state));
            for event in events() {
                let name = event_name(&event);
                let after = step(&state, event, now());
                assert!(
                    after.is_err() || !state.is_final(),
                    "a final state has moved"
                );
                let after = after.map_or_else(|_| "—".to_owned(), |after| json(&after));
                lines.push(format!("    {name:<22}{after}"));
            }
        }
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn pauses_grow_to_a_minute_and_end_in_giving_up() {
        let limit = NonZero::new(24).unwrap();
        assert_eq!(Hindrances::pause(None), FIRST_PAUSE);
        let mut hindrances = Hindrances::add(None, Fault::Stones, now());
        assert_eq!(Hindrances::pause(Some(hindrances)), FIRST_PAUSE * 2);
        for minute in 0..100 {
            let now = now() + Duration::from_secs(minute);
            hindrances = Hindrances::add(Some(hindrances), Fault::Stones, now);
        }
        assert_eq!(Hindrances::pause(Some(hindrances)), LONGEST_PAUSE);
        let day = SignedDuration::from_hours(24);
        assert!(hindrances.are_too_old(limit, now() + day));
        assert!(!hindrances.are_too_old(limit, now() + day - SignedDuration::from_secs(1)));
    }

    #[test]
    fn stones_are_not_given_up_for_what_vessel_could_not_do() {
        let limit = NonZero::new(24).unwrap();
        let day = SignedDuration::from_hours(24);
        let first = Hindrances::add(None, Fault::Stones, now());
        let full = Hindrances::add(Some(first), Fault::Vessel, now() + day);
        let again = Hindrances::add(Some(full), Fault::Stones, now() + day);
        assert!(!again.are_too_old(limit, now() + day));
        assert!(again.are_too_old(limit, now() + day + day));
        assert_eq!(Hindrances::pause(Some(again)), FIRST_PAUSE * 8);
    }

    #[test]
    fn more_stones_than_there_are_is_illegal() {
        let state = State::Accepted { ahead: 0 };
        let event = Event::Begun { done: 3, total: 2 };
        let error = step(&state, event, now()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "an import that is accepted cannot be begun"
        );
    }
}
