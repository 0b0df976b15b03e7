//! The octocrab clients: one for the App and one for each installation.
//!
//! Cloning an octocrab client drops its cached token, so callers share one client in an `Arc`. When
//! GitHub rejects a token, its client is dropped, and the next call makes a new one.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use octocrab::Octocrab;
use octocrab::models::AppId;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use service::Clock;
use tokio::time::Instant;

use super::call::{Answer, Caller, Error, Pause};
use super::etag_cache::EtagCache;
use super::pace::{Class, Pace, Turn};
use crate::config;
use crate::domain::name::{InstallationId, RepositoryId};

/// The longest wait for a turn to write.
const SHORT: Duration = Duration::from_secs(5);

/// Why the GitHub client cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The private key cannot be read.
    #[error("cannot read the file {} that `github.private_key` names", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The private key is not an RSA private key.
    #[error(
        "`github.private_key` names {}, which is no RSA private key in PEM: take the one that GitHub \
         gave out",
        path.display()
    )]
    KeyKind {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: jsonwebtoken::errors::Error,
    },
    /// octocrab does not accept the private key or the API's URL.
    #[error("cannot make a client for the App")]
    Client(#[source] Box<octocrab::Error>),
}

/// The GitHub App.
#[derive(Debug)]
pub struct App {
    crab: Octocrab,
    installations: Mutex<HashMap<InstallationId, Arc<Octocrab>>>,
    pause: Pause,
    pace: Pace,
    watched: EtagCache,
    clock: Clock,
}

impl App {
    /// Creates the clients for `config`. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the key or the URL is invalid.
    pub fn open(config: &config::GitHub) -> Result<Self, OpenError> {
        service::install_tls_provider();
        let path = &config.private_key;
        let pem = std::fs::read(path).map_err(|source| OpenError::Key {
            path: path.clone(),
            source,
        })?;
        try_to_sign(&pem).map_err(|source| OpenError::KeyKind {
            path: path.clone(),
            source,
        })?;
        let client = |source| OpenError::Client(Box::new(source));
        let base = config.api_url.as_str().trim_end_matches('/');
        let crab = Octocrab::builder()
            .base_uri(base)
            .map_err(client)?
            .app_from_rsa_pem(AppId(config.app_id), pem)
            .map_err(client)?
            .set_connect_timeout(Some(Duration::from_secs(10)))
            .set_read_timeout(Some(Duration::from_secs(30)))
            .set_write_timeout(Some(Duration::from_secs(30)))
            .build()
            .map_err(client)?;
        Ok(Self {
            crab,
            installations: Mutex::default(),
            pause: Pause::default(),
            pace: Pace::default(),
            watched: EtagCache::default(),
            clock: Clock::system(),
        })
    }

    /// Takes a turn to write. Without a free turn, the error is the time until the next one.
    ///
    /// # Errors
    /// When the write limit is reached.
    pub fn take_turn(&self, class: Class) -> Result<Turn, Duration> {
        self.pace.take(Instant::now(), class)
    }

    /// Waits up to `SHORT` for a turn to write.
    ///
    /// # Errors
    /// When the wait would be longer.
    pub async fn turn(&self, class: Class) -> Result<Turn, Error> {
        loop {
            match self.take_turn(class) {
                Ok(turn) => return Ok(turn),
                Err(pause) if pause <= SHORT => tokio::time::sleep(pause).await,
                Err(pause) => {
                    let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
                    let until = self.clock.now().saturating_add(pause);
                    let until = until.unwrap_or(Timestamp::MAX);
                    return Err(Error::RateLimited { until });
                }
            }
        }
    }

