//! Going on to tell what is built, for as long as the line serves.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use api::id::BuildId;
use tokio::time::Instant;

use super::follow::{PACE, PATIENCE};
use super::{Error, Session};
use crate::screen::{Lines, has_ended};

/// How often summit is asked for something new while nothing moves.
const IDLE_PACE: Duration = Duration::from_secs(1);

impl Session {
    /// Shows every build that is begun and each of its steps, until this is dropped.
    pub async fn watch(&self, lines: &mut Lines) -> Infallible {
        let mut moving = BTreeSet::new();
        let mut is_told = false;
        loop {
            let asked = Instant::now();
            match self.look(&mut moving, lines).await {
                Ok(()) => is_told = false,
                // It may answer again, so that this is no reason to stop; nor to say it twice.
                Err(error) => {
                    if !std::mem::replace(&mut is_told, true) {
                        let error = service::error::Chain(&error).to_string();
                        tracing::warn!(%error, "cannot tell what is built");
                    }
                }
            }
            let pace = if moving.is_empty() { IDLE_PACE } else { PACE };
            tokio::time::sleep(pace.max(asked.elapsed() * PATIENCE)).await;
        }
    }

    async fn look(&self, moving: &mut BTreeSet<BuildId>, lines: &mut Lines) -> Result<(), Error> {
        let builds = self.recent_builds(moving).await?;
        lines.show(&builds, self.clock.now());
        *moving = builds
            .iter()
            .filter(|build| !has_ended(build))
            .map(|build| build.id)
            .collect();
        Ok(())
    }
}
