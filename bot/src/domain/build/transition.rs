//! How builds move: `(Build, Event, now) → (Build, effects)`.

mod attempt;
mod end;
mod loss;
mod publish;

use api::id::{AttemptId, BuildId, ImportId, ServiceName};
use api::{attempt as wire, import};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::state::{By, Cause, Hold, Progress, State};
use super::{Annotation, Build};

pub use loss::{MAX_LOST, MAX_OUTAGE, pause_after};

/// What can happen to a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Some of the builds that come first are not done.
    Blocked {
        /// Which.
        on: Vec<BuildId>,
    },
    /// It cannot go on by itself.
    Held(Hold),
    /// All that comes first is done.
    Ready,
    /// It is ready, but no builder takes it.
    Delayed {
        /// Why.
        reason: String,
    },
    /// A builder was chosen.
    Dispatched {
        /// Which.
        builder: ServiceName,
        /// The build release that its stones get.
        build_release: u64,
    },
    /// The builder told where an attempt stands.
    AttemptMoved {
        /// Which attempt.
        attempt: AttemptId,
        /// Where it stands.
        state: wire::State,
        /// Places in the recipe that a failure is about.
        annotations: Vec<Annotation>,
    },
    /// The builder lost the attempt or is gone, or never got it.
    AttemptLost {
        /// Which attempt.
        attempt: AttemptId,
        /// To what.
        cause: Cause,
        /// How it was lost.
        reason: String,
    },
    /// The assets of an attempt cannot be had any more, and others need them.
    AssetsGone {
        /// Which attempt.
        attempt: AttemptId,
        /// How they were lost.
        reason: String,
    },
    /// Its assets go into the channel.
    ImportBegun {
        /// The import.
        import: ImportId,
    },
    /// The import is done or refused.
    ImportMoved {
        /// Where it stands.
        state: import::State,
    },
    /// vessel does not say where the import stands.
    ImportDelayed {
        /// Which import.
        import: ImportId,
        /// Why, for people.
        reason: String,
    },
    /// It is given up.
    Cancelled(By),
    /// A newer build takes its place.
    Superseded {
        /// The newer build.
        by: Option<BuildId>,
    },
}

/// What has to be done outside once a transition is committed. Idempotent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "kebab-case")]
pub enum Effect {
    /// The builder may drop the attempt's assets.
    Release {
        /// Which builder.
        builder: ServiceName,
        /// Which attempt.
        attempt: AttemptId,
    },
    /// The builder shall stop the attempt.
    Cancel {
        /// Which builder.
        builder: ServiceName,
        /// Which attempt.
        attempt: AttemptId,
    },
}

impl Effect {
    /// The builder that is to hear of it.
    pub fn builder(&self) -> &ServiceName {
        match self {
            Self::Release { builder, .. } | Self::Cancel { builder, .. } => builder,
        }
    }
}

/// An event that the build's state does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("build {build} in state {state} does not take {event}")]
pub struct IllegalTransition {
    build: BuildId,
    state: &'static str,
    event: &'static str,
}

impl Build {
    /// The build after `event`, and what has to be done outside. A build that is not changed
    /// keeps its `seq`.
    ///
    /// # Errors
    /// When the state does not take the event; a report of an attempt that is no longer current
    /// is one of these cases.
    pub fn apply(
        &self,
        event: Event,
        now: Timestamp,
    ) -> Result<(Self, Vec<Effect>), IllegalTransition> {
        let illegal = IllegalTransition {
            build: self.id,
            state: self.state.name(),
            event: event.name(),
        };
        let mut next = self.clone();
        let (state, effects) = next.step(event, now).ok_or(illegal)?;
        if state != self.state {
            next.state = state;
            next.answer = None;
            next.seq += 1;
        }
        Ok((next, effects))
    }

    fn step(&mut self, event: Event, now: Timestamp) -> Option<(State, Vec<Effect>)> {
        let state = match event {
            // One that is ready waits again when a build before it has to come again.
            Event::Blocked { on } => {
                let queued = matches!(self.state, State::Queued { .. });
                (queued || self.unscheduled()).then_some(State::Waiting { on })?
            }
            Event::Held(by) => self.hold(by, now)?,
            Event::Ready if matches!(self.state, State::Queued { .. }) => self.state.clone(),
            Event::Ready => self.unscheduled().then_some(State::Queued {
                since: now,
                reason: None,
            })?,
            Event::Delayed { reason } => {
                let State::Queued { since, .. } = self.state else {
                    return None;
                };
                State::Queued {
                    since,
                    reason: Some(reason),
                }
            }
            Event::Dispatched {
                builder,
                build_release,
            } => {
                if !matches!(self.state, State::Queued { .. }) {
                    return None;
                }
                self.attempts += 1;
                self.build_release = Some(build_release);
                State::Building {
                    builder,
                    progress: Progress::Ordered,
                    since: now,
                }
            }
            Event::AttemptMoved {
                attempt,
                state,
                annotations,
            } => {
                return self.attempt_moved(attempt, state, annotations, now);
            }
            Event::AttemptLost {
                attempt,
                cause,
                reason,
            } => {
                let builder = self.current_builder(attempt)?.0.clone();
                self.lost(builder, cause, reason, now)
            }
            Event::AssetsGone { attempt, reason } => {
                return self.assets_gone(attempt, reason, now);
            }
            Event::ImportBegun { import } => {
                let State::Built(built) = &self.state else {
                    return None;
                };
                let built = built.clone();
                self.target.is_published().then_some(State::Publishing {
                    import,
                    built,
                    overtaken: None,
                    standing: None,
                })?
            }
            Event::ImportMoved { state } => return self.import_moved(state, now),
            Event::ImportDelayed { import, reason } => self.import_delayed(import, reason)?,
            Event::Cancelled(by) => return self.give_up(State::Cancelled { by, at: now }, now),
            Event::Superseded { by } => return self.superseded(by, now),
        };
        Some((state, Vec::new()))
    }

    /// True for the states that the scheduler decides between.
    fn unscheduled(&self) -> bool {
        matches!(
            self.state,
            State::Planned | State::Waiting { .. } | State::Held { .. }
        )
    }

    fn hold(&self, by: Hold, now: Timestamp) -> Option<State> {
        if let State::Held { by: before, .. } = &self.state
            && *before == by
        {
            return Some(self.state.clone());
        }
        let queued = matches!(self.state, State::Queued { .. });
        (queued || self.unscheduled()).then_some(State::Held { by, since: now })
    }
}

impl State {
    /// The state's name in errors and logs.
    pub fn name(&self) -> &'static str {
        self.stage().name()
    }
}

impl Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Blocked { .. } => "blocked",
            Self::Held(_) => "held",
            Self::Ready => "ready",
            Self::Delayed { .. } => "delayed",
            Self::Dispatched { .. } => "dispatched",
            Self::AttemptMoved { .. } => "attempt moved",
            Self::AttemptLost { .. } => "attempt lost",
            Self::AssetsGone { .. } => "assets gone",
            Self::ImportBegun { .. } => "import begun",
            Self::ImportMoved { .. } => "import moved",
            Self::ImportDelayed { .. } => "import delayed",
            Self::Cancelled(_) => "cancelled",
            Self::Superseded { .. } => "superseded",
        }
    }
}

#[cfg(test)]
mod tests;