    /// The installation in `organisation`; `None` when the App is not installed there.
    ///
    /// # Errors
    /// When the request to GitHub fails.
    pub async fn find_installation(
        &self,
        organisation: &str,
    ) -> Result<Option<InstallationId>, Error> {
        #[derive(Deserialize)]
        struct Installation {
            id: InstallationId,
        }
        let path = format!("/orgs/{organisation}/installation");
        let answer = self
            .as_app::<Installation>(Method::GET, &path, None::<&()>)
            .await;
        match answer {
            Ok(answer) => Ok(Some(answer.body.id)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
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
        #[derive(Deserialize)]
        struct Token {
            token: SecretString,
        }
        let path = format!("/app/installations/{installation}/access_tokens");
        let body = json!({ "repository_ids": [repository], "permissions": { "contents": "read" } });
        Ok(self
            .as_app::<Token>(Method::POST, &path, Some(&body))
            .await?
            .body
            .token)
    }

    pub(super) async fn as_app<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + ?Sized)>,
    ) -> Result<Answer<T>, Error> {
        self.caller(&self.crab).call(method, path, body).await
    }

    pub(super) async fn as_installation<T: DeserializeOwned>(
        &self,
        installation: InstallationId,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + ?Sized)>,
    ) -> Result<Answer<T>, Error> {
        let crab = self.client(installation, &method, path)?;
        let answer = self.caller(&crab).call(method, path, body).await;
        self.heed_token(installation, &crab, &answer);
        answer
    }

    /// Sends a conditional GET with the last ETag. A 304 does not count against the rate limit;
    /// this function then returns the cached answer.
    pub(super) async fn watch<T: DeserializeOwned + Clone + Send + Sync + 'static>(
        &self,
        installation: InstallationId,
        path: &str,
    ) -> Result<Answer<T>, Error> {
        let crab = self.client(installation, &Method::GET, path)?;
        let known = self.watched.find::<Answer<T>>(path);
        let tag = known.as_ref().map(|(tag, _)| tag.as_str());
        let answer = self.caller(&crab).get_changed::<T>(path, tag).await;
        self.heed_token(installation, &crab, &answer);
        let Some((answer, tag)) = answer? else {
            let (_, answer) = known.expect("only a request with a tag has no answer");
            return Ok(answer);
        };
        self.watched.keep(path, tag, answer.clone());
        Ok(answer)
    }

    fn caller<'app>(&'app self, crab: &'app Octocrab) -> Caller<'app> {
        Caller {
            crab,
            pause: &self.pause,
            clock: &self.clock,
        }
    }

    /// Drops the client when GitHub rejected its token with 401.
    fn heed_token<T>(
        &self,
        installation: InstallationId,
        crab: &Arc<Octocrab>,
        answer: &Result<T, Error>,
    ) {
        if let Err(Error::Refused { status, .. }) = &answer
            && *status == StatusCode::UNAUTHORIZED
        {
            let mut clients = self.clients();
            // Another call may have made a new client meanwhile.
            if clients
                .get(&installation)
                .is_some_and(|known| Arc::ptr_eq(known, crab))
            {
                clients.remove(&installation);
            }
        }
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<InstallationId, Arc<Octocrab>>> {
        self.installations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn client(
        &self,
        installation: InstallationId,
        method: &Method,
        path: &str,
    ) -> Result<Arc<Octocrab>, Error> {
        let mut clients = self.clients();
        if let Some(client) = clients.get(&installation) {
            return Ok(Arc::clone(client));
        }
        let client = self
            .crab
            .installation(installation.number().into())
            .map_err(|source| Error::Transport {
                method: method.clone(),
                path: path.to_owned(),
                source: Box::new(source),
            })?;
        let client = Arc::new(client);
        clients.insert(installation, Arc::clone(&client));
        Ok(client)
    }
}

/// Signs a test message. jsonwebtoken accepts a public key until the first signature.
fn try_to_sign(pem: &[u8]) -> Result<(), jsonwebtoken::errors::Error> {
    let key = EncodingKey::from_rsa_pem(pem)?;
    let header = Header::new(Algorithm::RS256);
    jsonwebtoken::encode(&header, &serde_json::json!({}), &key).map(drop)
}
