//! A server of upstream files: as the upstreams themselves, and as a mirror by SHA-256. Files can
//! be missing at first and come later.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use api::id::Sha256;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use service::Supervisor;
use service::listen::{Config, Listener};
use url::Url;

/// A mirror at work.
#[derive(Debug, Clone)]
pub struct Mirror {
    base: Url,
    files: Arc<Files>,
}

#[derive(Debug, Default)]
struct Files {
    by_hash: Mutex<HashMap<String, Vec<u8>>>,
    by_name: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Mirror {
    /// Opens an empty mirror.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn open(supervisor: &Supervisor) -> Result<Self> {
        let files = Arc::new(Files::default());
        let listener = Listener::bind(&Config::loopback()).await?;
        let base = Url::parse(&format!("http://{}/", listener.address()))?;
        let router = Router::new()
            .route("/mirror/{sha256}", get(by_hash))
            .route("/upstream/{name}", get(by_name))
            .with_state(Arc::clone(&files));
        listener.serve(supervisor, "mirror", router);
        Ok(Self { base, files })
    }

    /// What avalanche takes as a mirror.
    pub fn pattern(&self) -> String {
        format!("{}mirror/{{sha256}}", self.base)
    }

    /// Has a file from now on, under its hash.
    pub fn put(&self, content: &[u8]) -> Sha256 {
        let sha256 = Sha256::of(content);
        self.files
            .by_hash
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(sha256.to_string(), content.to_vec());
        sha256
    }

    /// Has a file from now on, at its upstream address.
    pub fn put_upstream(&self, name: &str, content: &[u8]) {
        self.files
            .by_name
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), content.to_vec());
    }

    /// The upstream address of a file, which need not be there.
    pub fn upstream(&self, name: &str) -> Url {
        self.base
            .join(&format!("upstream/{name}"))
            .expect("a plain name makes a URL")
    }
}

async fn by_hash(
    State(files): State<Arc<Files>>,
    Path(sha256): Path<String>,
) -> Result<Vec<u8>, StatusCode> {
    let files = files.by_hash.lock().unwrap_or_else(PoisonError::into_inner);
    files.get(&sha256).cloned().ok_or(StatusCode::NOT_FOUND)
}

async fn by_name(
    State(files): State<Arc<Files>>,
    Path(name): Path<String>,
) -> Result<Vec<u8>, StatusCode> {
    let files = files.by_name.lock().unwrap_or_else(PoisonError::into_inner);
    files.get(&name).cloned().ok_or(StatusCode::NOT_FOUND)
}
