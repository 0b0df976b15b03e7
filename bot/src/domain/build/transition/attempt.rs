//! Transitions while a build is at a builder.

use api::attempt;
use api::id::{AttemptId, ServiceName};
use jiff::Timestamp;

use super::super::state::{Cause, Failure, FailureKind, Progress, State, Success};
use super::super::{Annotation, Build};
use super::Effect;
use super::loss::cause_of;
use crate::domain::silence::Silence;

impl Build {
    /// The builder of `attempt` and the start of `Building`, if `attempt` is the current one.
    pub(super) fn current_builder(&self, attempt: AttemptId) -> Option<(&ServiceName, Timestamp)> {
        let State::Building { builder, since, .. } = &self.state else {
            return None;
        };
        (attempt == AttemptId::new(self.id, self.attempts)).then_some((builder, *since))
    }

    /// The transition when the builder of an attempt does not answer.
    pub(super) fn builder_silent(&self, attempt: AttemptId, silence: Silence) -> Option<State> {
        self.current_builder(attempt)?;
        let mut state = self.state.clone();
        if let State::Building { silence: known, .. } = &mut state {
            *known = Some(silence);
        }
        Some(state)
    }

    /// The transition when the builder did not take the order. So there was no such attempt, and the
    /// next one has its number.
    pub(super) fn order_refused(
        &mut self,
        attempt: AttemptId,
        reason: &str,
        now: Timestamp,
    ) -> Option<State> {
        let (builder, _) = self.current_builder(attempt)?;
        let reason = format!("{builder} did not take it: {reason}");
        self.attempts -= 1;
        Some(State::Queued {
            since: now,
            reason: Some(reason),
        })
    }

    pub(super) fn attempt_moved(
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
            silence: None,
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
            attempt::State::Failed {
                failure,
                finished_at,
            } => {
                let mut message = failure.message;
                if let Some(cause) = cause_of(&failure.reason) {
                    if self.may_lose(cause, now) {
                        return Some((self.lost(builder, cause, message, now), release));
                    }
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
                self.lost(
                    builder,
                    Cause::Builder,
                    "the builder cancelled it without a request from summit".to_owned(),
                    now,
                ),
                release,
            ),
            attempt::State::Expired { .. } => (
                self.lost(builder, Cause::Builder, "its lease ran out".to_owned(), now),
                release,
            ),
        })
    }
}
