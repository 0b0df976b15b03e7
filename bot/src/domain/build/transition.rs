//! How builds move: `(Build, Event, now) → (Build, effects)`.

mod loss;

use api::attempt;
use api::id::{AttemptId, BuildId, ImportId, ServiceName};
use api::import;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::state::{By, Failure, FailureKind, Hold, Overtaken, Progress, State, Success};
use super::{Annotation, Build};

/// How many attempts a build gets when attempts are lost through no fault of the recipe.
pub const MAX_ATTEMPTS: u32 = 5;

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
    },
    /// The builder told where an attempt stands.
    AttemptMoved {
        /// Which attempt.
        attempt: AttemptId,
        /// Where it stands.
        state: attempt::State,
        /// Places in the recipe that a failure is about.
        annotations: Vec<Annotation>,
    },
    /// The builder lost the attempt or is gone.
    AttemptLost {
        /// Which attempt.
        attempt: AttemptId,
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
            Event::Dispatched { builder } => {
                if !matches!(self.state, State::Queued { .. }) {
                    return None;
                }
                self.attempts += 1;
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
            Event::AttemptLost { attempt, reason } => {
                let builder = self.current_builder(attempt)?.0.clone();
                self.lost(builder, reason, now)
            }
            Event::AssetsGone { attempt, reason } => {
                return self.assets_gone(attempt, reason, now);
            }
            Event::ImportBegun { import } => {
                let State::Built(built) = &self.state else {
                    return None;
                };
                let built = built.clone();
                let overtaken = None;
                self.target.is_published().then_some(State::Publishing {
                    import,
                    built,
                    overtaken,
                })?
            }
            Event::ImportMoved { state } => return self.import_moved(state, now),
            Event::Cancelled(by) => return self.give_up(State::Cancelled { by, at: now }, now),
            // What is being published may be seen already: it is published to the end. Only if it
            // cannot be, the newer one counts. The members of a cycle are published as one, so
            // one of them cannot be left out.
            Event::Superseded { by } => match &self.state {
                State::Publishing { import, built, .. } => {
                    self.cycle.is_empty().then(|| State::Publishing {
                        import: *import,
                        built: built.clone(),
                        overtaken: Some(Overtaken { by }),
                    })?
                }
                State::Planned
                | State::Waiting { .. }
                | State::Queued { .. }
                | State::Building { .. }
                | State::Built(_)
                | State::Published { .. }
                | State::Held { .. }
                | State::Failed(_)
                | State::Cancelled { .. }
                | State::Superseded { .. } => {
                    return self.give_up(State::Superseded { by, at: now }, now);
                }
            },
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

    /// The builder of the current attempt, if that is `attempt`.
    fn current_builder(&self, attempt: AttemptId) -> Option<(&ServiceName, Timestamp)> {
        let State::Building { builder, since, .. } = &self.state else {
            return None;
        };
        (attempt == AttemptId::new(self.id, self.attempts)).then_some((builder, *since))
    }

    fn attempt_moved(
        &mut self,
        attempt: AttemptId,
        state: attempt::State,
        annotations: Vec<Annotation>,
        now: Timestamp,
    ) -> Option<(State, Vec<Effect>)> {
        let (builder, since) = self.current_builder(attempt)?;
        let builder = builder.clone();
        let building = |progress| State::Building {
            builder: builder.clone(),
            progress,
            since,
        };
        let release = vec![Effect::Release {
            builder: builder.clone(),
            attempt,
        }];
        Some(match state {
            attempt::State::Accepted { ahead } => {
                (building(Progress::Accepted { ahead }), Vec::new())
            }
            attempt::State::Running { phase, since } => {
                (building(Progress::Running { phase, since }), Vec::new())
            }
            attempt::State::Succeeded {
                assets,
                host,
                finished_at,
            } => (
                State::Built(Success {
                    builder,
                    assets,
                    host,
                    at: finished_at,
                    released_at: None,
                }),
                Vec::new(),
            ),
            attempt::State::Failed { failure, .. }
                if failure.reason.is_transient() && self.attempts < MAX_ATTEMPTS =>
            {
                (self.lost(builder, failure.message, now), release)
            }
            attempt::State::Failed {
                failure,
                finished_at,
            } => {
                let mut message = failure.message;
                if failure.reason.is_transient() {
                    message = format!("{message} (the last of {} attempts)", self.attempts);
                }
                let failed = Failure {
                    kind: FailureKind::Attempt,
                    phase: Some(failure.phase),
                    message,
                    annotations,
                    at: finished_at,
                };
                (State::Failed(failed), release)
            }
            attempt::State::Cancelled { .. } => (
                self.lost(builder, "the builder was told to cancel it".to_owned(), now),
                release,
            ),
            attempt::State::Expired { .. } => (
                self.lost(builder, "its lease ran out".to_owned(), now),
                release,
            ),
        })
    }

    fn import_moved(
        &mut self,
        state: import::State,
        now: Timestamp,
    ) -> Option<(State, Vec<Effect>)> {
        let State::Publishing {
            built, overtaken, ..
        } = &self.state
        else {
            return None;
        };
        let (builder, overtaken) = (built.builder.clone(), *overtaken);
        let attempt = AttemptId::new(self.id, self.attempts);
        let release = vec![Effect::Release {
            builder: built.builder.clone(),
            attempt,
        }];
        Some(match state {
            import::State::Accepted { .. }
            | import::State::Fetching { .. }
            | import::State::Waiting { .. }
            | import::State::Publishing => (self.state.clone(), Vec::new()),
            import::State::Published {
                history,
                finished_at,
            } => (
                State::Published {
                    history,
                    at: finished_at,
                },
                release,
            ),
            // The builder is what failed, not the recipe: another one may build it again.
            import::State::Refused { refusal, .. }
                if refusal.reason == import::RefusalReason::AssetGone =>
            {
                let lost = self.built_in_vain(builder, refusal.message, now);
                // To build the older one again would be in vain: the channel takes no lower release.
                let to =
                    overtaken.map_or(lost, |Overtaken { by }| State::Superseded { by, at: now });
                (to, release)
            }
            import::State::Refused {
                refusal,
                finished_at,
            } => {
                let failed = Failure {
                    kind: FailureKind::Refused,
                    phase: None,
                    message: refusal.message,
                    annotations: Vec::new(),
                    at: finished_at,
                };
                (State::Failed(failed), release)
            }
        })
    }

    fn give_up(&self, to: State, now: Timestamp) -> Option<(State, Vec<Effect>)> {
        let attempt = AttemptId::new(self.id, self.attempts);
        match &self.state {
            State::Planned | State::Waiting { .. } | State::Queued { .. } | State::Held { .. } => {
                Some((to, Vec::new()))
            }
            State::Building { builder, .. } => Some((
                to,
                vec![Effect::Cancel {
                    builder: builder.clone(),
                    attempt,
                }],
            )),
            // A pull request's build has succeeded; only its assets are not needed any more.
            State::Built(Success {
                released_at: Some(_),
                ..
            }) => None,
            State::Built(built) => {
                let to = if self.target.is_published() {
                    to
                } else {
                    State::Built(Success {
                        released_at: Some(now),
                        ..built.clone()
                    })
                };
                Some((
                    to,
                    vec![Effect::Release {
                        builder: built.builder.clone(),
                        attempt,
                    }],
                ))
            }
            State::Publishing { .. }
            | State::Published { .. }
            | State::Failed(_)
            | State::Cancelled { .. }
            | State::Superseded { .. } => None,
        }
    }
}

impl State {
    /// The state's name in errors and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Waiting { .. } => "waiting",
            Self::Queued { .. } => "queued",
            Self::Building { .. } => "building",
            Self::Built(_) => "built",
            Self::Publishing { .. } => "publishing",
            Self::Published { .. } => "published",
            Self::Held { .. } => "held",
            Self::Failed(_) => "failed",
            Self::Cancelled { .. } => "cancelled",
            Self::Superseded { .. } => "superseded",
        }
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
            Self::Cancelled(_) => "cancelled",
            Self::Superseded { .. } => "superseded",
        }
    }
}

#[cfg(test)]
mod tests;
