//! The manifests of what was built and is not published: they tell what its stones provide and need.
//!
//! A manifest is fetched from the builder when an attempt succeeds, and kept for as long as only the
//! builder has the stones. A builder can be hostile: what it names must be its own, and small.

use api::attempt::{Asset, AssetKind};
use api::id::Sha256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moss_format::{Limits, Manifest, Meta};
use url::Url;

/// The largest manifest that is read, in bytes.
const MAX_SIZE: u64 = 4 << 20;

/// What a manifest may come to; the largest real ones stay far below.
pub(super) const LIMITS: Limits = Limits {
    payload: 16 << 20,
    payloads: 16 << 20,
    records: 1 << 18,
    content: 0,
    window_log: 24,
    ..Limits::DEFAULT
};

/// A manifest that cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The builder names a file that is not its own.
    #[error("it names {uri}, which is not below {own}")]
    Foreign {
        /// Which file.
        uri: Box<Url>,
        /// Where its own are.
        own: Box<Url>,
    },
    /// The manifest is larger than any is.
    #[error("its manifest has {size} bytes, and at most {MAX_SIZE} are read")]
    TooLarge {
        /// How many bytes.
        size: u64,
    },
    /// It did not come.
    #[error("its manifest cannot be fetched")]
    Fetch(#[source] reqwest::Error),
    /// It is not what the builder said.
    #[error("its manifest has another digest than was told")]
    Changed,
    /// It is no manifest.
    #[error("its manifest cannot be read")]
    Decode(#[source] Box<moss_format::stone::Error>),
    /// What was kept of it is damaged.
    #[error("what is kept of its manifest is damaged")]
    Damaged,
}

impl Error {
    /// True when asking again may help.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            // A file that is not there comes with a status.
            Self::Fetch(error) => {
                !error.is_status() || error.status().is_some_and(|s| s.is_server_error())
            }
            Self::Foreign { .. }
            | Self::TooLarge { .. }
            | Self::Changed
            | Self::Decode(_)
            | Self::Damaged => false,
        }
    }
}

/// A manifest as it is kept.
pub(super) type Kept = String;

/// Fetches the manifest among what an attempt left, if there is one, from the builder whose files are
/// below `own`.
///
/// # Errors
/// When it cannot be had, or is none.
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
    let bytes = read(http, &manifest.uri, manifest.size).await;
    let bytes = bytes.map_err(Error::Fetch)?;
    if Sha256::of(&bytes) != manifest.sha256 {
        return Err(Error::Changed);
    }
    let decoded = tokio::task::spawn_blocking(move || {
        decode(&bytes)?;
        Ok(STANDARD.encode(&bytes))
    });
    decoded.await.expect("decoding does not panic").map(Some)
}

/// The packages of a manifest that is kept.
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

/// True for a file below `own`, by the same scheme, host and port.
fn is_below(uri: &Url, own: &Url) -> bool {
    let folder = own.path().trim_end_matches('/');
    let rest = uri.path().strip_prefix(folder);
    uri.origin() == own.origin() && rest.is_some_and(|rest| rest.starts_with('/'))
}

/// A small file, of at most `size` bytes.
async fn read(http: &reqwest::Client, url: &Url, size: u64) -> Result<Vec<u8>, reqwest::Error> {
    let mut answer = http.get(url.clone()).send().await?.error_for_status()?;
    let mut bytes = Vec::new();
    // What goes on beyond the size has the wrong digest in any case.
    while bytes.len() as u64 <= size
        && let Some(part) = answer.chunk().await?
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
