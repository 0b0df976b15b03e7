//! Attends to attempts: sends the order, renews the lease by reading, copies the growing log, and
//! stores the outcome.
//!
//! The builder's answer to `GET` is the truth. When the builder does not know the attempt, summit
//! sends the order again. Sending is idempotent, so a crash on either side does no harm. The log is
//! copied to its end before a final state is stored, because the check run of a failed build shows
//! the log's end.

mod copy;
mod finish;
mod place;
mod reported;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use api::attempt::{Attempt, Credentials, Order, State as AttemptState};
use api::claims::Scope;
use api::id::{AttemptId, BuildId, ServiceName};
use api::problem::Code;
use jiff::{SignedDuration, Timestamp};
use service::Clock;
use service::client::{CallError, Client};
use service::error::Chain;
use tokio::time::Instant;

use super::keyed::{self, Wanted};
use super::{Backoff, Summit, Wake};
use crate::db::ChangeError;
use crate::domain::build::{Build, Cause, Event, Stage, State};
use crate::domain::silence::{self, Silence};

pub use reported::Reported;

/// How long summit waits for the end of the log after the attempt is over.
const LOG_GRACE: Duration = Duration::from_secs(30);

pub(super) async fn work(summit: Arc<Summit>) {
    let attend = |attempt, (build, builder)| {
        let summit = Arc::clone(&summit);
        async move { summit.attend(build, attempt, builder).await }
    };
    let wake = &summit.wakes.attend;
    let building = || std::future::ready(Ok::<_, Infallible>(summit.building()));
    keyed::run(wake, "attempts", building, attend).await;
}

impl Summit {
    /// The attempts that builders run, with their builds.
    fn building(&self) -> Wanted<AttemptId, (Arc<Build>, ServiceName)> {
        let under_way = self.under_way();
        let building = under_way.in_stage(Stage::Building).filter_map(|build| {
            let State::Building { builder, .. } = &build.state else {
                return None;
            };
            let attempt = AttemptId::new(build.id, build.attempts);
            Some((attempt, (Arc::clone(build), builder.clone())))
        });
        building.collect::<Vec<_>>().into()
    }

    async fn attend(self: &Arc<Self>, build: Arc<Build>, attempt: AttemptId, builder: ServiceName) {
        let Some(client) = self.find_builder(&builder) else {
            let reason = format!("the builder {builder} is no longer configured");
            self.lost(attempt, Cause::Builder, reason).await;
            return;
        };
        let listening = self.reported.listen(attempt);
        let mut log = std::pin::pin!(self.copy_log(client, attempt));
        let follow = self.follow(client, &build, attempt, listening.wake());
        let mut follow = std::pin::pin!(follow);
        let mut copied = false;
        let end = loop {
            tokio::select! {
                end = &mut follow => break end,
                () = &mut log, if !copied => copied = true,
            }
        };
        match end {
            End::Moved => {
                // The order may have reached the builder after the cancellation. If this second
                // request is lost, the builder stops when the lease expires.
                let path = format!("/api/v1/attempts/{attempt}");
                let stopped = client.delete::<Attempt>(Scope::Attempts, &path).await;
                if let Err(error) = stopped {
                    tracing::debug!(attempt.id = %attempt, error = %Chain(&error), "not stopped");
                }
            }
            End::Lost(cause, reason) => self.lost(attempt, cause, reason).await,
            End::Refused(reason) => {
                tracing::info!(attempt.id = %attempt, reason, "an order is refused");
                self.order_refused(attempt, reason).await;
            }
            End::Final(state) => {
                // The copy ends by itself when the builder reports the end of the log.
                if !copied && tokio::time::timeout(LOG_GRACE, log).await.is_err() {
                    tracing::warn!(attempt.id = %attempt, "the end of the log did not come");
                }
                self.finish(&build, attempt, &builder, state).await;
            }
        }
    }

