//! Transitions while vessel imports a build into the channel.

use api::id::{AttemptId, ImportId};
use api::import;
use jiff::Timestamp;

use super::super::state::{Failure, FailureKind, Overtaken, State};
use super::super::{Build, explain};
use super::Effect;

impl Build {
    pub(super) fn import_moved(
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
            | import::State::Publishing => {
                (self.standing_at(explain::standing(&state)), Vec::new())
            }
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
            // The builder failed, not the recipe: another builder may build it again.
            import::State::Refused { refusal, .. }
                if refusal.reason == import::RefusalReason::AssetGone =>
            {
                let lost = self.built_in_vain(builder, refusal.message, now);
                // Building the older one again is pointless: the channel takes no lower release.
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

    /// Notes why vessel does not report the state of the import.
    pub(super) fn import_delayed(&self, asked: ImportId, reason: String) -> Option<State> {
        let is_asked = matches!(&self.state, State::Publishing { import, .. } if *import == asked);
        is_asked.then(|| self.standing_at(Some(reason)))
    }

    /// The present state; in `Publishing` with `now` as vessel's last report.
    fn standing_at(&self, now: Option<String>) -> State {
        let mut state = self.state.clone();
        if let State::Publishing { standing, .. } = &mut state {
            *standing = now;
        }
        state
    }
}
