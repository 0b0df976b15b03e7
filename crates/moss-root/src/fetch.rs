//! The stones of the chosen packages, fetched and compared with what the index says of them.

use std::path::{Path, PathBuf};

use moss_fetcher::{Fetcher, FileUrls, Options, Request, Sha256, Size};
use moss_format::Meta;
use url::Url;

use crate::Error;

/// A fetched stone, whose bytes hash to what the index says.
#[derive(Debug)]
pub(crate) struct Stone {
    /// What the index says of it.
    pub(crate) meta: Meta,
    /// Where it lies.
    pub(crate) path: PathBuf,
}

/// Fetches the stones of `packages` into `folder`. URIs are joined to the URL of the index.
pub(crate) async fn fetch(
    index: &Url,
    packages: Vec<Meta>,
    folder: &Path,
) -> Result<Vec<Stone>, Error> {
    // An index from elsewhere must not have files of this machine read.
    let file_urls = match index.scheme() {
        "file" => FileUrls::Allowed,
        _ => FileUrls::Refused,
    };
    let options = Options {
        file_urls,
        ..Options::default()
    };
    let fetcher = Fetcher::new(options).map_err(Error::Fetcher)?;
    let requests = packages.iter().map(|meta| request(index, meta, folder));
    let requests = requests.collect::<Result<Vec<_>, _>>()?;
    let answers = fetcher.fetch_all(&requests).await;
    let stones = packages.into_iter().zip(answers).map(|(meta, answer)| {
        let package = || meta.name.clone();
        let fetched = answer.map_err(|source| Error::Fetch {
            package: package(),
            source,
        })?;
        Ok(Stone {
            path: fetched.path,
            meta,
        })
    });
    stones.collect()
}

fn request(index: &Url, meta: &Meta, folder: &Path) -> Result<Request, Error> {
    let unusable = |field| Error::Entry {
        package: meta.name.clone(),
        field,
    };
    let uri = meta.uri.as_deref().and_then(|uri| index.join(uri).ok());
    let sha256 = meta.hash.as_deref().and_then(|hash| hash.parse().ok());
    let sha256: Sha256 = sha256.ok_or_else(|| unusable("hash"))?;
    Ok(Request {
        urls: vec![uri.ok_or_else(|| unusable("URI"))?],
        sha256,
        size: Size::Exactly(meta.size.ok_or_else(|| unusable("size"))?),
        target: folder.join(sha256.to_string()),
    })
}
