//! Stones for tests, written as packages are, and a server that hands them out.

use std::collections::HashMap;
use std::io::{self, Cursor, Read};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use api::id::{BuildId, CommitSha, RecipeName, Sha256};
use api::import::{BuildStones, Order, Stone};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use moss_format::layout::{Entry, Kind};
use moss_format::package::Contents;
use moss_format::payload::{Encoding, Level};
use moss_format::{Digest, Meta};
use service::Supervisor;
use service::listen::{Config, Listener};

/// What a package of `source` says of itself.
pub(crate) fn meta(source: &str, name: &str, release: u64, build_release: u64) -> Meta {
    Meta {
        name: name.to_owned(),
        version: "1.0".to_owned(),
        release,
        build_release,
        architecture: "x86_64".to_owned(),
        summary: format!("The {name} package"),
        description: format!("Something that {name} does."),
        source_id: source.to_owned(),
        homepage: "https://example.org/".to_owned(),
        licenses: vec!["MPL-2.0".to_owned()],
        ..Meta::default()
    }
}

/// A stone with one file of this text.
pub(crate) fn stone(meta: &Meta, text: &str) -> Vec<u8> {
    let entry = Entry {
        uid: 0,
        gid: 0,
        mode: 0o100_644,
        tag: 0,
        kind: Kind::Regular(Digest::of(text.as_bytes())),
        target: format!("share/{}/text", meta.name),
    };
    let out = Cursor::new(Vec::new());
    let written = moss_format::package::write(
        out,
        meta,
        &[entry],
        &mut Text(text.as_bytes()),
        &Encoding {
            level: Level::FASTEST,
            ..Encoding::default()
        },
    );
    written.unwrap().into_inner()
}

struct Text<'a>(&'a [u8]);

impl Contents for Text<'_> {
    fn size(&mut self, _: &Entry) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn open(&mut self, _: &Entry) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.0))
    }
}

/// How an asset is answered.
#[derive(Clone)]
enum Answer {
    Bytes(Vec<u8>),
    Status(StatusCode),
}

type Assets = Arc<Mutex<HashMap<String, Answer>>>;

/// A builder's assets over HTTP.
pub(crate) struct Builder {
    address: SocketAddr,
    assets: Assets,
}

impl Builder {
    /// A server without assets, which stops with `supervisor`.
    pub(crate) async fn start(supervisor: &Supervisor) -> Self {
        let assets = Assets::default();
        let router = Router::new()
            .route("/assets/{name}", axum::routing::get(serve))
            .with_state(Arc::clone(&assets));
        let listener = Listener::bind(&Config::loopback()).await.unwrap();
        let address = listener.address();
        listener.serve(supervisor, "test assets", router);
        Self { address, assets }
    }

    /// Hands out `bytes` under `name`, from now on.
    pub(crate) fn offer(&self, name: &str, bytes: &[u8]) -> Stone {
        self.assets
            .lock()
            .unwrap()
            .insert(name.to_owned(), Answer::Bytes(bytes.to_vec()));
        self.promise(name, bytes)
    }

    /// What an order says of `bytes` under `name`, whether or not it is handed out.
    pub(crate) fn promise(&self, name: &str, bytes: &[u8]) -> Stone {
        Stone {
            file_name: name.parse().unwrap(),
            uri: format!("http://{}/assets/{name}", self.address)
                .parse()
                .unwrap(),
            sha256: Sha256::of(bytes),
            size: bytes.len() as u64,
        }
    }

    /// Answers for `name` with a status, from now on.
    pub(crate) fn fail(&self, name: &str, status: u16) {
        let status = StatusCode::from_u16(status).unwrap();
        self.assets
            .lock()
            .unwrap()
            .insert(name.to_owned(), Answer::Status(status));
    }

    /// Writes a stone and hands it out under its own name.
    pub(crate) fn offer_stone(&self, meta: &Meta, text: &str) -> Stone {
        self.offer(&meta.file_name().unwrap(), &stone(meta, text))
    }
}

async fn serve(State(assets): State<Assets>, Path(name): Path<String>) -> Response {
    let answer = assets.lock().unwrap().get(&name).cloned();
    match answer {
        Some(Answer::Bytes(bytes)) => bytes.into_response(),
        Some(Answer::Status(status)) => status.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// An order of stones that one build of `recipe` made.
pub(crate) fn order(recipe: &str, stones: impl IntoIterator<Item = Stone>) -> Order {
    Order {
        channel: "main".parse().unwrap(),
        builds: vec![build(recipe, stones)],
    }
}

/// The stones of one build of `recipe`.
pub(crate) fn build(recipe: &str, stones: impl IntoIterator<Item = Stone>) -> BuildStones {
    let recipe: RecipeName = recipe.parse().unwrap();
    BuildStones {
        build: BuildId::new(),
        recipe,
        commit: CommitSha::from_bytes([7; 20]),
        stones: stones.into_iter().collect(),
    }
}
