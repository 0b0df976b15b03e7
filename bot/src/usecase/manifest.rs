//! Manifests of builds that are not published. They list what the stones provide and need.
//!
//! summit fetches a manifest when an attempt succeeds, and keeps it while only the builder has the
//! stones. A builder may be hostile: it may name only its own files, and they must be small.

use api::attempt::{Asset, AssetKind};
use api::id::Sha256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moss_format::{Limits, Manifest, Meta};
use reqwest::StatusCode;
use url::Url;

/// The largest accepted manifest, in bytes.
const MAX_SIZE: u64 = 4 << 20;

/// The decoder's limits. The largest real manifests stay far below.
pub(super) const LIMITS: Limits = Limits {
    payload: 16 << 20,
    payloads: 16 << 20,
    records: 1 << 18,
    content: 0,
    window_log: 24,
    ..Limits::DEFAULT
};

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The file does not belong to the builder.
    #[error("it names {uri}, which is not below {own}")]
    Foreign {
        /// The file's URI.
        uri: Box<Url>,
        /// The URL of the builder's own files.
        own: Box<Url>,
    },
    /// The manifest is too large.
    #[error("its manifest has {size} bytes, and at most {MAX_SIZE} are read")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
    },
    /// The download failed.
    #[error("its manifest cannot be fetched")]
    Fetch(#[source] reqwest::Error),
    /// The builder answered with a status that brings no file.
    #[error("the builder answers the request for its manifest with {0}")]
    Status(StatusCode),
    /// The file's digest differs from the builder's own statement.
    #[error("its manifest has another digest than was told")]
    Changed,
    /// The file is not a manifest.
    #[error("its manifest cannot be read")]
    Decode(#[source] Box<moss_format::stone::Error>),
    /// The stored manifest is damaged.
    #[error("what is kept of its manifest is damaged")]
    Damaged,
}

impl Error {
    /// True when the files are there, but not below the builder's own URL.
    pub(super) fn is_foreign(&self) -> bool {
        matches!(self, Self::Foreign { .. })
    }

    /// True when a retry may help.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Fetch(_) => true,
            Self::Status(status) => !matches!(*status, StatusCode::NOT_FOUND | StatusCode::GONE),
            Self::Foreign { .. }
            | Self::TooLarge { .. }
            | Self::Changed
            | Self::Decode(_)
            | Self::Damaged => false,
        }
    }
}

/// A stored manifest.
pub(super) type Kept = String;

/// Fetches the manifest of an attempt, if there is one. The builder's files lie below `own`.
///
/// # Errors
/// When the manifest cannot be fetched or is invalid.
pub(super) async fn fetch(
    http: &reqwest::Client,
    own: &Url,
    assets: &[Asset],
) -> Result<Option<Kept>, Error> {
    if let Some(foreign) = assets.iter().find(|asset| !is_below(&asset.uri, own)) {
        return Err(Error::Foreign {
            uri: Box::new(foreign.uri.clone()),
            own: Box::new(own.clone()),
        });
    }
    let Some(manifest) = assets.iter().find(|a| a.kind == AssetKind::Manifest) else {
        return Ok(None);
    };
    if manifest.size > MAX_SIZE {
        return Err(Error::TooLarge {
            size: manifest.size,
        });
    }
    let bytes = read(http, &manifest.uri, manifest.size).await?;
    if Sha256::of(&bytes) != manifest.sha256 {
        return Err(Error::Changed);
    }
    let decoded = tokio::task::spawn_blocking(move || {
        decode(&bytes)?;
        Ok(STANDARD.encode(&bytes))
    });
    decoded.await.expect("decoding does not panic").map(Some)
}

/// The packages of a stored manifest.
///
/// # Errors
/// When it is damaged.
pub(super) fn packages(kept: &Kept) -> Result<Vec<Meta>, Error> {
    let bytes = STANDARD.decode(kept).map_err(|_| Error::Damaged)?;
    decode(&bytes)
}

fn decode(bytes: &[u8]) -> Result<Vec<Meta>, Error> {
    let manifest = Manifest::decode_within(bytes, LIMITS);
    let manifest = manifest.map_err(|error| Error::Decode(Box::new(error)))?;
    Ok(manifest.packages)
}

/// True for a URI below `own` with the same scheme, host and port.
fn is_below(uri: &Url, own: &Url) -> bool {
    let folder = own.path().trim_end_matches('/');
    let rest = uri.path().strip_prefix(folder);
    uri.origin() == own.origin() && rest.is_some_and(|rest| rest.starts_with('/'))
}

/// Downloads a file, up to a little more than `size` bytes.
async fn read(http: &reqwest::Client, url: &Url, size: u64) -> Result<Vec<u8>, Error> {
    let answer = http.get(url.clone()).send().await;
    let mut answer = answer.map_err(Error::Fetch)?;
    if answer.status() != StatusCode::OK {
        return Err(Error::Status(answer.status()));
    }
    let mut bytes = Vec::new();
    // A longer file has another digest, so reading stops there.
    while bytes.len() as u64 <= size
        && let Some(part) = answer.chunk().await.map_err(Error::Fetch)?
    {
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_builder_itself_are_its_own() {
        let url = |text: &str| text.parse::<Url>().unwrap();
        for (own, uri, expected) in [
            ("http://b:8200/", "http://b:8200/assets/1/x", true),
            ("http://b:8200/one", "http://b:8200/one/assets/x", true),
            ("http://b:8200/one/", "http://b:8200/oneself/x", false),
            ("http://b:8200/one", "http://b:8200/one/../two/x", false),
            ("http://b:8200/", "http://b:8201/x", false),
            ("http://b:8200/", "https://b:8200/x", false),
            ("http://b:8200/", "http://169.254.169.254/x", false),
        ] {
            assert_eq!(is_below(&url(uri), &url(own)), expected, "{uri} of {own}");
        }
    }

    #[test]
    fn what_is_kept_and_damaged_is_an_error() {
        assert!(matches!(packages(&"?".to_owned()), Err(Error::Damaged)));
        let nothing = STANDARD.encode("no manifest");
        assert!(matches!(packages(&nothing), Err(Error::Decode(_))));
    }
}
