//! The state that all use cases share, and the one function that changes builds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use api::id::{Architecture, AttemptId, BuildId, ServiceName};
use jiff::Timestamp;
use moss_db::Environment;
use service::Clock;
use service::client::Client;

use super::attend::Reported;
use super::builder::Builder;
use super::channel::{self, Channel};
use super::wake::{Wakes, locked};
use crate::config::Config;
use crate::db::{ChangeError, Tables, Unreadable, Write, Written};
use crate::domain::build::{Build, Event};
use crate::domain::under_way::UnderWay;
use crate::git::Mirrors;
use crate::github::App;

/// The state that all use cases share.
#[derive(Debug)]
pub struct Summit {
    /// The configuration.
    pub config: Config,
    /// The clock.
    pub clock: Clock,
    /// The database.
    pub db: Environment,
    /// Its tables.
    pub tables: Tables,
    /// The client for GitHub.
    pub app: App,
    /// The mirrors.
    pub mirrors: Mirrors,
    /// The builders by name.
    pub builders: BTreeMap<ServiceName, Arc<Builder>>,
    /// The HTTP client for the public files of builders.
    pub http: reqwest::Client,
    /// vessel's control API.
    pub vessel: Client,
    /// The profiles to build for; at least one.
    pub profiles: Vec<Architecture>,
    /// The published channel, for each profile.
    pub channels: BTreeMap<Architecture, Arc<Channel>>,
    /// The address under which people and builders reach summit.
    pub public_url: url::Url,
    /// The folder of logs.
    pub logs: PathBuf,
    /// The builds under way: a copy in memory that follows the database.
    pub under_way: Arc<Mutex<UnderWay>>,
    /// Builds whose row was unreadable at the start. They stay as they are.
    pub unreadable: Unreadable,
    /// The standstill of each profile that has one.
    pub standstill: Mutex<BTreeMap<Architecture, Standstill>>,
    /// Wakes the task of an attempt when its builder reports.
    pub reported: Reported,
    /// The wakes of all workers.
    pub wakes: Arc<Wakes>,
}

impl Summit {
    /// Commits a change, updates the copy of builds in memory, and wakes the workers concerned.
    /// Everything that writes builds uses this function.
    ///
    /// # Errors
    /// The error of `change`, or of the commit.
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

    /// Applies one event to a build, commits it, and wakes the workers concerned.
    ///
    /// # Errors
    /// When the build refuses the event, or the database fails.
    pub async fn change(&self, id: BuildId, event: Event) -> Result<Build, ChangeError> {
        let tables = self.tables.clone();
        let now = self.clock.now();
        self.submit(move |txn| tables.change(txn, id, event, now))
            .await
    }

    /// The builds under way. Do not hold the guard over an await.
    pub fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        locked(&self.under_way)
    }

    /// The path of an attempt's log.
    pub fn log_path(&self, attempt: AttemptId) -> PathBuf {
        self.logs.join(format!("{attempt}.log"))
    }
}

/// Updates the copy in memory after a commit.
fn take_up(under_way: &Mutex<UnderWay>, wakes: &Wakes, written: Written) {
    let mut under_way = locked(under_way);
    for (id, now) in written.builds {
        wakes.wake(under_way.apply(id, now));
    }
    if !written.heads.is_empty() {
        under_way.note_heads(written.heads);
        wakes.reconcile.wake();
    }
    if written.has_effects {
        wakes.outbox.wake();
    }
}

impl Summit {
    /// Why nothing goes on that needs GitHub, while the installation is suspended.
    pub fn find_suspension(&self) -> Option<Standstill> {
        let since = self.app.suspended_since()?;
        let organisation = &self.config.github.organisation;
        let reason = format!(
            "The organisation {organisation} has suspended summit's installation on GitHub. An \
             owner of the organisation can unsuspend it under its settings, GitHub Apps"
        );
        Some(Standstill {
            reason,
            is_outage: true,
            since,
        })
    }

    /// The channel of a profile.
    ///
    /// # Errors
    /// When the profile is not configured.
    pub(crate) fn channel(&self, profile: &Architecture) -> Result<&Channel, channel::Error> {
        let found = self.channels.get(profile).map(Arc::as_ref);
        found.ok_or_else(|| channel::Error::NoProfile {
            profile: profile.clone(),
        })
    }
}

/// Why no ready build of a profile is dispatched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standstill {
    /// The reason, for people.
    pub reason: String,
    /// True when it does not pass by itself.
    pub is_outage: bool,
    /// The time at which the standstill began.
    pub since: Timestamp,
}

/// Why a person's request could not be answered yet.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// GitHub did not answer.
    #[error(transparent)]
    GitHub(#[from] crate::github::Error),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] moss_db::Error),
}
