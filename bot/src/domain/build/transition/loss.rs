//! Transitions when a builder loses an attempt or its assets. The build stores each loss, so that
//! people see it and the next attempt goes to another builder if possible.
//!
//! The number of attempts that builders may lose is limited, because the build itself may crash
//! them. When sources cannot be reached, an attempt is short and harms nobody; and a builder whose disk
//! is full takes no other attempt before there is room. These attempts are retried with growing pauses
//! until the outage has lasted too long.

use api::attempt::Reason;
use api::id::{AttemptId, BuildId, ServiceName};
use jiff::{SignedDuration, Timestamp};

use super::super::Build;
use super::super::state::{Cause, Failure, FailureKind, Loss, State};
use super::Effect;

/// A build fails with this many attempts lost by builders.
pub const MAX_LOST: usize = 5;

/// How long an outage may last before the build fails.
pub const MAX_OUTAGE: SignedDuration = SignedDuration::from_hours(2);

/// The pause before the third attempt, in seconds. It doubles before each further attempt.
const FIRST_PAUSE: i64 = 15;

/// The longest pause, in seconds.
const LAST_PAUSE: i64 = 600;

/// The pause before the next attempt, after `attempts` attempts. There is none after the first
/// attempt. Later pauses give people time to repair a broken builder before it uses up all
/// attempts.
pub fn pause_after(attempts: u32) -> SignedDuration {
    let Some(exponent) = attempts.checked_sub(2) else {
        return SignedDuration::ZERO;
    };
    let seconds = FIRST_PAUSE << exponent.min(16);
    SignedDuration::from_secs(seconds.min(LAST_PAUSE))
}

/// The cause, when a failure is transient and the attempt counts as lost; none for a failure that
/// would come again.
pub(super) fn cause_of(reason: &Reason) -> Option<Cause> {
    if !reason.is_transient() {
        return None;
    }
    Some(match reason {
        Reason::CloneFailed | Reason::FetchFailed { .. } | Reason::DiskFull { .. } => Cause::Outage,
        Reason::Interrupted
        | Reason::Internal
        | Reason::RecipeInvalid { .. }
        | Reason::HashMismatch { .. }
        | Reason::SourceMissing { .. }
        | Reason::UnpackFailed
        | Reason::HostLacks { .. }
        | Reason::ScriptFailed { .. }
        | Reason::LimitReached { .. }
        | Reason::SandboxRefused
        | Reason::PackagingFailed => Cause::Builder,
    })
}

impl Build {
    /// True when the build is queued, may run, and its pause is over; see [`pause_after`].
    pub fn is_due(&self, now: Timestamp) -> bool {
        let State::Queued { since, .. } = &self.state else {
            return false;
        };
        self.permits_running() && now.duration_since(*since) >= pause_after(self.attempts)
    }

    /// True when the build may be retried after one more loss.
    pub(super) fn may_lose(&self, cause: Cause, now: Timestamp) -> bool {
        match cause {
            Cause::Builder => {
                let lost = self.losses.iter().filter(|loss| loss.cause == cause);
                lost.count() + 1 < MAX_LOST
            }
            Cause::Outage => {
                let row = self.losses.iter().rev();
                let first = row.take_while(|loss| loss.cause == cause).last();
                first.is_none_or(|first| now.duration_since(first.at) < MAX_OUTAGE)
            }
        }
    }

    /// The state after a loss: queued again, or failed after too many losses.
    pub(super) fn lost(
        &mut self,
        builder: ServiceName,
        cause: Cause,
        reason: String,
        now: Timestamp,
    ) -> State {
        let goes_on = self.may_lose(cause, now);
        self.losses.push(Loss {
            attempt: self.attempts,
            builder,
            cause,
            reason: reason.clone(),
            at: now,
        });
        if goes_on {
            let mut reason = format!("attempt {} was lost: {reason}", self.attempts);
            let pause = pause_after(self.attempts);
            if !pause.is_zero() {
                let next = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
                reason = format!(
                    "{reason}; the next begins at {}",
                    next.strftime("%H:%M:%S UTC")
                );
            }
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
                self.losses.len()
            ),
            annotations: Vec::new(),
            at: now,
        })
    }

    /// Like [`Self::lost`], when the assets of a finished build are gone. A member of a cycle is
    /// built with the stones of the members before it, so it waits for these first.
    pub(super) fn built_in_vain(
        &mut self,
        builder: ServiceName,
        reason: String,
        now: Timestamp,
    ) -> State {
        let members = self.cycle.iter().take_while(|id| **id != self.id);
        let on: Vec<BuildId> = members.copied().collect();
        let lost = self.lost(builder, Cause::Builder, reason, now);
        if matches!(lost, State::Queued { .. }) && !on.is_empty() {
            return State::Waiting { on };
        }
        lost
    }

    /// The transition when the builder no longer has the assets of a build that is not published.
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
