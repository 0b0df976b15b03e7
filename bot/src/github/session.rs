//! Sessions: a client with the present token of an installation, which lasts an hour; and what is known
//! of a suspension.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use octocrab::Octocrab;
use tokio::sync::Notify;

use super::call::Error;
use crate::domain::name::InstallationId;

/// How long before its end a token is not used any more: a request may be under way for a while.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// The present session of each installation.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    sessions: HashMap<InstallationId, Arc<Session>>,
    /// The number of the next token.
    next: u64,
}

/// A client with one token.
pub(super) struct Session {
    pub(super) crab: Octocrab,
    /// The number of the token. No other token of this process has it.
    pub(super) token: u64,
    ends_at: Timestamp,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({}, until {})", self.token, self.ends_at)
    }
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present session of an installation, if its token lasts a while.
    pub(super) fn find(
        &self,
        installation: InstallationId,
        now: Timestamp,
    ) -> Option<Arc<Session>> {
        let known = self.lock();
        let session = known.sessions.get(&installation)?;
        (session.ends_at.duration_since(now) > MARGIN).then(|| Arc::clone(session))
    }

    /// Begins a session with a new token, which `crab` sends.
    pub(super) fn begin(
        &self,
        installation: InstallationId,
        crab: Octocrab,
        ends_at: Timestamp,
    ) -> Arc<Session> {
        let mut known = self.lock();
        let token = known.next;
        known.next += 1;
        let session = Arc::new(Session {
            crab,
            token,
            ends_at,
        });
        known.sessions.insert(installation, Arc::clone(&session));
        session
    }

    /// Forgets a session, unless a newer one has taken its place.
    pub(super) fn end(&self, installation: InstallationId, session: &Session) {
        let mut known = self.lock();
        let present = known.sessions.get(&installation);
        if present.is_some_and(|present| present.token == session.token) {
            known.sessions.remove(&installation);
        }
    }
}

/// The suspension of the App in the organisation.
#[derive(Debug, Default)]
pub(super) struct Suspension {
    since: Mutex<Option<Timestamp>>,
    /// Tells that a suspension began.
    began: Notify,
}

impl Suspension {
    fn lock(&self) -> MutexGuard<'_, Option<Timestamp>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since when the installation is suspended.
    pub(super) fn since(&self) -> Option<Timestamp> {
        *self.lock()
    }

    /// Notes a suspension that GitHub spoke of, and returns the error that says so.
    pub(super) fn begin(&self, since: Timestamp) -> Error {
        let mut known = self.lock();
        let since = *known.get_or_insert_with(|| {
            tracing::error!(%since, "the organisation has suspended the App's installation");
            self.began.notify_one();
            since
        });
        Error::Suspended { since }
    }

    /// Waits until a suspension begins.
    pub(super) async fn wait(&self) {
        self.began.notified().await;
    }

    /// Notes that the installation is not suspended.
    pub(super) fn end(&self) {
        if self.lock().take().is_some() {
            tracing::info!("the App's installation is not suspended any more");
        }
    }
}

/// True when GitHub rejected the token. Then it has not done what was asked.
pub(super) fn is_rejected(error: &Error) -> bool {
    matches!(error, Error::Refused { status, .. } if *status == StatusCode::UNAUTHORIZED)
}

/// True for "This installation has been suspended", which GitHub answers to requests for a token and
/// to those with one from before.
pub(super) fn says_suspended(error: &Error) -> bool {
    let Error::Refused {
        status, message, ..
    } = error
    else {
        return false;
    };
    let message = message.to_ascii_lowercase();
    *status == StatusCode::FORBIDDEN
        && message.contains("installation")
        && message.contains("suspended")
}
