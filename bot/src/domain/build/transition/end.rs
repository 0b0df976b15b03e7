//! Giving a build up: on purpose, or because a newer build replaces it.

use api::id::{AttemptId, BuildId};
use jiff::Timestamp;

use super::super::Build;
use super::super::state::{Overtaken, State, Success};
use super::Effect;

impl Build {
    /// Supersedes the build. If it is in `Publishing`, clients may see it already, so the import
    /// goes on, and the newer build counts only if the import fails. A member of a cycle does not
    /// take the event then: a cycle is published as a whole.
    pub(super) fn superseded(
        &self,
        by: Option<BuildId>,
        now: Timestamp,
    ) -> Option<(State, Vec<Effect>)> {
        let mut state = self.state.clone();
        let State::Publishing { overtaken, .. } = &mut state else {
            return self.give_up(State::Superseded { by, at: now }, now);
        };
        *overtaken = Some(Overtaken { by });
        self.cycle.is_empty().then_some((state, Vec::new()))
    }

    pub(super) fn give_up(&self, to: State, now: Timestamp) -> Option<(State, Vec<Effect>)> {
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
            // A pull request's build has succeeded, and its assets are released already.
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
