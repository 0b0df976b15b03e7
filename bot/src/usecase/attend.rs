//! Attends to attempts: sends the order, renews the lease by reading, copies the log while it
//! grows, and takes the outcome.
//!
//! The builder's `GET` is the truth. The order is sent again whenever the builder does not know the
//! attempt, which makes sending it idempotent over crashes on both sides. The log is copied to its
//! end before a final state is taken, so that a failed check run can show how the log ends.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use api::attempt::{Attempt, Credentials, Order, Phase, Reason, State as AttemptState};
use api::claims::Scope;
use api::id::{AttemptId, BuildId, ServiceName};
use bytes::Bytes;
use reqwest::Method;
use service::client::{CallError, Client};
use service::error::Chain;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::{Backoff, Summit};
use crate::db::ChangeError;
use crate::domain::build::{Annotation, Build, Event, State};

/// How long the end of a log is waited for once the attempt is over.
const LOG_GRACE: Duration = Duration::from_secs(30);

pub(super) async fn work(summit: Arc<Summit>) {
    let mut attended: HashMap<AttemptId, AbortHandle> = HashMap::new();
    let mut tasks: JoinSet<()> = JoinSet::new();
    loop {
        match summit.building().await {
            Ok(building) => {
                // What ended, in whatever way, is begun again if it is still to be done.
                attended.retain(|_, task| !task.is_finished());
                for (build, builder) in building {
                    let attempt = AttemptId::new(build.id, build.attempts);
                    if let Entry::Vacant(place) = attended.entry(attempt) {
                        let summit = Arc::clone(&summit);
                        let attend = async move { summit.attend(build, attempt, builder).await };
                        place.insert(tasks.spawn(attend));
                    }
                }
            }
            Err(error) => tracing::error!(%error, "attempts cannot be read"),
        }
        tokio::select! {
            () = summit.wakes.attend.wait() => {}
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                // An attempt is attended to until its build has moved on.
                // A panic is the supervisor's to handle, as in every other task.
                if let Err(error) = ended
                    && error.is_panic()
                {
                    std::panic::resume_unwind(error.into_panic());
                }
            }
        }
    }
}

impl Summit {
    async fn building(&self) -> Result<Vec<(Build, ServiceName)>, moss_db::Error> {
        let tables = self.tables.clone();
        self.db
            .query(move |txn| {
                let active = tables.active_builds(txn)?.into_iter();
                Ok(active
                    .filter_map(|build| {
                        let State::Building { builder, .. } = &build.state else {
                            return None;
                        };
                        let builder = builder.clone();
                        Some((build, builder))
                    })
                    .collect())
            })
            .await
    }

    async fn attend(self: &Arc<Self>, build: Build, attempt: AttemptId, builder: ServiceName) {
        let Some(client) = self.find_builder(&builder) else {
            self.lost(
                attempt,
                format!("the builder {builder} is no longer configured"),
            )
            .await;
            return;
        };
        let mut log = std::pin::pin!(self.copy_log(client, attempt));
        let mut follow = std::pin::pin!(self.follow(client, &build, attempt));
        let mut copied = false;
        let end = loop {
            tokio::select! {
                end = &mut follow => break end,
                () = &mut log, if !copied => copied = true,
            }
        };
        match end {
            End::Moved => {
                // The order may have come to the builder only after its cancellation did. Should
                // this not arrive, the builder stops when the lease runs out.
                let path = format!("/api/v1/attempts/{attempt}");
                let stopped = client.delete::<Attempt>(Scope::Attempts, &path).await;
                if let Err(error) = stopped {
                    tracing::debug!(attempt.id = %attempt, error = %Chain(&error), "not stopped");
                }
            }
            End::Lost(reason) => self.lost(attempt, reason).await,
            End::Final(state) => {
                // The copy ends by itself when the builder says that nothing follows.
                if !copied && tokio::time::timeout(LOG_GRACE, log).await.is_err() {
                    tracing::warn!(attempt.id = %attempt, "the end of the log did not come");
                }
                self.finish(build.clone(), attempt, state).await;
            }
        }
    }

