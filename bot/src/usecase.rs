//! What summit does. Each use case reads, lets the domain decide, commits state and effects
//! together, and only then acts; each can be cut short anywhere and is finished by the next start.
//!
//! Workers wait on a [`Wake`] and look when woken: at the database, or at the builds under way, which
//! follow it in memory. A wake that is lost costs nothing but time, since every worker also looks now
//! and then by itself.

pub mod answer;
pub mod attend;
pub mod channel;
mod command;
pub mod dispatch;
pub mod inbox;
mod keyed;
pub mod look;
mod manifest;
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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::id::{Architecture, AttemptId, BuildId, ServiceName};
use jiff::Timestamp;
use moss_db::Environment;
use service::client::Client;
use service::{Clock, Supervisor};
use tokio::sync::Notify;

use crate::config::Config;
use crate::db::{ChangeError, Tables, Unreadable, Write, Written};
use crate::domain::build::{Build, Event};
use crate::domain::under_way::{Concerns, UnderWay};
use crate::git::Mirrors;
use crate::github::App;

use attend::Reported;
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
    pub builders: BTreeMap<ServiceName, Builder>,
    /// What fetches from builders that are not asked as such: the files that they serve to anyone.
    pub http: reqwest::Client,
    /// vessel's control API.
    pub vessel: Client,
    /// What is built for; at least one.
    pub profiles: Vec<Architecture>,
    /// What is published, for each profile.
    pub channels: BTreeMap<Architecture, Channel>,
    /// The address under which people and builders reach summit.
    pub public_url: url::Url,
    /// Where logs are kept.
    pub logs: PathBuf,
    /// The builds under way; it follows the database.
    pub under_way: Arc<Mutex<UnderWay>>,
    /// Builds that could not be read at the start; nothing becomes of them.
    pub unreadable: Unreadable,
    /// Why no build for a profile is handed to builders now, where that is so for all of them alike.
    pub standstill: Mutex<BTreeMap<Architecture, Standstill>>,
    /// Wakes the tasks of attempts whose builders report.
    pub reported: Reported,
    /// Tells the workers to look.
    pub wakes: Arc<Wakes>,
}

/// A builder.
#[derive(Debug)]
pub struct Builder {
    /// Its control port.
    pub client: Client,
    /// Below which URL its assets lie.
    pub public_url: url::Url,
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

impl Wakes {
    /// Wakes those whom a change of builds concerns.
    pub fn wake(&self, concerns: Concerns) {
        let concerned = [
            (concerns.schedule, &self.schedule),
            (concerns.attempts, &self.attend),
            (concerns.imports, &self.publish),
            (concerns.check_runs, &self.reconcile),
        ];
        for (is_concerned, wake) in concerned {
            if is_concerned {
                wake.wake();
            }
        }
    }
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

    /// Commits a change, takes up what it wrote of builds into what is kept of them in memory, and
    /// wakes whom it concerns. All that writes builds goes through here.
    ///
    /// # Errors
    /// What `change` returns, or why it could not be committed.
    pub async fn submit<T, E>(
        &self,
        change: impl FnOnce(&mut Write<'_, '_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<moss_db::Error> + Send + 'static,
    {
        let (under_way, wakes) = (Arc::clone(&self.under_way), Arc::clone(&self.wakes));
        let change = move |txn: &mut moss_db::RwTxn<'_>| {
            let mut txn = Write::new(txn);
            let value = change(&mut txn)?;
            Ok::<_, E>((value, txn.into_written()))
        };
        let committed = move |(value, written)| {
            take_up(&under_way, &wakes, written);
            value
        };
        self.db.submit_then(change, committed).await
    }

    /// Applies one event to a build, commits, and wakes whom it concerns.
    ///
    /// # Errors
    /// When the build does not take the event, or the database fails.
    pub async fn change(&self, id: BuildId, event: Event) -> Result<Build, ChangeError> {
        let tables = self.tables.clone();
        let now = self.clock.now();
        self.submit(move |txn| tables.change(txn, id, event, now))
            .await
    }

    /// The builds under way. Not to be held over an await.
    pub fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        locked(&self.under_way)
    }

    /// Where the log of an attempt is kept.
    pub fn log_path(&self, attempt: AttemptId) -> PathBuf {
        self.logs.join(format!("{attempt}.log"))
    }
}

/// Follows a commit.
fn take_up(under_way: &Mutex<UnderWay>, wakes: &Wakes, written: Written) {
    let mut under_way = locked(under_way);
    for (id, now) in written.builds {
        wakes.wake(under_way.apply(id, now));
    }
    if written.has_effects {
        wakes.outbox.wake();
    }
}

/// What is behind a lock. Nobody leaves it half changed: a panic ends the process anyway.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why nothing is handed to builders, though builds are ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standstill {
    /// Why, for people.
    pub reason: String,
    /// Since when it is so.
    pub since: Timestamp,
}

impl Summit {
    /// Notes why builders get no builds: the reason for each profile of which none is handed over,
    /// though some are ready.
    pub(crate) fn note_standstill(&self, mut reasons: BTreeMap<Architecture, String>) {
        let mut standstill = locked(&self.standstill);
        standstill.retain(|profile, known| {
            let is_same = reasons.get(profile) == Some(&known.reason);
            if is_same {
                reasons.remove(profile);
            }
            is_same
        });
        let since = self.clock.now();
        for (profile, reason) in reasons {
            tracing::info!(build.profile = %profile, reason, "no build is handed to a builder");
            standstill.insert(profile, Standstill { reason, since });
        }
    }

    /// Why nothing is handed over, for each profile of which that is so.
    pub fn standstill(&self) -> BTreeMap<Architecture, Standstill> {
        locked(&self.standstill).clone()
    }

    /// What is published for a profile.
    ///
    /// # Errors
    /// When it is none of the configured ones.
    pub(crate) fn channel(&self, profile: &Architecture) -> Result<&Channel, channel::Error> {
        let found = self.channels.get(profile);
        found.ok_or_else(|| channel::Error::NoProfile {
            profile: profile.clone(),
        })
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
