//! What all use cases work with, and the one way in which they change builds.

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
    pub builders: BTreeMap<ServiceName, Arc<Builder>>,
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

impl Summit {
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
