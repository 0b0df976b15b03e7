//! Follows imports: sends their orders, and stores the outcome for all builds of an import
//! together.

use std::collections::BTreeSet;
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

use super::channel::Channel;
use super::keyed::{self, Wanted};
use super::{Backoff, Summit};
use crate::db::ChangeError;
use crate::domain::build::{Build, Event, State};
use crate::domain::silence::has_not_answered;

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

    /// Orders an import and follows it to its end. The order is idempotent, so a restart simply
    /// repeats it.
    async fn follow_import(self: &Arc<Self>, id: ImportId, builds: Vec<Arc<Build>>) {
        let order = order(&builds, self.config.vessel.channel.clone());
        let mut backoff = Backoff::new();
        let path = format!("/api/v1/imports/{id}");
        let mut ordering = true;
        let mut heard_at = self.clock.now();
        let mut answer = self
            .vessel
            .put::<Import>(Scope::Imports, &path, &order)
            .await;
        loop {
            match answer {
                Ok(import) => {
                    heard_at = self.clock.now();
                    backoff.reset();
                    if import.state.is_final() {
                        // The channel is read before the builds become published: a plan then knows
                        // the new state even if vessel goes away.
                        for channel in self.channels_of(&builds) {
                            if let Err(error) = channel.latest().await {
                                let error = Chain(&error);
                                tracing::warn!(%error, "the channel cannot be read");
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
                    tracing::error!(import.id = %id, error = %Chain(&error), "an import is refused");
                    self.settle_import(&builds, refused(&error, self.clock.now()))
                        .await;
                    return;
                }
                Err(error) => {
                    tracing::warn!(import.id = %id, error = %Chain(&error), "an import waits");
                    let reason = why_delayed(&error, heard_at);
                    let delayed = Event::ImportDelayed { import: id, reason };
                    self.note_import(&builds, delayed).await;
                    backoff.wait().await;
                    // vessel does not know the import: it lost its database, or the order never
                    // arrived.
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

    /// The channels of the profiles that builds are for, each once.
    fn channels_of(&self, builds: &[Arc<Build>]) -> Vec<&Channel> {
        let profiles: BTreeSet<_> = builds.iter().map(|build| &build.profile).collect();
        let found = profiles
            .into_iter()
            .filter_map(|profile| self.channels.get(profile).map(Arc::as_ref));
        found.collect()
    }

    /// Stores the progress of an import. It is only shown to people, so a failure is only logged.
    async fn note_import(&self, builds: &[Arc<Build>], event: Event) {
        if let Err(error) = self.change_all(builds, event).await {
            tracing::error!(%error, "the progress of an import cannot be stored");
        }
    }

    async fn settle_import(&self, builds: &[Arc<Build>], state: ImportState) {
        let mut backoff = Backoff::new();
        let event = Event::ImportMoved { state };
        while let Err(error) = self.change_all(builds, event.clone()).await {
            tracing::error!(%error, "an import's end cannot be stored yet");
            backoff.wait().await;
        }
    }

    /// Applies an event to all builds of an import together. A build that refuses the event has
    /// moved on.
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

/// True when vessel rejects the order itself, so that a retry cannot help.
fn is_refusal(error: &CallError) -> bool {
    matches!(error.find_status(), Some(400 | 409 | 413 | 422))
}

/// Why an import is delayed, for people. The text stays the same while vessel is away: check runs show
/// it.
fn why_delayed(error: &CallError, heard_at: Timestamp) -> String {
    match error {
        CallError::Transport { .. } | CallError::Unexpected { .. } => format!(
            "{}; summit asks again every {} seconds",
            has_not_answered("vessel", heard_at),
            Backoff::LAST.as_secs()
        ),
        CallError::Refused { .. } | CallError::TooLarge { .. } | CallError::Unmakeable { .. } => {
            error.to_string()
        }
    }
}

/// The final state of an import whose order vessel rejected.
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

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;
    use crate::domain::build::example::at;

    /// A gateway in front of vessel may answer in its place.
    #[test]
    fn an_absent_vessel_is_told_in_a_sentence_that_stays_true() {
        let error = CallError::Unexpected {
            service: "vessel".parse().unwrap(),
            status: StatusCode::BAD_GATEWAY,
        };
        assert_eq!(
            why_delayed(&error, at(0)),
            "vessel has not answered since 22:13 UTC; summit asks again every 30 seconds"
        );
    }
}
