//! The handle, and what all its clones share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jsonwebtoken::DecodingKey;
use secrecy::SecretString;
use service::Supervisor;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config;
use crate::fault::Faults;
use crate::git::GitError;
use crate::git::backend::Backend;
use crate::name::Sha;
use crate::page::session::Sessions;
use crate::records::{Guard, Records, Unrecorded};
use crate::rest::limit::Limits;
use crate::rest::limit::secondary::Secondary;
use crate::shape::Urls;
use crate::state::comment::Subject;
use crate::traffic::Traffic;
use crate::webhook::hook::Hook;

/// A running forge. Cheap to clone; all clones are one forge.
///
/// Its methods are what people do on the web: they need no HTTP and no permission.
#[derive(Debug, Clone)]
pub struct Forge {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    records: Records,
    pub(crate) app: config::App,
    pub(crate) app_key: DecodingKey,
    pub(crate) urls: Urls,
    pub(crate) clock: Clock,
    pub(crate) supervisor: Supervisor,
    pub(crate) client: reqwest::Client,
    pub(crate) hook: Hook,
    /// Webhooks on their way.
    pub(crate) flights: AtomicUsize,
    pub(crate) faults: Arc<Faults>,
    pub(crate) traffic: Traffic,
    pub(crate) limits: Limits,
    pub(crate) secondary: Secondary,
    revision: watch::Sender<u64>,
    pub(crate) data: PathBuf,
    pub(crate) backend: Backend,
    reach: Reach,
    pub(crate) sessions: Sessions,
    /// The tokens that the configuration chose, by login in lower case.
    known_tokens: BTreeMap<String, SecretString>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("urls", &self.urls)
            .finish_non_exhaustive()
    }
}

/// What [`Shared`] is made of.
pub(crate) struct Parts {
    pub(crate) records: Records,
    pub(crate) app: config::App,
    pub(crate) app_key: DecodingKey,
    pub(crate) urls: Urls,
    pub(crate) clock: Clock,
    pub(crate) supervisor: Supervisor,
    pub(crate) client: reqwest::Client,
    pub(crate) data: PathBuf,
    pub(crate) backend: Backend,
    pub(crate) reach: Reach,
    pub(crate) known_tokens: BTreeMap<String, SecretString>,
}

/// Who can reach the forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Only this machine.
    Local,
    /// Other machines too.
    Remote,
}

impl Shared {
    pub(crate) fn new(parts: Parts) -> Self {
        let hook = Hook::new(&parts.app);
        Self {
            records: parts.records,
            app: parts.app,
            app_key: parts.app_key,
            urls: parts.urls,
            clock: parts.clock,
            supervisor: parts.supervisor,
            client: parts.client,
            hook,
            flights: AtomicUsize::new(0),
            faults: Arc::default(),
            traffic: Traffic::default(),
            limits: Limits::default(),
            secondary: Secondary::default(),
            revision: watch::Sender::new(0),
            data: parts.data,
            backend: parts.backend,
            reach: parts.reach,
            sessions: Sessions::default(),
            known_tokens: parts.known_tokens,
        }
    }

    /// The tables. Never held across an await or a git operation. What is changed in them is on its
    /// way to the database when the lock is let go.
    pub(crate) fn lock(&self) -> Guard<'_> {
        self.records.lock()
    }

    /// Waits until all that was changed so far is in the database: before anybody is told.
    pub(crate) async fn recorded(&self) -> Result<(), Unrecorded> {
        self.records.recorded().await
    }

    /// As [`Self::recorded`], and goes on waiting while it cannot be written.
    pub(crate) async fn recorded_at_last(&self) -> Result<(), Unrecorded> {
        self.records.recorded_at_last().await
    }

    pub(crate) async fn broken_off(&self) {
        self.records.broken_off().await;
    }

    /// Whether only this machine can reach the forge.
    pub(crate) fn is_local(&self) -> bool {
        self.reach == Reach::Local
    }

    /// The token that the configuration gave a person, where nobody else could be shown it.
    pub(crate) fn known_token(&self, login: &str) -> Option<&SecretString> {
        let token = self.known_tokens.get(&login.to_ascii_lowercase());
        token.filter(|_| self.is_local())
    }

    /// Wakes those who wait for a change.
    pub(crate) fn changed(&self) {
        self.revision.send_modify(|revision| *revision += 1);
    }

    /// Tells of every change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// How many comments a commit has.
    pub(crate) fn comments_on(&self, commit: &Sha) -> usize {
        let about = |subject: &Subject| match subject {
            Subject::Commit { sha, .. } => sha == commit,
            Subject::Pull(_) => false,
        };
        let state = self.lock();
        let all = state.comments.values();
        all.filter(|comment| about(&comment.subject)).count()
    }
}

/// Runs what reads or writes a git repository on a thread that may wait for the disk.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, GitError> + Send + 'static,
) -> Result<T, GitError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is being shut down, and this task with it.
        Err(_) => std::future::pending().await,
    }
}

/// Something awaited did not come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} did not happen within {limit:?}")]
pub struct TimedOut {
    what: String,
    limit: Duration,
}

impl Forge {
    /// Waits until all that was done so far survives the process. Requests and webhooks wait for it
    /// by themselves; a caller of these methods does before it tells somebody outside.
    ///
    /// # Errors
    /// When it cannot be written, as on a full disk: it is tried again by itself. After a panic it is
    /// not, and the forge stops.
    pub async fn recorded(&self) -> Result<(), Unrecorded> {
        self.shared.recorded().await
    }

    /// Asks again after every change of the forge until there is an answer.
    ///
    /// # Errors
    /// When there is none within the limit.
    pub async fn wait_for<T>(
        &self,
        what: &str,
        limit: Duration,
        mut probe: impl FnMut(&Self) -> Option<T>,
    ) -> Result<T, TimedOut> {
        let mut revision = self.shared.revision.subscribe();
        let search = async {
            loop {
                revision.borrow_and_update();
                if let Some(found) = probe(self) {
                    return found;
                }
                if revision.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::time::timeout(limit, search)
            .await
            .map_err(|_| TimedOut {
                what: what.to_owned(),
                limit,
            })
    }

    /// How many webhooks are on their way.
    #[must_use]
    pub fn webhooks_in_flight(&self) -> usize {
        self.shared.flights.load(Ordering::Acquire)
    }
}
