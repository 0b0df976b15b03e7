use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use moss_format::payload::Encoding;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::domain::build::example::{at, profile};

/// A vessel that answers with a given status.
struct Vessel {
    url: Url,
    status: Arc<AtomicU16>,
    /// Serves until it is dropped.
    _tasks: JoinSet<()>,
}

async fn answer(State(status): State<Arc<AtomicU16>>, headers: HeaderMap) -> Response {
    let status = StatusCode::from_u16(status.load(Ordering::SeqCst)).unwrap();
    if status == StatusCode::OK && headers.contains_key(IF_NONE_MATCH) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let package = Meta {
        name: "nano".to_owned(),
        version: "8.2".to_owned(),
        release: 7,
        build_release: 1,
        architecture: "x86_64".to_owned(),
        summary: "An editor".to_owned(),
        description: "An editor".to_owned(),
        source_id: "nano".to_owned(),
        homepage: "https://example.org".to_owned(),
        uri: Some("pool/nano.stone".to_owned()),
        hash: Some(Sha256::of(b"nano").to_string()),
        size: Some(4),
        ..Meta::default()
    };
    let index = Index::new(vec![package]).encode(&Encoding::default());
    (status, [(ETAG, "\"1\"")], index.unwrap()).into_response()
}

impl Vessel {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let status = Arc::new(AtomicU16::new(200));
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&status));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url: url.parse().unwrap(),
            status,
            _tasks: tasks,
        }
    }

    fn says(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// summit's view of the channel, at a given time.
    fn channel(&self, second: i64, file: &Path) -> Channel {
        let config = config::Vessel {
            name: "vessel".parse().unwrap(),
            url: self.url.clone(),
            public_url: self.url.clone(),
            channel: "unstable".parse().unwrap(),
            architecture: None,
        };
        let clock = Clock::from_fn(move || at(second));
        Channel::new(&config, &profile(), clock, file.to_owned()).unwrap()
    }
}

fn has_nano(known: &Known) -> bool {
    known.snapshot.release_of("nano") == Some(7)
}

#[tokio::test]
async fn the_channel_is_as_it_was_while_vessel_is_away() {
    let vessel = Vessel::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("channel.index");
    vessel.says(503);
    let channel = vessel.channel(1, &file);
    assert!(matches!(channel.latest().await, Err(Error::Fetch { .. })));
    vessel.says(200);
    assert!(has_nano(&channel.latest().await.unwrap()));
    vessel.says(503);
    let known = channel.latest().await.unwrap();
    assert!(has_nano(&known) && known.read_at == at(1));
    // Builders get only the present channel. People read no chain of causes; the log has it.
    let error = channel.snapshot().await.unwrap_err();
    assert_eq!(
        error.explain(at(0)),
        "vessel has not answered since 22:13 UTC"
    );
    // The next process has the stored index.
    let restarted = vessel.channel(2, &file).latest().await.unwrap();
    assert!(has_nano(&restarted));
    std::fs::write(&file, "no index").unwrap();
    assert!(vessel.channel(3, &file).latest().await.is_err());
}

#[tokio::test]
async fn an_index_that_did_not_change_is_as_new_as_the_question() {
    let vessel = Vessel::start().await;
    let folder = tempfile::tempdir().unwrap();
    let second = Arc::new(std::sync::atomic::AtomicI64::new(1));
    let told = Arc::clone(&second);
    let mut channel = vessel.channel(0, &folder.path().join("channel.index"));
    channel.clock = Clock::from_fn(move || at(told.load(Ordering::SeqCst)));
    let first = channel.latest().await.unwrap();
    second.store(5, Ordering::SeqCst);
    let same = channel.latest().await.unwrap();
    assert!(Arc::ptr_eq(&first.snapshot, &same.snapshot));
    assert_eq!((first.read_at, same.read_at), (at(1), at(5)));
    // A 404 means that the channel is empty.
    vessel.says(404);
    assert!(!has_nano(&channel.latest().await.unwrap()));
}
