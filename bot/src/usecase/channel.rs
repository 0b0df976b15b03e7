//! Reads the published channel: the same index that clients read.
//!
//! The last index is stored in a file. With it, pushes can be planned while vessel is away, even
//! after a restart. Meanwhile vessel can publish nothing but imports that summit has already
//! ordered.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::id::{Architecture, Sha256};
use bytes::Bytes;
use jiff::Timestamp;
use moss_deps::Universe;
use moss_format::{Index, Meta, Provider};
use reqwest::StatusCode;
use reqwest::header::{ETAG, IF_NONE_MATCH};
use service::Clock;
use service::error::Chain;
use url::Url;

use super::desk::Desk;
use super::wake::{Wake, locked};
use crate::config;
use crate::domain::silence::{SilentSince, has_not_answered};

/// How long a plan waits for vessel. After that, it uses the last index.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the channel cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// vessel could not be reached, or its answer broke off.
    #[error("cannot fetch the index {url}")]
    Fetch {
        /// The URL of the index.
        url: Url,
        /// The cause.
        source: reqwest::Error,
    },
    /// vessel did not answer in time.
    #[error("the index {url} does not come in time")]
    Slow {
        /// The URL of the index.
        url: Url,
    },
    /// The answer is not an index.
    #[error("the index {url} cannot be read")]
    Decode {
        /// The URL of the index.
        url: Url,
        /// The cause.
        source: Box<moss_format::stone::Error>,
    },
    /// The profile is not configured.
    #[error("nothing is built for the profile {profile} any more")]
    NoProfile {
        /// The profile.
        profile: Architecture,
    },
}

impl Error {
    /// The reason, for people, when the channel has been out of reach `since` then.
    pub fn explain(&self, since: Timestamp) -> String {
        match self {
            Self::Fetch { .. } | Self::Slow { .. } => has_not_answered("vessel", since),
            Self::Decode { .. } => "the channel's index cannot be read".to_owned(),
            Self::NoProfile { .. } => "the configuration has no such profile any more".to_owned(),
        }
    }
}

/// The channel for default branches, for one profile.
#[derive(Debug)]
pub struct Channel {
    http: reqwest::Client,
    url: Url,
    clock: Clock,
    /// The file with the last index.
    file: PathBuf,
    last: Mutex<Option<Last>>,
    desk: Desk<Result<Arc<Snapshot>, Arc<Error>>>,
    /// Since when vessel does not answer.
    silent: Mutex<SilentSince>,
}

/// The last successful read.
#[derive(Debug, Clone)]
struct Last {
    tag: Option<String>,
    known: Known,
}

/// A snapshot of the channel, with its age.
#[derive(Debug, Clone)]
pub struct Known {
    /// The snapshot.
    pub snapshot: Arc<Snapshot>,
    /// A time just before the read.
    pub read_at: Timestamp,
}

/// The channel's packages at one moment, with lookup tables. Each history is decoded once.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The packages, with URIs relative to `url`.
    pub universe: Arc<Universe>,
    /// The URL of the index; `None` while nothing is published.
    pub url: Option<Url>,
    /// The digest of the index; `None` while nothing is published.
    pub digest: Option<Sha256>,
    sources: HashMap<String, Source>,
}

/// The published packages of one recipe.
#[derive(Debug, Default)]
struct Source {
    /// The highest build release of each release.
    releases: BTreeMap<u64, u64>,
    /// The names of its packages.
    packages: Vec<String>,
}

impl Snapshot {
    /// Builds a snapshot from the packages of an index.
    pub fn new(packages: Vec<Meta>, url: Option<Url>, digest: Option<Sha256>) -> Self {
        let mut sources: HashMap<String, Source> = HashMap::new();
        for package in &packages {
            let source = sources.entry(package.source_id.clone()).or_default();
            let build = source.releases.entry(package.release).or_default();
            *build = package.build_release.max(*build);
            source.packages.push(package.name.clone());
        }
        Self {
            universe: Arc::new(Universe::new(packages)),
            url,
            digest,
            sources,
        }
    }

