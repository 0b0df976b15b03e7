//! Where an attempt may go from where it is.

use api::attempt::{Asset, Attempt, Failure, Network, Phase, State};
use api::id::Sha256;
use jiff::Timestamp;

/// What happens to an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Its place in the queue has changed.
    Moved {
        /// How many stand before it.
        ahead: u32,
    },
    /// It has begun a phase.
    Entered(Phase),
    /// Its scripts are given more to reach than themselves.
    Networked(Network),
    /// Its assets are there.
    Succeeded {
        /// What came out.
        assets: Vec<Asset>,
        /// What the host was.
        host: Sha256,
    },
    /// It cannot succeed.
    Failed(Failure),
    /// Somebody does not want it any more.
    Cancelled,
    /// Nobody has read it for the length of its lease.
    Expired,
}

/// An event that cannot happen where an attempt is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an attempt that is {state} cannot be {event}")]
pub struct IllegalTransition {
    state: &'static str,
    event: &'static str,
}

/// The attempt after `event`, with the next sequence number.
///
/// # Errors
/// When the attempt is final, goes back to an earlier phase or into the queue, or succeeds without
/// having run.
pub fn apply(
    attempt: &Attempt,
    event: Event,
    now: Timestamp,
) -> Result<Attempt, IllegalTransition> {
    let illegal = IllegalTransition {
        state: state_name(&attempt.state),
        event: event_name(&event),
    };
    let finished_at = now;
    let network = match &event {
        Event::Networked(network) => *network,
        Event::Moved { .. }
        | Event::Entered(_)
        | Event::Succeeded { .. }
        | Event::Failed(_)
        | Event::Cancelled
        | Event::Expired => attempt.network,
    };
    let state = match (&attempt.state, event) {
        (State::Accepted { .. }, Event::Moved { ahead }) => State::Accepted { ahead },
        (State::Accepted { .. }, Event::Entered(phase)) => State::Running { phase, since: now },
        (State::Running { phase: before, .. }, Event::Entered(phase)) if *before < phase => {
            State::Running { phase, since: now }
        }
        (State::Running { .. }, Event::Networked(_)) => attempt.state.clone(),
        (State::Running { .. }, Event::Succeeded { assets, host }) => State::Succeeded {
            assets,
            host,
            finished_at,
        },
        (State::Accepted { .. } | State::Running { .. }, Event::Failed(failure)) => State::Failed {
            failure,
            finished_at,
        },
        (State::Accepted { .. } | State::Running { .. }, Event::Cancelled) => {
            State::Cancelled { finished_at }
        }
        (State::Accepted { .. } | State::Running { .. }, Event::Expired) => {
            State::Expired { finished_at }
        }
        (State::Running { .. }, Event::Moved { .. } | Event::Entered(_))
        | (State::Accepted { .. }, Event::Succeeded { .. } | Event::Networked(_))
        | (
            State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. }
            | State::Expired { .. },
            _,
        ) => return Err(illegal),
    };
    Ok(Attempt {
        state,
        network,
        seq: attempt.seq + 1,
        ..attempt.clone()
    })
}

fn state_name(state: &State) -> &'static str {
    match state {
        State::Accepted { .. } => "accepted",
        State::Running { .. } => "running",
        State::Succeeded { .. } => "succeeded",
        State::Failed { .. } => "failed",
        State::Cancelled { .. } => "cancelled",
        State::Expired { .. } => "expired",
    }
}

fn event_name(event: &Event) -> &'static str {
    match event {
        Event::Moved { .. } => "moved in the queue",
        Event::Entered(_) => "put into that phase",
        Event::Networked(_) => "given a network",
        Event::Succeeded { .. } => "succeeded",
        Event::Failed(_) => "failed",
        Event::Cancelled => "cancelled",
        Event::Expired => "expired",
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use api::attempt::Reason;
    use api::id::{AttemptId, BuildId};

    use super::*;

    fn events() -> Vec<Event> {
        let failure = Failure {
            phase: Phase::Build,
            reason: Reason::Internal,
            message: "a fault".to_owned(),
        };
        vec![
            Event::Moved { ahead: 1 },
            Event::Entered(Phase::Clone),
            Event::Entered(Phase::Build),
            Event::Entered(Phase::Package),
            Event::Networked(Network::Host),
            Event::Succeeded {
                assets: Vec::new(),
                host: Sha256::of(b""),
            },
            Event::Failed(failure),
            Event::Cancelled,
            Event::Expired,
        ]
    }

    /// Every state with every event.
    #[test]
    fn the_whole_matrix() {
        let now = Timestamp::UNIX_EPOCH;
        let accepted = Attempt {
            id: AttemptId::new(BuildId::from_bytes([0; 16]), 1),
            seq: 1,
            accepted_at: now,
            network: Network::Loopback,
            state: State::Accepted { ahead: 0 },
        };
        let building = apply(&accepted, Event::Entered(Phase::Build), now).unwrap();
        let mut states = vec![accepted, building.clone()];
        for event in events() {
            if let Ok(next) = apply(&building, event, now)
                && next.state.is_final()
            {
                states.push(next);
            }
        }
        assert_eq!(states.len(), 6, "one of each state");
        let mut table = String::new();
        for before in &states {
            for event in events() {
                let name = if let Event::Entered(phase) = &event {
                    format!("entered {phase}")
                } else {
                    event_name(&event).to_owned()
                };
                let after = match apply(before, event, now) {
                    Ok(after) => {
                        assert_eq!(after.seq, before.seq + 1);
                        state_name(&after.state)
                    }
                    Err(_) => "-",
                };
                writeln!(
                    table,
                    "{:<10} {name:<20} {after}",
                    state_name(&before.state)
                )
                .unwrap();
            }
        }
        insta::assert_snapshot!(table);
    }
}
