//! What becomes of a build when a builder loses an attempt or the assets that it made. Each loss is
//! remembered, so that people see it and the next attempt goes elsewhere if it can.

use api::id::{AttemptId, BuildId, ServiceName};
use jiff::Timestamp;

use super::super::Build;
use super::super::state::{Failure, FailureKind, Loss, State};
use super::{Effect, MAX_ATTEMPTS};

impl Build {
    /// Back to the queue, or failed when that was tried often enough.
    pub(super) fn lost(&mut self, builder: ServiceName, reason: String, now: Timestamp) -> State {
        self.losses.push(Loss {
            attempt: self.attempts,
            builder,
            reason: reason.clone(),
            at: now,
        });
        if self.attempts < MAX_ATTEMPTS {
            let reason = format!("attempt {} was lost: {reason}", self.attempts);
            return State::Queued {
                since: now,
                reason: Some(reason),
            };
        }
        State::Failed(Failure {
            kind: FailureKind::Lost,
            phase: None,
            message: format!(
                "{} attempts were lost; the last one: {reason}",
                self.attempts
            ),
            annotations: Vec::new(),
            at: now,
        })
    }

    /// As [`Self::lost`] for a build that was built. The members of a cycle are built against each
    /// other's stones, so those that are gone have to come again first.
    pub(super) fn built_in_vain(
        &mut self,
        builder: ServiceName,
        reason: String,
        now: Timestamp,
    ) -> State {
        let members = self.cycle.iter().take_while(|id| **id != self.id);
        let on: Vec<BuildId> = members.copied().collect();
        let lost = self.lost(builder, reason, now);
        if matches!(lost, State::Queued { .. }) && !on.is_empty() {
            return State::Waiting { on };
        }
        lost
    }

    /// What was built and is not published goes, with its builder.
    pub(super) fn assets_gone(
        &mut self,
        attempt: AttemptId,
        reason: String,
        now: Timestamp,
    ) -> Option<(State, Vec<Effect>)> {
        let is_current = attempt == AttemptId::new(self.id, self.attempts);
        let State::Built(built) = &self.state else {
            return None;
        };
        if !is_current || built.released_at.is_some() {
            return None;
        }
        let builder = built.builder.clone();
        let release = vec![Effect::Release {
            builder: builder.clone(),
            attempt,
        }];
        Some((self.built_in_vain(builder, reason, now), release))
    }
}
