//! The transitions of a build, as a pure function: `(Build, Event, now) → (Build, effects)`.

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
use crate::domain::silence::Silence;

pub use loss::{MAX_LOST, MAX_OUTAGE, pause_after};

/// An event that can happen to a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Some of the builds before it have not succeeded yet.
    Blocked {
        /// These builds.
        on: Vec<BuildId>,
    },
    /// It cannot go on without a change elsewhere.
    Held(Hold),
    /// Its pull request is no draft any more.
    Undrafted,
    /// All builds before it are done.
    Ready,
    /// It is ready, but no builder takes it.
    Delayed {
        /// The reason, as a part of a sentence.
        reason: String,
    },
    /// No builder takes any build for its profile, or, with no reason, builders take some again.
    Standstill {
        /// The reason, as a part of a sentence.
        reason: Option<String>,
    },
    /// A builder was chosen.
    Dispatched {
        /// The builder.
        builder: ServiceName,
        /// The build release of its stones.
        build_release: u64,
    },
    /// The builder reported the state of an attempt.
    AttemptMoved {
        /// The attempt.
        attempt: AttemptId,
        /// Its state.
        state: wire::State,
        /// The lines of the recipe that are at fault in a failure.
        annotations: Vec<Annotation>,
    },
    /// The builder of an attempt does not answer.
    BuilderSilent {
        /// The attempt.
        attempt: AttemptId,
        /// Since when, and what comes of it.
        silence: Silence,
    },
    /// The builder takes no orders now.
    OrderRefused {
        /// The attempt that there would have been.
        attempt: AttemptId,
        /// The reason, as a part of a sentence.
        reason: String,
    },
    /// The builder lost the attempt, never got it, or is gone.
    AttemptLost {
        /// The attempt.
        attempt: AttemptId,
        /// The kind of cause.
        cause: Cause,
        /// What happened, for people.
        reason: String,
    },
    /// The builder no longer has the assets of an attempt, and they are still needed.
    AssetsGone {
        /// The attempt.
        attempt: AttemptId,
        /// What happened, for people.
        reason: String,
    },
    /// summit ordered an import of its assets.
    ImportBegun {
        /// The import.
        import: ImportId,
    },
    /// vessel reported the state of the import.
    ImportMoved {
        /// Its state.
        state: import::State,
    },
    /// vessel does not report the state of the import.
    ImportDelayed {
        /// The import.
        import: ImportId,
        /// The reason, for people.
        reason: String,
    },
    /// It is given up.
    Cancelled(By),
    /// A newer build takes its place.
    Superseded {
        /// The newer build; none when the recipe is gone.
        by: Option<BuildId>,
    },
}

/// An action at a builder, to be done once the transition is committed. It is idempotent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "kebab-case")]
pub enum Effect {
    /// Tell the builder that it may delete the attempt's assets.
    Release {
        /// The builder.
        builder: ServiceName,
        /// The attempt.
        attempt: AttemptId,
    },
    /// Tell the builder to stop the attempt.
    Cancel {
        /// The builder.
        builder: ServiceName,
        /// The attempt.
        attempt: AttemptId,
    },
}

impl Effect {
    /// The builder that the effect goes to.
    pub fn builder(&self) -> &ServiceName {
        match self {
            Self::Release { builder, .. } | Self::Cancel { builder, .. } => builder,
        }
    }
}

/// The error for an event that the build's state does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("build {build} in state {state} does not take {event}")]
pub struct IllegalTransition {
    build: BuildId,
    state: &'static str,
    event: &'static str,
}

impl Build {
    /// The build after `event`, and the effects to carry out. The `seq` grows only if something
    /// changes that GitHub shows.
    ///
    /// # Errors
    /// When the state does not allow the event, for example for a report on an attempt that is not
    /// the current one.
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
            let is_news = !is_asked_again(&self.state, &state);
            next.state = state;
            if is_news {
                next.answer = None;
                next.standstill = None;
            }
            next.seq += u64::from(is_news);
        } else if next.standstill != self.standstill {
            next.seq += 1;
        }
        Ok((next, effects))
    }

    fn step(&mut self, event: Event, now: Timestamp) -> Option<(State, Vec<Effect>)> {
        let state = match event {
            // A queued build waits again when a build before it has to be built again.
            Event::Blocked { on } => {
                let queued = matches!(self.state, State::Queued { .. });
                (queued || self.unscheduled()).then_some(State::Waiting { on })?
            }
            Event::Held(by) => self.hold(by, now)?,
            Event::Undrafted => {
                let is_draft = matches!(self.state.find_hold(), Some(Hold::Draft));
                is_draft.then_some(State::Planned)?
            }
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
                    silence: None,
                }
            }
            Event::AttemptMoved {
                attempt,
                state,
                annotations,
            } => {
                return self.attempt_moved(attempt, state, annotations, now);
            }
            Event::Standstill { reason } => {
                if !matches!(self.state, State::Queued { .. }) {
                    return None;
                }
                self.standstill = reason;
                self.state.clone()
            }
            Event::BuilderSilent { attempt, silence } => self.builder_silent(attempt, silence)?,
            Event::OrderRefused { attempt, reason } => self.order_refused(attempt, &reason, now)?,
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

    /// True when the scheduler decides about the build and has not queued it.
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

/// True when all that changed is when summit asks a silent builder again. GitHub is not told of it: it
/// changes every half minute.
fn is_asked_again(before: &State, now: &State) -> bool {
    let silence = |state: &State| match state {
        State::Building { silence, .. } => silence.as_ref().map(|silence| silence.since),
        State::Planned
        | State::Waiting { .. }
        | State::Queued { .. }
        | State::Built(_)
        | State::Publishing { .. }
        | State::Published { .. }
        | State::Held { .. }
        | State::Failed(_)
        | State::Cancelled { .. }
        | State::Superseded { .. } => None,
    };
    silence(before).is_some() && silence(before) == silence(now)
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
            Self::Undrafted => "undrafted",
            Self::Ready => "ready",
            Self::Delayed { .. } => "delayed",
            Self::Standstill { .. } => "standstill",
            Self::Dispatched { .. } => "dispatched",
            Self::BuilderSilent { .. } => "builder silent",
            Self::OrderRefused { .. } => "order refused",
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
