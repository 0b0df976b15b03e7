//! Sessions: a client with the present token of an installation, which lasts an hour.
//!
//! summit asks for tokens itself instead of leaving that to octocrab. So a refused token is an answer
//! like any other: rate limits reach the pause, and a suspended installation is known as such. It
//! also knows which token got an answer, since GitHub's ETags belong to the token.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use octocrab::Octocrab;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::App;
use super::call::Error;
use crate::domain::name::{InstallationId, RepositoryId};

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

    fn find(&self, installation: InstallationId, now: Timestamp) -> Option<Arc<Session>> {
        let known = self.lock();
        let session = known.sessions.get(&installation)?;
        (session.ends_at.duration_since(now) > MARGIN).then(|| Arc::clone(session))
    }

    fn begin(
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
    fn end(&self, installation: InstallationId, session: &Session) {
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

    fn end(&self) {
        if self.lock().take().is_some() {
            tracing::info!("the App's installation is not suspended any more");
        }
    }
}

/// A token as GitHub gives it out.
#[derive(Deserialize)]
struct Token {
    token: SecretString,
    expires_at: Timestamp,
}

impl App {
    /// The session of an installation, with a new token if need be.
    pub(super) async fn session(
        &self,
        installation: InstallationId,
    ) -> Result<Arc<Session>, Error> {
        if let Some(since) = self.suspension.since() {
            return Err(Error::Suspended { since });
        }
        match self.sessions.find(installation, self.clock.now()) {
            Some(session) => Ok(session),
            None => self.begin_session(installation).await,
        }
    }

    /// Asks for a new token, also while the installation is suspended: it may have been until now.
    pub(super) async fn begin_session(
        &self,
        installation: InstallationId,
    ) -> Result<Arc<Session>, Error> {
        let token = self.token(installation, &json!({})).await?;
        let crab = self.crab.user_access_token(token.token);
        let crab = crab.map_err(|source| Error::Transport {
            method: Method::POST,
            path: token_path(installation),
            source: Box::new(source),
        })?;
        Ok(self.sessions.begin(installation, crab, token.expires_at))
    }

    /// A token for reading the contents of one repository. It lasts an hour.
    ///
    /// # Errors
    /// When the request to GitHub fails.
    pub async fn clone_token(
        &self,
        installation: InstallationId,
        repository: RepositoryId,
    ) -> Result<SecretString, Error> {
        if let Some(since) = self.suspension.since() {
            return Err(Error::Suspended { since });
        }
        let body = json!({ "repository_ids": [repository], "permissions": { "contents": "read" } });
        Ok(self.token(installation, &body).await?.token)
    }

    async fn token(&self, installation: InstallationId, body: &Value) -> Result<Token, Error> {
        let path = token_path(installation);
        let answer = self.as_app::<Token>(Method::POST, &path, Some(body)).await;
        match answer {
            Ok(answer) => {
                self.suspension.end();
                Ok(answer.body)
            }
            Err(error) if says_suspended(&error) => Err(self.suspension.begin(self.clock.now())),
            Err(error) => Err(error),
        }
    }

    /// Reads from an answer what it says of the token: GitHub rejected it, or the installation is
    /// suspended.
    pub(super) fn heed_session<T>(
        &self,
        installation: InstallationId,
        session: &Session,
        answer: Result<T, Error>,
    ) -> Result<T, Error> {
        match answer {
            Err(error) if is_rejected(&error) => {
                self.sessions.end(installation, session);
                Err(error)
            }
            Err(error) if says_suspended(&error) => Err(self.suspension.begin(self.clock.now())),
            answer => answer,
        }
    }
}

fn token_path(installation: InstallationId) -> String {
    format!("/app/installations/{installation}/access_tokens")
}

/// True when GitHub rejected the token. Then it has not done what was asked.
pub(super) fn is_rejected(error: &Error) -> bool {
    matches!(error, Error::Refused { status, .. } if *status == StatusCode::UNAUTHORIZED)
}

/// True for "This installation has been suspended", which GitHub answers to requests for a token and
/// to those with one from before.
fn says_suspended(error: &Error) -> bool {
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

#[cfg(test)]
mod tests;