    /// Follows an attempt to its end.
    async fn follow(self: &Arc<Self>, client: &Client, build: &Build, attempt: AttemptId) -> End {
        let lease = Duration::from_secs(self.config.limits.lease_seconds.into());
        let mut heard = Instant::now();
        let mut backoff = Backoff::new();
        let mut seq = 0;
        loop {
            let path = format!("/api/v1/attempts/{attempt}?after={seq}");
            let mut answer = client.get::<Attempt>(Scope::Attempts, &path).await;
            if answer.as_ref().err().and_then(CallError::find_status) == Some(404) {
                answer = match self.send_order(client, build, attempt).await {
                    Sent::Order(answer) => answer,
                    Sent::Nothing => return End::Moved,
                    Sent::Later(reason) => {
                        tracing::warn!(attempt.id = %attempt, reason, "the order cannot be sent");
                        if heard.elapsed() > lease * 2 {
                            return End::Lost(format!("the order cannot be sent: {reason}"));
                        }
                        backoff.wait().await;
                        continue;
                    }
                };
            }
            match answer {
                Ok(now) => {
                    heard = Instant::now();
                    backoff.reset();
                    seq = now.seq;
                    if now.state.is_final() {
                        return End::Final(now.state);
                    }
                    let event = Event::AttemptMoved {
                        attempt,
                        state: now.state,
                        annotations: Vec::new(),
                    };
                    match self.change(build.id, event).await {
                        Ok(_) => {}
                        Err(ChangeError::Illegal(_) | ChangeError::Unknown(_)) => {
                            return End::Moved;
                        }
                        Err(error) => tracing::error!(%error, "an attempt's state is not kept"),
                    }
                }
                Err(error @ CallError::Refused { status, .. })
                    if status.is_client_error() && !matches!(status.as_u16(), 401 | 403 | 429) =>
                {
                    return End::Lost(error.to_string());
                }
                Err(error) => {
                    if heard.elapsed() > lease * 2 {
                        return End::Lost(format!(
                            "{client_name} is gone",
                            client_name = client.service()
                        ));
                    }
                    tracing::warn!(attempt.id = %attempt, error = %Chain(&error), "no answer");
                    backoff.wait().await;
                }
            }
            if self.has_moved(build.id, attempt).await {
                return End::Moved;
            }
        }
    }

    /// Sends the order of the attempt with fresh credentials.
    async fn send_order(&self, client: &Client, build: &Build, attempt: AttemptId) -> Sent {
        let tables = self.tables.clone();
        let order = self
            .db
            .query(move |txn| tables.orders.find(txn, &attempt))
            .await;
        let mut order: Order = match order {
            Ok(Some(order)) => order,
            Ok(None) => return Sent::Nothing,
            Err(error) => return Sent::Later(error.to_string()),
        };
        let repository = match self.repository(build).await {
            Ok(repository) => repository,
            Err(error) => return Sent::Later(error.to_string()),
        };
        match self
            .app
            .clone_token(repository.installation, build.repository)
            .await
        {
            Ok(token) => order.credentials = Some(Credentials { token }),
            Err(error) => return Sent::Later(Chain(&error).to_string()),
        }
        tracing::info!(attempt.id = %attempt, builder = %client.service(), "sending the order");
        let path = format!("/api/v1/attempts/{attempt}");
        Sent::Order(client.put(Scope::Attempts, &path, &order).await)
    }

    async fn has_moved(&self, build: BuildId, attempt: AttemptId) -> bool {
        let tables = self.tables.clone();
        let found = self
            .db
            .query(move |txn| tables.builds.find(txn, &build))
            .await;
        match found {
            Ok(Some(build)) => {
                !matches!(build.state, State::Building { .. }) || build.attempts != attempt.number()
            }
            Ok(None) => true,
            Err(_) => false,
        }
    }

    async fn lost(&self, attempt: AttemptId, reason: String) {
        tracing::warn!(attempt.id = %attempt, reason, "an attempt is lost");
        self.settle(attempt, Event::AttemptLost { attempt, reason })
            .await;
    }

    async fn finish(&self, build: Build, attempt: AttemptId, state: AttemptState) {
        let annotations = self.annotations(&build, &state).await;
        self.settle(
            attempt,
            Event::AttemptMoved {
                attempt,
                state,
                annotations,
            },
        )
        .await;
    }

    async fn settle(&self, attempt: AttemptId, event: Event) {
        let mut backoff = Backoff::new();
        loop {
            match self.change(attempt.build(), event.clone()).await {
                Ok(_) | Err(ChangeError::Illegal(_) | ChangeError::Unknown(_)) => return,
                Err(error) => {
                    tracing::error!(%error, "an attempt's end is not kept yet");
                    backoff.wait().await;
                }
            }
        }
    }

