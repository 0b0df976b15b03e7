//! Follows imports: orders them, and takes the outcome for all builds of one together.

use std::convert::Infallible;
use std::sync::Arc;

use api::attempt::AssetKind;
use api::claims::Scope;
use api::id::ImportId;
use api::import::{
    BuildStones, Import, Order, Refusal, RefusalReason, State as ImportState, Stone,
};
use jiff::Timestamp;
use service::client::CallError;
use service::error::Chain;

use super::keyed::{self, Wanted};
use super::{Backoff, Summit};
use crate::db::ChangeError;
use crate::domain::build::{Build, Event, State};

pub(super) async fn work(summit: Arc<Summit>) {
    let follow = |import, builds| {
        let summit = Arc::clone(&summit);
        async move { summit.follow_import(import, builds).await }
    };
    let wake = &summit.wakes.publish;
    let publishing = || std::future::ready(Ok::<_, Infallible>(summit.publishing()));
    keyed::run(wake, "imports", publishing, follow).await;
}

impl Summit {
    fn publishing(&self) -> Wanted<ImportId, Vec<Arc<Build>>> {
        let imports: Vec<_> = self.under_way().imports().collect();
        imports.into()
    }

    /// Orders an import and follows it to its end. Ordering is idempotent, so this begins anew
    /// after a crash.
    async fn follow_import(self: &Arc<Self>, id: ImportId, builds: Vec<Arc<Build>>) {
        let order = order(&builds, self.config.vessel.channel.clone());
        let mut backoff = Backoff::new();
        let path = format!("/api/v1/imports/{id}");
        let mut ordering = true;
        let mut answer = self
            .vessel
            .put::<Import>(Scope::Imports, &path, &order)
            .await;
        loop {
            match answer {
                Ok(import) => {
                    backoff.reset();
                    if import.state.is_final() {
                        // Before anyone is told, so that a plan knows it should vessel go away then.
                        for channel in builds.iter().filter_map(|b| self.channels.get(&b.profile)) {
                            if let Err(error) = channel.latest().await {
                                let error = Chain(&error);
                                tracing::warn!(%error, "the channel is not read anew");
                            }
                        }
                        self.settle_import(&builds, import.state).await;
                        return;
                    }
                    let state = import.state.clone();
                    self.note_import(&builds, Event::ImportMoved { state })
                        .await;
                    let path = format!("{path}?after={}", import.seq);
                    ordering = false;
                    answer = self.vessel.get::<Import>(Scope::Imports, &path).await;
                }
                Err(error) if ordering && is_refusal(&error) => {
                    tracing::error!(import.id = %id, error = %Chain(&error), "an import is not taken");
                    self.settle_import(&builds, refused(&error, self.clock.now()))
                        .await;
                    return;
                }
                Err(error) => {
                    let reason = Chain(&error).to_string();
                    tracing::warn!(import.id = %id, error = reason, "an import waits");
                    let delayed = Event::ImportDelayed { import: id, reason };
                    self.note_import(&builds, delayed).await;
                    backoff.wait().await;
                    // vessel lost its memory, or never had it.
                    ordering = error.find_status() == Some(404);
                    answer = if ordering {
                        self.vessel
                            .put::<Import>(Scope::Imports, &path, &order)
                            .await
                    } else {
                        let path = format!("{path}?after=0");
                        self.vessel.get::<Import>(Scope::Imports, &path).await
                    };
                }
            }
        }
    }

    /// Notes where an import stands that is under way. It is only told, so that a failure is no more
    /// than logged.
    async fn note_import(&self, builds: &[Arc<Build>], event: Event) {
        if let Err(error) = self.change_all(builds, event).await {
            tracing::error!(%error, "where an import stands is not kept");
        }
    }

    async fn settle_import(&self, builds: &[Arc<Build>], state: ImportState) {
        let mut backoff = Backoff::new();
        let event = Event::ImportMoved { state };
        while let Err(error) = self.change_all(builds, event.clone()).await {
            tracing::error!(%error, "an import's end is not kept yet");
            backoff.wait().await;
        }
    }

    /// Applies an event to all builds of an import together. One that does not take it has moved on.
    async fn change_all(&self, builds: &[Arc<Build>], event: Event) -> Result<(), ChangeError> {
        let tables = self.tables.clone();
        let now = self.clock.now();
        let ids: Vec<_> = builds.iter().map(|build| build.id).collect();
        self.submit(move |txn| {
            for id in ids {
                match tables.change(txn, id, event.clone(), now) {
                    Ok(_) | Err(ChangeError::Illegal(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        })
        .await
    }
}

/// True when vessel says that the order itself is wrong, so that asking again cannot help.
fn is_refusal(error: &CallError) -> bool {
    matches!(error.find_status(), Some(400 | 409 | 413 | 422))
}

/// The end of an import that vessel did not even take.
fn refused(error: &CallError, finished_at: Timestamp) -> ImportState {
    ImportState::Refused {
        refusal: Refusal {
            reason: RefusalReason::StoneMismatch,
            file_name: None,
            message: error.to_string(),
        },
        finished_at,
    }
}

fn order(builds: &[Arc<Build>], channel: api::id::ChannelName) -> Order {
    let stones = |build: &Build| {
        let State::Publishing { built, .. } = &build.state else {
            return Vec::new();
        };
        let stones = built
            .assets
            .iter()
            .filter(|asset| asset.kind == AssetKind::Stone);
        stones
            .map(|asset| Stone {
                file_name: asset.file_name.clone(),
                uri: asset.uri.clone(),
                sha256: asset.sha256,
                size: asset.size,
            })
            .collect()
    };
    let builds = builds.iter().map(|build| BuildStones {
        build: build.id,
        recipe: build.recipe.clone(),
        commit: build.commit,
        stones: stones(build),
    });
    Order {
        channel,
        builds: builds.collect(),
    }
}
