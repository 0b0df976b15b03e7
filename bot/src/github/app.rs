//! The GitHub App: requests in its own name, and in that of its installations.

use std::path::PathBuf;
use std::time::Duration;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use octocrab::Octocrab;
use octocrab::models::AppId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use service::Clock;
use tokio::time::Instant;

use super::call::{Answer, Caller, Error, Pause};
use super::etag_cache::EtagCache;
use super::pace::{Class, Pace, Turn};
use super::session::{Sessions, Suspension, is_rejected};
use crate::config;
use crate::domain::name::InstallationId;

/// The longest wait for a turn to write.
const SHORT: Duration = Duration::from_secs(5);

/// How long writes wait while the installation is suspended. The sweep asks GitHub meanwhile, and wakes
/// who waits.
const SUSPENDED: Duration = Duration::from_secs(60);

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
    pub(super) crab: Octocrab,
    pub(super) sessions: Sessions,
    pub(super) suspension: Suspension,
    pub(super) pause: Pause,
    pub(super) pace: Pace,
    watched: EtagCache,
    pub(super) clock: Clock,
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
            sessions: Sessions::default(),
            suspension: Suspension::default(),
            pause: Pause::default(),
            pace: Pace::default(),
            watched: EtagCache::default(),
            clock: Clock::system(),
        })
    }

    /// Takes a turn to write. Without a free turn, the error is the time until the next one. There is
    /// none while GitHub asks for a pause, or while the installation is suspended.
    ///
    /// # Errors
    /// When nothing may be written now.
    pub fn take_turn(&self, class: Class) -> Result<Turn, Duration> {
        if self.suspension.since().is_some() {
            return Err(SUSPENDED);
        }
        let now = self.clock.now();
        if let Some(until) = self.pause.until(now) {
            return Err(until.duration_since(now).unsigned_abs());
        }
        self.pace.take(Instant::now(), class)
    }

    /// Waits up to `SHORT` for a turn to write.
    ///
    /// # Errors
    /// When the wait would be longer.
    pub async fn turn(&self, class: Class) -> Result<Turn, Error> {
        loop {
            let pause = match self.take_turn(class) {
                Ok(turn) => return Ok(turn),
                Err(pause) => pause,
            };
            if let Some(since) = self.suspended_since() {
                return Err(Error::Suspended { since });
            }
            if pause > SHORT {
                let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
                let until = self.clock.now().saturating_add(pause);
                let until = until.unwrap_or(Timestamp::MAX);
                return Err(Error::RateLimited { until });
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Waits until writes were sent that are not stored yet.
    pub async fn wait_for_unsaved_writes(&self) {
        self.pace.wait_for_unsaved().await;
    }

    /// How many writes are not stored yet. They count as stored from now on.
    pub fn take_unsaved_writes(&self) -> u64 {
        self.pace.take_unsaved()
    }

    /// Counts writes as not stored again, because storing them failed.
    pub fn return_unsaved_writes(&self, count: u64) {
        self.pace.return_unsaved(count);
    }

    /// Counts the writes of an earlier process: how many at which time, the oldest first.
    pub fn restore_writes(&self, writes: &[(Timestamp, u64)]) {
        let now = self.clock.now();
        let ages = writes.iter().flat_map(|(at, count)| {
            // The clock may have been put back.
            let age = Duration::try_from(now.duration_since(*at)).unwrap_or_default();
            (0..*count).map(move |_| age)
        });
        self.pace.restore(Instant::now(), ages);
    }

    /// Since when an owner of the organisation has suspended the installation, as far as summit knows.
    pub fn suspended_since(&self) -> Option<Timestamp> {
        self.suspension.since()
    }

    /// Waits until summit learns that the installation was suspended.
    pub async fn wait_for_suspension(&self) {
        self.suspension.wait().await;
    }

    /// The installation in `organisation`; `None` when the App is not installed there. While the
    /// installation is suspended, this asks GitHub whether it still is.
    ///
    /// # Errors
    /// When the request to GitHub fails, or the installation is suspended.
    pub async fn find_installation(
        &self,
        organisation: &str,
    ) -> Result<Option<InstallationId>, Error> {
        #[derive(Deserialize)]
        struct Installation {
            id: InstallationId,
            #[serde(default)]
            suspended_at: Option<Timestamp>,
        }
        let path = format!("/orgs/{organisation}/installation");
        let answer = self
            .as_app::<Installation>(Method::GET, &path, None::<&()>)
            .await;
        let Installation { id, suspended_at } = match answer {
            Ok(answer) => answer.body,
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(error),
        };
        if let Some(since) = suspended_at {
            return Err(self.suspension.begin(since));
        }
        if self.suspended_since().is_some() {
            // Only a token proves that it is over.
            self.begin_session(id).await?;
        }
        Ok(Some(id))
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
        let session = self.session(installation).await?;
        let caller = self.caller(&session.crab);
        let answer = caller.call(method.clone(), path, body).await;
        let answer = self.heed_session(installation, &session, answer);
        if !answer.as_ref().is_err_and(is_rejected) {
            return answer;
        }
        // GitHub can reject a token for a moment after it gave it out, and has done nothing then.
        let session = self.session(installation).await?;
        let answer = self.caller(&session.crab).call(method, path, body).await;
        self.heed_session(installation, &session, answer)
    }

    /// Sends a conditional GET with the last ETag, if the present token got it. A 304 does not count
    /// against the rate limit; this function then returns the cached answer.
    pub(super) async fn watch<T: DeserializeOwned + Clone + Send + Sync + 'static>(
        &self,
        installation: InstallationId,
        path: &str,
    ) -> Result<Answer<T>, Error> {
        let answer = self.watch_once(installation, path).await;
        match answer {
            Err(error) if is_rejected(&error) => self.watch_once(installation, path).await,
            answer => answer,
        }
    }

    async fn watch_once<T: DeserializeOwned + Clone + Send + Sync + 'static>(
        &self,
        installation: InstallationId,
        path: &str,
    ) -> Result<Answer<T>, Error> {
        let session = self.session(installation).await?;
        let known = self.watched.find::<Answer<T>>(path, session.token);
        let tag = known.as_ref().map(|(tag, _)| tag.as_str());
        let answer = self.caller(&session.crab).get_changed(path, tag).await;
        let answer = self.heed_session(installation, &session, answer);
        let Some((answer, tag)) = answer? else {
            let (_, answer) = known.expect("only a request with a tag has no answer");
            return Ok(answer);
        };
        self.watched.keep(path, session.token, tag, answer.clone());
        Ok(answer)
    }

    fn caller<'app>(&'app self, crab: &'app Octocrab) -> Caller<'app> {
        Caller {
            crab,
            pause: &self.pause,
            clock: &self.clock,
        }
    }
}

/// Signs a test message. jsonwebtoken accepts a public key until the first signature.
fn try_to_sign(pem: &[u8]) -> Result<(), jsonwebtoken::errors::Error> {
    let key = EncodingKey::from_rsa_pem(pem)?;
    let header = Header::new(Algorithm::RS256);
    jsonwebtoken::encode(&header, &serde_json::json!({}), &key).map(drop)
}
