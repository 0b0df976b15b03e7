//! What there is to install: the packages of one index.

use std::io::{self, Read as _};
use std::path::PathBuf;
use std::time::Duration;

use moss_deps::Universe;
use moss_format::index::{self, VerifyError};
use moss_format::{Dependency, Index, Limits, Meta, stone};
use reqwest::{Client, Response, StatusCode};
use url::Url;

use crate::Error;

/// Largest index in bytes that is read: one of 65,535 packages takes a tenth of it.
const MAX_INDEX: u64 = 256 << 20;

/// How long a server may send nothing.
const STALL: Duration = Duration::from_secs(30);

/// Why an index could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The server cannot be asked, or its answer broke off.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    /// The server has no index there.
    #[error("the server answers {0}")]
    Status(StatusCode),
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] io::Error),
    /// It is not reached by HTTP, HTTPS or a `file` URL.
    #[error("{0}: it takes http, https, or file with the path of this machine")]
    Scheme(String),
    /// It is longer than any index.
    #[error("it has more than {MAX_INDEX} bytes")]
    TooLong,
    /// It is no index.
    #[error(transparent)]
    Stone(#[from] stone::Error),
    /// Clients would not take it.
    #[error(transparent)]
    Unsound(#[from] VerifyError),
}

/// Reads the index at `url`: its packages.
///
/// # Errors
/// When it cannot be had, or a client would stumble over it.
pub async fn read(url: &Url) -> Result<Vec<Meta>, Fault> {
    let bytes = match url.scheme() {
        "http" | "https" => download(url).await?,
        "file" => {
            let path = url.to_file_path();
            let path = path.map_err(|()| Fault::Scheme(url.scheme().to_owned()))?;
            read_file(path).await?
        }
        other => return Err(Fault::Scheme(other.to_owned())),
    };
    let index = Index::decode(&bytes)?;
    index::verify(&bytes, Limits::default())?;
    Ok(index.packages)
}

async fn download(url: &Url) -> Result<Vec<u8>, Fault> {
    // Fails when there is a provider of cryptography already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .user_agent(concat!("moss-root/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(STALL)
        .read_timeout(STALL)
        .build()?;
    let answer = client.get(url.clone()).send().await?;
    if !answer.status().is_success() {
        return Err(Fault::Status(answer.status()));
    }
    body(answer).await
}

async fn body(mut answer: Response) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 > MAX_INDEX {
            return Err(Fault::TooLong);
        }
    }
    Ok(bytes)
}

async fn read_file(path: PathBuf) -> Result<Vec<u8>, Fault> {
    let read = move || {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path)?;
        file.take(MAX_INDEX + 1).read_to_end(&mut bytes)?;
        io::Result::Ok(bytes)
    };
    let bytes = tokio::task::spawn_blocking(read)
        .await
        .map_err(io::Error::other)??;
    if bytes.len() as u64 > MAX_INDEX {
        return Err(Fault::TooLong);
    }
    Ok(bytes)
}

/// The packages that meet `wanted`, and all that they depend on at run time, sorted by name.
///
/// # Errors
/// When one of these has no provider among `packages`.
pub(crate) fn choose(packages: Vec<Meta>, wanted: &[Dependency]) -> Result<Vec<Meta>, Error> {
    let universe = Universe::new(packages);
    let nothing_else = |_: &Dependency| false;
    let closure = universe.closure(wanted.iter().cloned(), nothing_else);
    if !closure.missing.is_empty() {
        return Err(Error::NoProvider(closure.missing));
    }
    Ok(closure.packages.into_iter().cloned().collect())
}
