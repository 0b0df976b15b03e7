//! What becomes of a build when an attempt is lost, or the assets that it made. Each loss is
//! remembered, so that people see it and the next attempt goes elsewhere if it can.
//!
//! Attempts that builders lose are counted, because the build itself may be what brings them down.
//! Where sources cannot be had, each attempt is short and harms nobody: these go on with growing
//! pauses until the outage has lasted too long.

use api::attempt::Reason;
use api::id::{AttemptId, BuildId, ServiceName};
use jiff::{SignedDuration, Timestamp};

use super::super::Build;
use super::super::state::{Cause, Failure, FailureKind, Loss, State};
use super::Effect;

/// How many attempts builders may lose.
pub const MAX_LOST: usize = 5;

/// How long sources may be out of reach.
pub const MAX_OUTAGE: SignedDuration = SignedDuration::from_hours(2);

/// The pause before the third attempt; before each further one it is twice as long, …
const FIRST_PAUSE: i64 = 15;

/// … up to this, in seconds.
const LAST_PAUSE: i64 = 600;

/// How long a build that was lost waits before its next attempt. It goes on at once after one loss;
/// later a broken builder must not use up all attempts before anyone can mend it.
pub fn pause_after(attempts: u32) -> SignedDuration {
    let Some(exponent) = attempts.checked_sub(2) else {
        return SignedDuration::ZERO;
    };
    let seconds = FIRST_PAUSE << exponent.min(16);
    SignedDuration::from_secs(seconds.min(LAST_PAUSE))
}

/// What an attempt was lost to that may well succeed another time; none for a failure that would
/// come again.
pub(super) fn cause_of(reason: &Reason) -> Option<Cause> {
    if !reason.is_transient() {
        return None;
    }
    Some(match reason {
        Reason::CloneFailed | Reason::FetchFailed { .. } => Cause::Outage,
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
    /// True when a build in the queue may be handed to a builder; see [`pause_after`].
    pub fn is_due(&self, now: Timestamp) -> bool {
        let State::Queued { since, .. } = &self.state else {
            return false;
        };
        self.permits_running() && now.duration_since(*since) >= pause_after(self.attempts)
    }

    /// True when one more loss is no reason to give up.
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

    /// Back to the queue, or failed when that was tried often enough.
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
        let lost = self.lost(builder, Cause::Builder, reason, now);
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
