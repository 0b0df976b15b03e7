//! The life of one attempt that was taken: its turn, its work, its end.

use std::sync::Arc;
use std::time::Duration;

use api::attempt::{Failure, Order, Phase, Reason, State};
use api::id::AttemptId;
use secrecy::SecretString;

use super::super::disk::Disk;
use super::super::failure::Halt;
use super::super::live::{Cause, Live};
use super::super::queue::{Slot, Turn};
use super::super::run::{Done, Run};
use super::super::space::no_room;
use super::super::workspace::Workspace;
use super::Engine;
use crate::domain::lifecycle::Event;
use crate::helper::Helper;

/// How long between two tries to write a final state that could not be written.
const RETRY: Duration = Duration::from_secs(2);

impl Engine {
    /// Runs the attempt and returns what became of it.
    pub(super) async fn drive(
        &self,
        live: &Live,
        id: AttemptId,
        order: &Order,
        token: Option<SecretString>,
    ) -> Event {
        let wall = Duration::from_secs(u64::from(order.limits.wall_seconds));
        let halt = match self.wait_for_slot(live, id).await {
            Ok(slot) => {
                let work = self.work(live, id, order, token, &slot);
                tokio::pin!(work);
                let result = tokio::select! {
                    result = &mut work => result,
                    () = tokio::time::sleep(wall) => {
                        live.stop(Cause::WallTime);
                        work.await
                    }
                    excess = self.disk(id).excess() => {
                        live.stop(Cause::Exceeded(excess));
                        work.await
                    }
                };
                match result {
                    Ok(Done { assets, host }) => return Event::Succeeded { assets, host },
                    Err(halt) => halt,
                }
            }
            Err(halt) => halt,
        };
        let phase = match live.attempt().state {
            State::Running { phase, .. } => phase,
            State::Accepted { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. }
            | State::Expired { .. } => Phase::Clone,
        };
        end(halt, live.cause(), phase, order)
    }

    fn disk(&self, id: AttemptId) -> Disk {
        let parts = &self.inner.parts;
        Disk::new(parts.work.join(id.to_string()), parts.limits.disk_bytes)
    }

    async fn wait_for_slot(&self, live: &Live, id: AttemptId) -> Result<Slot, Halt> {
        let mut place = self.inner.queue.join(id);
        let mut told = 0;
        loop {
            match place.turn() {
                Turn::Come(slot) => return Ok(slot),
                Turn::Wait(ahead) if ahead != told => {
                    told = ahead;
                    live.log.say(&format!(
                        "==> waiting: {ahead} attempts stand before this one"
                    ));
                    self.inner
                        .parts
                        .advance(live, Event::Moved { ahead })
                        .await
                        .map_err(|error| Halt::internal("note a place in the queue", &error))?;
                }
                Turn::Wait(_) => {}
            }
            live.stopping()
                .run_until_cancelled(place.moved())
                .await
                .ok_or(Halt::Stopped)?;
        }
    }

    async fn work(
        &self,
        live: &Live,
        id: AttemptId,
        order: &Order,
        token: Option<SecretString>,
        slot: &Slot,
    ) -> Result<Done, Halt> {
        let parts = &self.inner.parts;
        if let Some(lack) = self.make_room().await {
            return Err(no_room(lack));
        }
        let identity = parts.identity(slot.number());
        let work = parts.work.clone();
        let made =
            tokio::task::spawn_blocking(move || Workspace::create(&work, id, identity)).await;
        let workspace = made
            .map_err(std::io::Error::other)
            .and_then(|made| made)
            .map_err(|error| Halt::internal("make a workspace", &error))?;
        let group = parts
            .delegation
            .as_ref()
            .map(|delegation| delegation.group(&id.to_string(), &parts.limits))
            .transpose()
            .map_err(|error| Halt::internal("make a control group", &error))?
            .map(Arc::new);
        let run = Run {
            parts,
            live,
            id,
            helper: Helper::new(parts.executable.clone(), identity).within(group),
            workspace: Arc::new(workspace),
            log: live.log.clone(),
        };
        let result = Box::pin(run.all(order, token))
            .await
            .map_err(|halt| parts.floor.judge(halt));
        // Removing what a build left may take a while.
        let left = (run.helper, run.workspace);
        let _ = tokio::task::spawn_blocking(move || drop(left)).await;
        result
    }

    /// Removes what an attempt has made that does not succeed: it may have been stopped when its
    /// assets were there already, or while they were written.
    pub(super) async fn take_back_assets(&self, id: AttemptId) {
        let parts = &self.inner.parts;
        let folders = [&parts.emitting, &parts.assets].map(|folder| folder.join(id.to_string()));
        let removed = tokio::task::spawn_blocking(move || {
            folders
                .iter()
                .try_for_each(|folder| super::super::workspace::remove(folder))
        });
        if let Ok(Err(error)) = removed.await {
            tracing::warn!(
                attempt.id = %id, %error,
                "cannot remove the assets of an attempt; the next start tries again"
            );
        }
    }

    /// Writes a final state, however long it takes to be possible.
    pub(super) async fn finish(&self, live: &Live, event: Event) {
        let parts = &self.inner.parts;
        let last_words = match &event {
            Event::Failed(failure) => {
                format!("==> failed in {}: {}", failure.phase, failure.message)
            }
            Event::Succeeded { assets, .. } => format!("==> succeeded with {} files", assets.len()),
            Event::Cancelled => "==> cancelled".to_owned(),
            Event::Expired => "==> expired: nobody has read this attempt for its lease".to_owned(),
            Event::Moved { .. } | Event::Entered(_) | Event::Networked(_) => String::new(),
        };
        live.log.say(&last_words);
        let id = live.attempt().id;
        while let Err(error) = parts.advance(live, event.clone()).await {
            tracing::error!(attempt.id = %id, %error, "cannot write the end of an attempt");
            if parts.supervisor.token().is_cancelled() {
                break; // The next start finds it unfinished and says so.
            }
            tokio::time::sleep(RETRY).await;
        }
        self.lives().remove(&id);
        tracing::info!(attempt.id = %id, end = last_words.trim_start_matches("==> "), "an attempt ended");
    }
}

/// What becomes of an attempt that did not come to its end.
fn end(halt: Halt, cause: Option<Cause>, phase: Phase, order: &Order) -> Event {
    let failed = |reason, message: String| {
        Event::Failed(Failure {
            phase,
            reason,
            message,
        })
    };
    match (halt, cause) {
        (Halt::Failed { reason, message }, None) => failed(reason, message),
        // What fails because it is being stopped, is stopped.
        (_, Some(Cause::Cancelled)) => Event::Cancelled,
        (_, Some(Cause::Expired)) => Event::Expired,
        (_, Some(Cause::WallTime)) => failed(
            Reason::LimitReached {
                limit: "wall_seconds".to_owned(),
            },
            format!(
                "it took longer than the {} seconds it may",
                order.limits.wall_seconds
            ),
        ),
        (_, Some(Cause::Exceeded(excess))) => failed(
            Reason::LimitReached {
                limit: excess.resource.key().to_owned(),
            },
            excess.to_string(),
        ),
        (_, Some(Cause::Shutdown)) | (Halt::Stopped, None) => failed(
            Reason::Interrupted,
            "the builder was stopped while this ran".to_owned(),
        ),
    }
}
