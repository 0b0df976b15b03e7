//! Requests for tokens.
//!
//! summit asks for tokens itself instead of leaving that to octocrab. So a refused token is an answer
//! like any other: rate limits reach the pause, and a suspended installation is known as such. It
//! also knows which token got an answer, since GitHub's ETags belong to the token.

use std::sync::Arc;

use http::Method;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::call::Error;
use super::session::{Session, is_rejected, says_suspended};
use crate::domain::name::{InstallationId, RepositoryId};

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

#[cfg(test)]
mod tests;
