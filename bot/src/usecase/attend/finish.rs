//! Stores the outcome of an attempt.

use std::time::Duration;

use api::attempt::{Asset, Failure, Reason, State as AttemptState};
use api::id::{AttemptId, ServiceName};
use reqwest::StatusCode;
use service::error::Chain;
use tokio::time::Instant;
use url::Url;

use crate::db::ChangeError;
use crate::domain::build::{Build, Cause, Event};
use crate::usecase::dispatch::closure::builds_before;
use crate::usecase::manifest::{self, Kept};
use crate::usecase::{Backoff, Summit};

impl Summit {
    /// Stores the outcome of an attempt. A success is stored together with its manifest, because
    /// later builds need the manifest to choose the attempt's stones. A success without a readable
    /// manifest is lost.
    pub(super) async fn finish(
        &self,
        build: &Build,
        attempt: AttemptId,
        builder: &ServiceName,
        mut state: AttemptState,
    ) {
        let (mut kept, mut in_vain) = (None, None);
        match &mut state {
            AttemptState::Succeeded { assets, .. } => {
                match self.fetch_manifest(builder, assets).await {
                    Ok(manifest) => kept = manifest,
                    Err(error) => in_vain = Some(Chain(&error).to_string()),
                }
            }
            AttemptState::Failed { failure, .. } => {
                if let Some(missed) = self.missed(build, failure).await {
                    *failure = missed;
                }
            }
            AttemptState::Accepted { .. }
            | AttemptState::Running { .. }
            | AttemptState::Cancelled { .. }
            | AttemptState::Expired { .. } => {}
        }
        let annotations = self.annotations(build, &state).await;
        let mut events = vec![Event::AttemptMoved {
            attempt,
            state,
            annotations,
        }];
        events.extend(in_vain.map(|reason| Event::AssetsGone { attempt, reason }));
        self.settle(attempt, events, kept).await;
    }

    pub(super) async fn lost(&self, attempt: AttemptId, cause: Cause, reason: String) {
        tracing::warn!(attempt.id = %attempt, reason, "an attempt is lost");
        let event = Event::AttemptLost {
            attempt,
            cause,
            reason,
        };
        self.settle(attempt, vec![event], None).await;
    }

    pub(super) async fn order_refused(&self, attempt: AttemptId, reason: String) {
        let event = Event::OrderRefused { attempt, reason };
        self.settle(attempt, vec![event], None).await;
    }

    /// Commits the end of an attempt in one transaction.
    async fn settle(&self, attempt: AttemptId, events: Vec<Event>, manifest: Option<Kept>) {
        let mut backoff = Backoff::new();
        loop {
            let (tables, now) = (self.tables.clone(), self.clock.now());
            let (events, manifest) = (events.clone(), manifest.clone());
            let settled = self.submit(move |txn| {
                for event in events {
                    tables.change(txn, attempt.build(), event, now)?;
                }
                match manifest {
                    Some(kept) => Ok(tables.manifests.put(txn, &attempt, &kept)?),
                    None => Ok::<_, ChangeError>(()),
                }
            });
            match settled.await {
                Ok(()) | Err(ChangeError::Illegal(_) | ChangeError::Unknown(_)) => return,
                Err(error) => {
                    tracing::error!(%error, "an attempt's end cannot be stored yet");
                    backoff.wait().await;
                }
            }
        }
    }

    /// Fetches the manifest of an attempt. While the builder does not answer, this function retries
    /// for as long as an attempt may be without an answer.
    async fn fetch_manifest(
        &self,
        builder: &ServiceName,
        assets: &[Asset],
    ) -> Result<Option<Kept>, manifest::Error> {
        let Some(known) = self.builders.get(builder) else {
            return Ok(None);
        };
        let patience = 2 * Duration::from_secs(self.config.limits.lease_seconds.into());
        let begun = Instant::now();
        let mut backoff = Backoff::new();
        loop {
            match manifest::fetch(&self.http, &known.public_url, assets).await {
                // The builder keeps the assets, and an operator can mend the configuration.
                Err(error @ manifest::Error::Foreign { .. }) => {
                    tracing::error!(
                        builder.name = %builder,
                        error = %Chain(&error),
                        "an attempt waits: set `public_url` of its builder in the configuration"
                    );
                    backoff.wait().await;
                }
                Err(error) if error.is_passing() && begun.elapsed() < patience => {
                    tracing::warn!(builder.name = %builder, error = %Chain(&error), "no manifest yet");
                    backoff.wait().await;
                }
                end => return end,
            }
        }
    }

    /// Explains an attempt that failed because an earlier build's stones are gone; else `None`. It
    /// also sends that earlier build back to the queue, since no build that needs its stones can
    /// succeed.
    async fn missed(&self, build: &Build, failure: &Failure) -> Option<Failure> {
        let (url, is_changed) = match &failure.reason {
            Reason::FetchFailed { url } => (url, false),
            Reason::HashMismatch { url, .. } => (url, true),
            Reason::CloneFailed
            | Reason::RecipeInvalid { .. }
            | Reason::SourceMissing { .. }
            | Reason::UnpackFailed
            | Reason::HostLacks { .. }
            | Reason::ScriptFailed { .. }
            | Reason::LimitReached { .. }
            | Reason::SandboxRefused
            | Reason::PackagingFailed
            | Reason::DiskFull { .. }
            | Reason::Interrupted
            | Reason::Internal => return None,
        };
        let (tables, own) = (self.tables.clone(), build.clone());
        let before = self.db.query(move |txn| builds_before(&tables, txn, &own));
        let before = match before.await {
            Ok(before) => before,
            Err(error) => {
                tracing::error!(%error, "the build of the missing stones cannot be found");
                return None;
            }
        };
        let made = |earlier: &Build| {
            let built = earlier.find_assets()?;
            let asset = built
                .assets
                .iter()
                .find(|asset| asset.uri.as_str() == url)?;
            Some((built.builder.clone(), asset.uri.clone()))
        };
        let (earlier, (builder, uri)) = before
            .iter()
            .find_map(|earlier| Some((earlier, made(earlier)?)))?;
        if !is_changed && !self.is_gone(&uri).await {
            return None;
        }
        let attempt = AttemptId::new(earlier.id, earlier.attempts);
        let reason = match is_changed {
            true => format!("the stones on {builder} have changed since the build"),
            false => format!("{builder} no longer has the stones"),
        };
        tracing::warn!(attempt.id = %attempt, reason, "built in vain");
        match self
            .change(earlier.id, Event::AssetsGone { attempt, reason })
            .await
        {
            Ok(_) | Err(ChangeError::Illegal(_) | ChangeError::Unknown(_)) => {}
            Err(error) => tracing::error!(%error, "a build cannot be sent back"),
        }
        Some(Failure {
            phase: failure.phase,
            reason: Reason::FetchFailed { url: url.clone() },
            message: format!(
                "the stones of the earlier build of {} are gone",
                earlier.recipe
            ),
        })
    }

    /// True when the builder answers that the file does not exist.
    async fn is_gone(&self, uri: &Url) -> bool {
        let answer = self.http.head(uri.clone()).send().await;
        answer
            .is_ok_and(|answer| matches!(answer.status(), StatusCode::NOT_FOUND | StatusCode::GONE))
    }
}
