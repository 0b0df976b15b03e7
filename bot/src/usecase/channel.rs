//! What is published: the index that users read, read the same way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::id::Sha256;
use moss_format::{Index, Meta, Provider};
use reqwest::StatusCode;
use reqwest::header::{ETAG, IF_NONE_MATCH};
use url::Url;

use crate::config;

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
    /// The answer is no index.
    #[error("the index {url} cannot be read")]
    Decode {
        /// Which index.
        url: Url,
        /// Why.
        source: Box<moss_format::stone::Error>,
    },
}

/// The channel that default branches are published to.
#[derive(Debug)]
pub struct Channel {
    http: reqwest::Client,
    url: Url,
    last: Mutex<Option<(Option<String>, Arc<Snapshot>)>>,
}

/// The channel's packages at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Their metadata, with URIs relative to `url`.
    pub packages: Vec<Meta>,
    /// Where the index was read; none while nothing is published.
    pub url: Option<Url>,
    /// Tells snapshots apart; none while nothing is published.
    pub digest: Option<Sha256>,
}

impl Snapshot {
    /// The highest release of each source.
    pub fn releases(&self) -> HashMap<String, u64> {
        let mut releases = HashMap::new();
        for package in &self.packages {
            let release = releases.entry(package.source_id.clone()).or_default();
            *release = package.release.max(*release);
        }
        releases
    }

    /// What the packages of each source provide.
    pub fn provides(&self) -> HashMap<&str, Vec<&Provider>> {
        let mut provides: HashMap<&str, Vec<&Provider>> = HashMap::new();
        for package in &self.packages {
            let of_source = provides.entry(package.source_id.as_str()).or_default();
            of_source.extend(&package.provides);
        }
        provides
    }

    /// The build release for a new build of a source's release: one more than the channel has.
    pub fn next_build_release(&self, source: &str, release: u64) -> u64 {
        let same = self
            .packages
            .iter()
            .filter(|package| package.source_id == source && package.release == release);
        same.map(|package| package.build_release).max().unwrap_or(0) + 1
    }
}

impl Channel {
    /// The channel that `config` names.
    ///
    /// # Errors
    /// When the public URL cannot take a path.
    pub fn new(config: &config::Vessel) -> Result<Self, url::ParseError> {
        service::install_tls_provider();
        let base = config.public_url.as_str().trim_end_matches('/');
        let url = Url::parse(&format!(
            "{base}/{}/stream/volatile/{}/stone.index",
            config.channel, config.architecture
        ))?;
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("the TLS provider is installed and the settings are constant");
        Ok(Self {
            http,
            url,
            last: Mutex::default(),
        })
    }

    /// A small file that a builder serves, of at most `size` bytes.
    ///
    /// # Errors
    /// When it does not come whole.
    pub async fn fetch(&self, url: &Url, size: u64) -> Result<Vec<u8>, reqwest::Error> {
        let mut answer = self
            .http
            .get(url.clone())
            .send()
            .await?
            .error_for_status()?;
        let mut bytes = Vec::new();
        // What goes on beyond the size has the wrong hash in any case.
        while bytes.len() as u64 <= size
            && let Some(part) = answer.chunk().await?
        {
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }

    /// The channel as it is now. An index that did not change is not read again.
    ///
    /// # Errors
    /// When vessel does not answer, or with no index.
    pub async fn snapshot(&self) -> Result<Arc<Snapshot>, Error> {
        let last = self
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let failed = |source| Error::Fetch {
            url: self.url.clone(),
            source,
        };
        let mut request = self.http.get(self.url.clone());
        if let Some((Some(tag), _)) = &last {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let answer = request.send().await.map_err(failed)?;
        if let (StatusCode::NOT_MODIFIED, Some((_, snapshot))) = (answer.status(), last) {
            return Ok(snapshot);
        }
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(Arc::default());
        }
        let answer = answer.error_for_status().map_err(failed)?;
        let tag = answer
            .headers()
            .get(ETAG)
            .and_then(|tag| tag.to_str().ok())
            .map(str::to_owned);
        let body = answer.bytes().await.map_err(failed)?;
        let url = self.url.clone();
        let decoded = tokio::task::spawn_blocking(move || {
            let digest = Sha256::of(&body);
            let index = Index::decode(&body).map_err(|source| Error::Decode {
                url: url.clone(),
                source: Box::new(source),
            })?;
            Ok(Snapshot {
                packages: index.packages,
                url: Some(url),
                digest: Some(digest),
            })
        });
        let snapshot = Arc::new(decoded.await.expect("decoding does not panic")?);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((tag, Arc::clone(&snapshot)));
        Ok(snapshot)
    }
}