    /// The place in the recipe that a failure is about, when it has one.
    async fn annotations(&self, build: &Build, state: &AttemptState) -> Vec<Annotation> {
        let AttemptState::Failed { failure, .. } = state else {
            return Vec::new();
        };
        let (line, title) = match &failure.reason {
            Reason::RecipeInvalid { line } => (line.unwrap_or(1), "recipe-invalid"),
            Reason::HashMismatch { expected, .. } if failure.phase == Phase::Fetch => (
                self.line_of(build, expected.to_string()).await,
                "hash-mismatch",
            ),
            Reason::FetchFailed { url } => (self.line_of(build, url.clone()).await, "fetch-failed"),
            Reason::SourceMissing { url } => {
                (self.line_of(build, url.clone()).await, "source-missing")
            }
            Reason::HashMismatch { .. }
            | Reason::CloneFailed
            | Reason::UnpackFailed
            | Reason::HostLacks { .. }
            | Reason::ScriptFailed { .. }
            | Reason::LimitReached { .. }
            | Reason::SandboxRefused
            | Reason::PackagingFailed
            | Reason::Interrupted
            | Reason::Internal => return Vec::new(),
        };
        let path = self.recipe_path(build).await;
        vec![Annotation {
            path,
            line,
            is_error: true,
            title: title.to_owned(),
            message: failure.message.clone(),
        }]
    }

    /// The line of the recipe that holds `text`; the first one when none does.
    async fn line_of(&self, build: &Build, text: String) -> u32 {
        let Some(files) = self.recipe_files(build).await else {
            return 1;
        };
        let Ok(recipe) = &files.recipe else {
            return 1;
        };
        let recipe = String::from_utf8_lossy(recipe);
        let found = recipe.lines().position(|line| line.contains(&text));
        found
            .and_then(|line| u32::try_from(line + 1).ok())
            .unwrap_or(1)
    }

    async fn recipe_path(&self, build: &Build) -> String {
        match self.recipe_files(build).await {
            Some(files) => files.path,
            None => build.folder.to_string(),
        }
    }

    async fn recipe_files(&self, build: &Build) -> Option<crate::git::RecipeFiles> {
        let (mirrors, build) = (self.mirrors.clone(), build.clone());
        let read = move || {
            mirrors
                .open(build.repository)?
                .find_recipe(build.commit, &build.folder)
        };
        tokio::task::spawn_blocking(read).await.ok()?.ok()?
    }

    /// Copies the log from where our copy ends until the builder says that nothing follows.
    async fn copy_log(&self, client: &Client, attempt: AttemptId) {
        let path = self.log_path(attempt);
        let mut backoff = Backoff::new();
        loop {
            match copy_part(client, attempt, &path).await {
                Ok(true) => return,
                Ok(false) => backoff.reset(),
                Err(CopyError::Call(error)) if error.find_status() == Some(404) => {
                    // Not there yet, or gone for good; whoever follows the attempt will know.
                    backoff.wait().await;
                }
                Err(error) => {
                    tracing::debug!(attempt.id = %attempt, error = %Chain(&error), "no log");
                    backoff.wait().await;
                }
            }
        }
    }
}

/// How following an attempt ended.
enum End {
    /// The build has moved on without it.
    Moved,
    /// The builder does not have it any more.
    Lost(String),
    /// It is over.
    Final(AttemptState),
}

/// What became of sending an order.
enum Sent {
    Order(Result<Attempt, CallError>),
    Nothing,
    Later(String),
}

#[derive(Debug, thiserror::Error)]
enum CopyError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the log broke off")]
    Read(#[from] reqwest::Error),
    #[error("cannot write the copy of the log")]
    Write(#[from] std::io::Error),
}

/// Appends what the builder has beyond our copy; true when nothing follows.
async fn copy_part(client: &Client, attempt: AttemptId, path: &Path) -> Result<bool, CopyError> {
    let mut file = tokio::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .await?;
    let offset = file.seek(std::io::SeekFrom::End(0)).await?;
    let route = format!("/api/v1/attempts/{attempt}/log?offset={offset}");
    let mut answer = client
        .send(Method::GET, Scope::Attempts, &route, Bytes::new())
        .await?;
    let complete = answer
        .headers()
        .get("x-log-complete")
        .is_some_and(|value| value == "true");
    loop {
        match answer.chunk().await {
            Ok(Some(part)) => file.write_all(&part).await?,
            // What is on its way to the disk must be there before the copy is looked at again: it
            // goes on at its end.
            ended => {
                file.flush().await?;
                ended?;
                return Ok(complete);
            }
        }
    }
}