    /// Follows an attempt to its end. After a failed request it pauses; a report of the builder
    /// ends the pause.
    async fn follow(
        self: &Arc<Self>,
        client: &Client,
        build: &Build,
        attempt: AttemptId,
        reported: &Wake,
    ) -> End {
        let patience = 2 * Duration::from_secs(self.config.limits.lease_seconds.into());
        let mut heard = Heard::now(&self.clock);
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
                        if self.find_suspension().is_some() {
                            // That is nobody's fault here, and may last for days.
                            heard = Heard::now(&self.clock);
                        } else if heard.at.elapsed() >= patience {
                            let reason = format!("the order cannot be sent: {reason}");
                            return End::Lost(Cause::Outage, reason);
                        }
                        backoff.wait_or(reported).await;
                        if self.has_moved(build.id, attempt) {
                            return End::Moved;
                        }
                        continue;
                    }
                };
            }
            match answer {
                Ok(now) => {
                    heard = Heard::now(&self.clock);
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
                        Err(error) => tracing::error!(%error, "an attempt's state is not stored"),
                    }
                }
                Err(CallError::Refused { problem, .. }) if problem.code == Code::NoRoom => {
                    return End::Refused(problem.message);
                }
                Err(error @ CallError::Refused { status, .. })
                    if status.is_client_error() && !matches!(status.as_u16(), 401 | 403 | 429) =>
                {
                    return End::Lost(Cause::Builder, error.to_string());
                }
                Err(error) => {
                    if heard.at.elapsed() >= patience {
                        let reason = format!("{} is gone", client.service());
                        return End::Lost(Cause::Builder, reason);
                    }
                    tracing::warn!(attempt.id = %attempt, error = %Chain(&error), "no answer");
                    // In time for the end of the patience.
                    let left = patience.saturating_sub(heard.at.elapsed());
                    let pause = backoff.take().min(left);
                    self.tell_silence(attempt, &heard, patience, pause).await;
                    reported.wait_at_most(pause).await;
                }
            }
            if self.has_moved(build.id, attempt) {
                return End::Moved;
            }
        }
    }

    /// Stores that the builder of an attempt has not answered for a while, and when it is asked again.
    async fn tell_silence(
        &self,
        attempt: AttemptId,
        heard: &Heard,
        patience: Duration,
        pause: Duration,
    ) {
        let now = self.clock.now();
        if now.duration_since(heard.told_at) < silence::PATIENCE {
            return;
        }
        let after = |from: Timestamp, time: Duration| {
            let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
            from.saturating_add(time).unwrap_or(Timestamp::MAX)
        };
        let silence = Silence {
            since: heard.told_at,
            next: after(now, pause),
            until: after(heard.told_at, patience),
        };
        let event = Event::BuilderSilent { attempt, silence };
        match self.change(attempt.build(), event).await {
            Ok(_) | Err(ChangeError::Illegal(_) | ChangeError::Unknown(_)) => {}
            Err(error) => tracing::error!(%error, "a builder's silence is not stored"),
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
        let repository = match self.repository(build.repository).await {
            Ok(repository) => repository,
            Err(error) => return Sent::Later(error.to_string()),
        };
        match self
            .app
            .clone_token(repository.installation, build.repository)
            .await
        {
            Ok(token) => order.credentials = Some(Credentials { token }),
            Err(error) => {
                // The repository may be gone, or the App may not see it any more.
                if error.is_permanent() {
                    self.wakes.sweep.wake();
                }
                return Sent::Later(Chain(&error).to_string());
            }
        }
        tracing::info!(attempt.id = %attempt, builder.name = %client.service(), "sending the order");
        let path = format!("/api/v1/attempts/{attempt}");
        Sent::Order(client.put(Scope::Attempts, &path, &order).await)
    }

    fn has_moved(&self, build: BuildId, attempt: AttemptId) -> bool {
        let under_way = self.under_way();
        under_way.find(build).is_none_or(|build| {
            build.state.stage() != Stage::Building || build.attempts != attempt.number()
        })
    }
}

/// When a builder last answered: on the clock of this process, and as people read it.
struct Heard {
    at: Instant,
    told_at: Timestamp,
}

impl Heard {
    fn now(clock: &Clock) -> Self {
        Self {
            at: Instant::now(),
            told_at: clock.now(),
        }
    }
}

/// How following an attempt ended.
enum End {
    /// The build has moved on without the attempt.
    Moved,
    /// The builder does not have the attempt any more.
    Lost(Cause, String),
    /// The builder does not take the order.
    Refused(String),
    /// The attempt is in a final state.
    Final(AttemptState),
}

/// The result of sending an order.
enum Sent {
    Order(Result<Attempt, CallError>),
    Nothing,
    Later(String),
}

#[cfg(test)]
mod tests;