    /// The highest published release of a recipe; `None` when the channel has no package of it.
    pub fn release_of(&self, source: &str) -> Option<u64> {
        let releases = &self.sources.get(source)?.releases;
        releases.keys().next_back().copied()
    }

    /// The providers of a recipe's packages.
    pub fn provides_of(&self, source: &str) -> impl Iterator<Item = &Provider> {
        let source = self.sources.get(source);
        let names = source.into_iter().flat_map(|source| &source.packages);
        let packages = names.filter_map(|name| self.universe.find(name));
        packages.flat_map(|package| &package.provides)
    }

    /// The build release for a new build: one more than the channel's highest for this release.
    pub fn next_build_release(&self, source: &str, release: u64) -> u64 {
        let releases = self.sources.get(source).map(|source| &source.releases);
        let built = releases.and_then(|releases| releases.get(&release));
        built.copied().unwrap_or(0) + 1
    }
}

impl Channel {
    /// The channel in `config` for one profile. The last index is stored in `file`.
    ///
    /// # Errors
    /// When the public URL cannot be extended by a path.
    pub fn new(
        config: &config::Vessel,
        profile: &Architecture,
        clock: Clock,
        file: PathBuf,
    ) -> Result<Self, url::ParseError> {
        let base = config.public_url.as_str().trim_end_matches('/');
        let url = Url::parse(&format!(
            "{base}/{}/stream/volatile/{}/stone.index",
            config.channel, profile
        ))?;
        Ok(Self {
            http: http_client(),
            url,
            clock,
            file,
            last: Mutex::default(),
            desk: Desk::default(),
            silent: Mutex::default(),
        })
    }

    /// Reads the channel, or returns the last snapshot when vessel does not answer in time.
    ///
    /// # Errors
    /// When vessel does not answer and there is no last snapshot.
    pub async fn latest(&self) -> Result<Known, Error> {
        let error = match tokio::time::timeout(PATIENCE, self.read()).await {
            Ok(Ok(known)) => return Ok(known),
            Ok(Err(error)) => error,
            Err(_) => Error::Slow {
                url: self.url.clone(),
            },
        };
        let last = match self.last().map(|last| last.known) {
            Some(known) => Some(known),
            None => self.restore().await,
        };
        let Some(known) = last else {
            return Err(error);
        };
        tracing::warn!(
            error = %Chain(&error),
            read_at = %known.read_at,
            "the channel is out of reach; its last snapshot is used"
        );
        Ok(known)
    }

    /// The channel as vessel serves it, if it does so within a moment. Nobody else waits for a silent vessel.
    ///
    /// # Errors
    /// When vessel does not answer, or not with an index.
    pub(super) async fn fresh(&self) -> Result<Arc<Snapshot>, Arc<Error>> {
        let heard = self.desk.hear(self.desk.wish()).await;
        heard.unwrap_or_else(|| {
            Err(Arc::new(Error::Slow {
                url: self.url.clone(),
            }))
        })
    }

    /// Since when vessel does not answer; `now` when its first answer is overdue.
    pub(super) fn silent_since(&self, now: Timestamp) -> Timestamp {
        locked(&self.silent).at(now)
    }

    /// Reads the channel whenever somebody wishes, for ever. `wake` is woken by an answer that came too late.
    pub(super) async fn attend(&self, wake: &Wake) {
        loop {
            let wish = self.desk.wished().await;
            let read = self.snapshot().await.map_err(Arc::new);
            let is_silent = read.is_err();
            match is_silent {
                true => drop(locked(&self.silent).note(self.clock.now())),
                false => locked(&self.silent).end(),
            }
            self.desk.answer(wish, read, is_silent, wake);
        }
    }

    /// Reads the channel.
    ///
    /// # Errors
    /// When vessel does not answer, or not with an index.
    pub async fn snapshot(&self) -> Result<Arc<Snapshot>, Error> {
        Ok(self.read().await?.snapshot)
    }

