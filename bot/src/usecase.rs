//! What summit does. Each use case reads, lets the domain decide, commits state and effects
//! together, and only then acts; each can be cut short anywhere and is finished by the next start.
//!
//! Workers wait on a [`Wake`] and look at the database when woken: a wake that is lost costs
//! nothing but time, since every worker also looks now and then by itself.

pub mod answer;
pub mod attend;
pub mod channel;
mod command;
pub mod dispatch;
pub mod inbox;
mod keyed;
pub mod look;
pub mod outbox;
pub mod press;
pub mod publish;
pub mod read;
pub mod rebuild;
pub mod receive;
pub mod reconcile;
mod reconsider;
pub mod retention;
pub mod schedule;
pub mod sweep;
mod worker;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::id::{AttemptId, BuildId, ServiceName};
use moss_db::Environment;
use service::client::Client;
use service::{Clock, Supervisor};
use tokio::sync::Notify;

use crate::config::Config;
use crate::db::{ChangeError, Tables};
use crate::domain::build::{Build, Event};
use crate::git::Mirrors;
use crate::github::App;

use channel::Channel;

/// How long a worker waits at most before it looks by itself.
const IDLE: Duration = Duration::from_secs(30);

/// All that the use cases work with.
#[derive(Debug)]
pub struct Summit {
    /// The configuration.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// The database.
    pub db: Environment,
    /// Its tables.
    pub tables: Tables,
    /// GitHub.
    pub app: App,
    /// The mirrors.
    pub mirrors: Mirrors,
    /// The builders by name.
    pub builders: BTreeMap<ServiceName, Client>,
    /// vessel's control API.
    pub vessel: Client,
    /// What is published.
    pub channel: Channel,
    /// The address under which people and builders reach summit.
    pub public_url: url::Url,
    /// Where logs are kept.
    pub logs: PathBuf,
    /// Tells the workers to look.
    pub wakes: Wakes,
}

/// One wake for each worker.
#[derive(Debug, Default)]
pub struct Wakes {
    /// Deliveries have come.
    pub inbox: Wake,
    /// Targets are to be looked at.
    pub looks: Wake,
    /// Builds have moved.
    pub schedule: Wake,
    /// Attempts were dispatched.
    pub attend: Wake,
    /// Imports were begun.
    pub publish: Wake,
    /// Check runs do not agree.
    pub reconcile: Wake,
    /// Effects are to be done.
    pub outbox: Wake,
    /// Commands are to be run.
    pub commands: Wake,
    /// Buttons were pressed.
    pub presses: Wake,
    /// What the App can see may have changed.
    pub sweep: Wake,
}

/// Wakes one worker.
#[derive(Debug, Default)]
pub struct Wake(Notify);

impl Wake {
    /// Wakes the worker, now or as soon as it waits.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits to be woken, for a while.
    pub async fn wait(&self) {
        self.wait_at_most(IDLE).await;
    }

    /// Waits to be woken, for as long as `limit`. Running out of time is as good a reason to look.
    pub async fn wait_at_most(&self, limit: Duration) {
        self.is_woken_within(limit).await;
    }

    /// Waits to be woken, for as long as `limit`, and says whether it was.
    pub async fn is_woken_within(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.0.notified()).await.is_ok()
    }
}

impl Summit {
    /// Begins all workers.
    pub fn work(self: &Arc<Self>, supervisor: &Supervisor) {
        let summit = || Arc::clone(self);
        supervisor.spawn_until_shutdown("inbox", inbox::work(summit()));
        supervisor.spawn("looks", look::work(summit(), supervisor.token()));
        supervisor.spawn_until_shutdown("schedule", schedule::work(summit()));
        supervisor.spawn_until_shutdown("attend", attend::work(summit()));
        supervisor.spawn_until_shutdown("publish", publish::work(summit()));
        supervisor.spawn_until_shutdown("reconcile", reconcile::work(summit()));
        supervisor.spawn_until_shutdown("outbox", outbox::work(summit()));
        supervisor.spawn_until_shutdown("commands", answer::work(summit()));
        supervisor.spawn_until_shutdown("presses", press::work(summit()));
        supervisor.spawn_until_shutdown("sweep", sweep::work(summit()));
        supervisor.spawn_until_shutdown("retention", retention::work(summit()));
    }

    /// Applies one event to a build, commits, and wakes whom it concerns.
    ///
    /// # Errors
    /// When the build does not take the event, or the database fails.
    pub async fn change(&self, id: BuildId, event: Event) -> Result<Build, ChangeError> {
        let tables = self.tables.clone();
        let now = self.clock.now();
        let build = self
            .db
            .submit(move |txn| tables.change(txn, id, event, now))
            .await?;
        self.builds_moved();
        Ok(build)
    }

    /// Wakes all who care for builds.
    pub fn builds_moved(&self) {
        self.wakes.schedule.wake();
        self.wakes.reconcile.wake();
        self.wakes.outbox.wake();
        self.wakes.attend.wake();
        self.wakes.publish.wake();
    }

    /// Where the log of an attempt is kept.
    pub fn log_path(&self, attempt: AttemptId) -> PathBuf {
        self.logs.join(format!("{attempt}.log"))
    }
}

/// Something that people ask for, and that could not be done yet.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// GitHub did not answer.
    #[error(transparent)]
    GitHub(#[from] crate::github::Error),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] moss_db::Error),
}

/// Grows from try to try, up to a limit.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    last: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(250);
    const LAST: Duration = Duration::from_secs(30);

    pub(crate) fn new() -> Self {
        Self::up_to(Self::LAST)
    }

    pub(crate) fn up_to(last: Duration) -> Self {
        Self {
            next: Self::FIRST,
            last,
        }
    }

    pub(crate) fn reset(&mut self) {
        self.next = Self::FIRST;
    }

    /// Waits, but no longer than until something new is to be done: one thing that fails again and
    /// again must not hold up the others.
    pub(crate) async fn wait_or(&mut self, wake: &Wake) {
        tokio::select! {
            () = self.wait() => {}
            () = wake.0.notified() => {}
        }
    }

    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(self.last);
    }
}
