//! Sends one check run.

use api::id::Sha256;

use super::Summit;
use crate::domain::build::Shown;
use crate::domain::check_run::{Desired, Status};
pub(super) use crate::github::Place;
use crate::github::{self, Class, Sent, Turn};

impl Summit {
    /// Sends one write with the state and as many annotations as one request takes.
    pub(super) async fn send(
        &self,
        turn: Turn,
        place: &Place,
        desired: &Desired,
        shown: &mut Shown,
    ) -> Result<Sent, github::Error> {
        let concluded = matches!(desired.status, Status::Completed(_));
        if shown.concluded && !concluded {
            // A concluded run cannot be reopened, so a new run replaces it.
            shown.past.extend(shown.run.take());
            shown.concluded = false;
        }
        let run = loop {
            if let Some(run) = shown.run {
                break run;
            }
            let found = self
                .app
                .find_check_run(place, &desired.name, &shown.past)
                .await?;
            match found {
                // summit concluded this run before a crash. It cannot be reopened either.
                Some(found) if found.is_completed() && !concluded => shown.past.push(found.id),
                Some(found) => shown.run = Some(found.id),
                None => {
                    let sent = self.app.create_check_run(turn, place, desired).await?;
                    shown.run = Some(sent.id);
                    shown.concluded = concluded;
                    return Ok(sent);
                }
            }
        };
        let sent = self
            .app
            .update_check_run(turn, &place.repository, run, desired)
            .await?;
        shown.concluded = concluded;
        Ok(sent)
    }
}

/// The class of the next write of a check run with this desired status.
pub(super) fn class(status: Status, shown: &Shown) -> Class {
    match status {
        _ if shown.refused.is_some() => Class::Progress,
        // After a conclusion: more annotations, or a changed conflict.
        Status::Completed(_) if shown.concluded && shown.run.is_some() => Class::Progress,
        Status::Completed(_) => Class::Conclusion,
        Status::Queued | Status::InProgress if shown.run.is_none() => Class::Beginning,
        Status::Queued | Status::InProgress => Class::Progress,
    }
}

/// A digest of the content; equal content is not sent twice.
pub(super) fn digest(desired: &Desired) -> String {
    let json = serde_json::to_vec(desired).expect("a check run has no maps with odd keys");
    Sha256::of(&json).to_string()
}