    /// Reads the channel with a conditional GET. On a 304 the last snapshot is not decoded again.
    async fn read(&self) -> Result<Known, Error> {
        let last = self.last();
        let read_at = self.clock.now();
        let failed = |source| Error::Fetch {
            url: self.url.clone(),
            source,
        };
        let mut request = self.http.get(self.url.clone());
        if let Some(Last { tag: Some(tag), .. }) = &last {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let answer = request.send().await.map_err(failed)?;
        if let (StatusCode::NOT_MODIFIED, Some(last)) = (answer.status(), last) {
            let known = Known {
                read_at,
                ..last.known
            };
            return Ok(self.remember(last.tag, known));
        }
        if answer.status() == StatusCode::NOT_FOUND {
            let snapshot = Arc::default();
            return Ok(self.remember(None, Known { snapshot, read_at }));
        }
        let answer = answer.error_for_status().map_err(failed)?;
        let tag = answer
            .headers()
            .get(ETAG)
            .and_then(|tag| tag.to_str().ok())
            .map(str::to_owned);
        let body = answer.bytes().await.map_err(failed)?;
        let snapshot = Arc::new(decode(self.url.clone(), body.clone()).await?);
        self.store(body).await;
        Ok(self.remember(tag, Known { snapshot, read_at }))
    }

    fn last(&self) -> Option<Last> {
        locked(&self.last).clone()
    }

    fn remember(&self, tag: Option<String>, known: Known) -> Known {
        let mut last = locked(&self.last);
        // A late answer must not replace the answer to a later request.
        let newer = last
            .take()
            .filter(|last| last.known.read_at > known.read_at);
        *last = newer.or(Some(Last {
            tag,
            known: known.clone(),
        }));
        known
    }

    /// Stores the index for the next start. A failure is only logged: without the file, a plan
    /// after a restart waits for vessel.
    async fn store(&self, body: Bytes) {
        let file = self.file.clone();
        let stored = tokio::task::spawn_blocking(move || {
            let folder = file.parent().unwrap_or(std::path::Path::new("."));
            let mut new = tempfile::NamedTempFile::new_in(folder)?;
            std::io::Write::write_all(&mut new, &body)?;
            new.persist(&file)?;
            Ok::<_, std::io::Error>(())
        });
        if let Err(error) = stored.await.expect("writing does not panic") {
            tracing::warn!(%error, "the channel's index cannot be stored");
        }
    }

    /// The stored index of an earlier process, if it is intact.
    async fn restore(&self) -> Option<Known> {
        let file = self.file.clone();
        let kept = tokio::task::spawn_blocking(move || {
            let read_at = Timestamp::try_from(std::fs::metadata(&file)?.modified()?);
            let body = std::fs::read(&file)?;
            Ok::<_, std::io::Error>((read_at, body))
        });
        let (read_at, body) = match kept.await.expect("reading does not panic") {
            Ok(kept) => kept,
            Err(error) => {
                tracing::debug!(%error, "no index of the channel is stored");
                return None;
            }
        };
        let snapshot = match decode(self.url.clone(), body.into()).await {
            Ok(snapshot) => Arc::new(snapshot),
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "the stored channel index is unusable");
                return None;
            }
        };
        let known = Known {
            snapshot,
            read_at: read_at.unwrap_or(Timestamp::MIN),
        };
        Some(self.remember(None, known))
    }
}

/// The HTTP client for public files. It follows no redirects.
pub fn http_client() -> reqwest::Client {
    service::install_tls_provider();
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("the TLS provider is installed and the settings are constant")
}

async fn decode(url: Url, body: Bytes) -> Result<Snapshot, Error> {
    let decoded = tokio::task::spawn_blocking(move || {
        let digest = Sha256::of(&body);
        let index = Index::decode(&body).map_err(|source| Error::Decode {
            url: url.clone(),
            source: Box::new(source),
        })?;
        Ok(Snapshot::new(index.packages, Some(url), Some(digest)))
    });
    decoded.await.expect("decoding does not panic")
}

#[cfg(test)]
mod tests;
