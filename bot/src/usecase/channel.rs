//! What is published: the index that users read, read the same way.
//!
//! The last index is kept in a file, so that pushes can be planned while vessel is away, also after
//! a restart. Nothing is published meanwhile but what summit itself had published before.

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

use super::wake::locked;
use crate::config;

/// How long vessel may take to say what is published before what it said last serves a plan.
const PATIENCE: Duration = Duration::from_secs(5);

/// A channel that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// vessel could not be reached, or the answer broke off.
    #[error("cannot fetch the index {url}")]
    Fetch {
        /// Which index.
        url: Url,
        /// Why.
        source: reqwest::Error,
    },
    /// vessel takes too long to answer.
    #[error("the index {url} does not come in time")]
    Slow {
        /// Which index.
        url: Url,
    },
    /// The answer is no index.
    #[error("the index {url} cannot be read")]
    Decode {
        /// Which index.
        url: Url,
        /// Why.
        source: Box<moss_format::stone::Error>,
    },
    /// The profile is none of the configured ones.
    #[error("nothing is built for the profile {profile} any more")]
    NoProfile {
        /// Which profile.
        profile: Architecture,
    },
}

impl Error {
    /// What is wrong, for people.
    pub fn explain(&self) -> &'static str {
        match self {
            Self::Fetch { .. } | Self::Slow { .. } => "vessel does not answer",
            Self::Decode { .. } => "the channel's index cannot be read",
            Self::NoProfile { .. } => "the configuration has no such profile any more",
        }
    }
}

/// The channel that default branches are published to, as it is for one profile.
#[derive(Debug)]
pub struct Channel {
    http: reqwest::Client,
    url: Url,
    clock: Clock,
    /// The index as it was read last.
    file: PathBuf,
    last: Mutex<Option<Last>>,
}

/// What was read last.
#[derive(Debug, Clone)]
struct Last {
    tag: Option<String>,
    known: Known,
}

/// The channel as it was at a time.
#[derive(Debug, Clone)]
pub struct Known {
    /// What it had.
    pub snapshot: Arc<Snapshot>,
    /// Before this moment.
    pub read_at: Timestamp,
}

/// The channel's packages at one moment, with what leads to them. It is made once for each history.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The packages, with URIs relative to `url`.
    pub universe: Arc<Universe>,
    /// Where the index was read; none while nothing is published.
    pub url: Option<Url>,
    /// Tells snapshots apart; none while nothing is published.
    pub digest: Option<Sha256>,
    sources: HashMap<String, Source>,
}

/// What the channel has of one recipe.
#[derive(Debug, Default)]
struct Source {
    /// The highest build release of each release.
    releases: BTreeMap<u64, u64>,
    /// The names of the packages.
    packages: Vec<String>,
}

impl Snapshot {
    /// The packages of an index.
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

    /// The highest release of a source; none when the channel has nothing of it.
    pub fn release_of(&self, source: &str) -> Option<u64> {
        let releases = &self.sources.get(source)?.releases;
        releases.keys().next_back().copied()
    }

    /// What the packages of a source provide.
    pub fn provides_of(&self, source: &str) -> impl Iterator<Item = &Provider> {
        let source = self.sources.get(source);
        let names = source.into_iter().flat_map(|source| &source.packages);
        let packages = names.filter_map(|name| self.universe.find(name));
        packages.flat_map(|package| &package.provides)
    }

    /// The build release for a new build of a source's release: one more than the channel has.
    pub fn next_build_release(&self, source: &str, release: u64) -> u64 {
        let releases = self.sources.get(source).map(|source| &source.releases);
        let built = releases.and_then(|releases| releases.get(&release));
        built.copied().unwrap_or(0) + 1
    }
}

impl Channel {
    /// The channel that `config` names for a profile, as `clock` tells the time. What is read of it is
    /// kept in `file`.
    ///
    /// # Errors
    /// When the public URL cannot take a path.
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
        })
    }

    /// The channel as it is now, or as it was when it was last read, should vessel not say in time.
    ///
    /// # Errors
    /// When vessel does not answer and never did.
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
            "the channel is out of reach; it is taken to be as it was"
        );
        Ok(known)
    }

    /// The channel as it is now.
    ///
    /// # Errors
    /// When vessel does not answer, or with no index.
    pub async fn snapshot(&self) -> Result<Arc<Snapshot>, Error> {
        Ok(self.read().await?.snapshot)
    }

    /// Reads the channel. An index that did not change is not read again.
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
        // What was asked for later is not set back by an answer that came late.
        let newer = last
            .take()
            .filter(|last| last.known.read_at > known.read_at);
        *last = newer.or(Some(Last {
            tag,
            known: known.clone(),
        }));
        known
    }

    /// Keeps the index for the next start. Without it a plan waits for vessel, so a failure is no
    /// more than a pity.
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
            tracing::warn!(%error, "the channel's index cannot be kept");
        }
    }

    /// The index that an earlier process kept, if it is whole.
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
                tracing::debug!(%error, "no index of the channel is kept");
                return None;
            }
        };
        let snapshot = match decode(self.url.clone(), body.into()).await {
            Ok(snapshot) => Arc::new(snapshot),
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "the kept index of the channel is no use");
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

/// What fetches files that are there for anyone. It goes nowhere but where it was sent.
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
