//! A builder that builds nothing: it takes orders, and goes from phase to phase as it is told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Result;
use api::attempt::{Asset, AssetKind, Attempt, Network, Order, Phase, State};
use api::host::{Lookup, LookupAnswer, Status};
use api::id::{AttemptId, Sha256};
use axum::extract::{Path, Query, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use jiff::Timestamp;
use moss_format::payload::Encoding;
use moss_format::{Manifest, Meta};
use service::Supervisor;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use url::Url;

/// How many attempts it takes at once.
pub(crate) const SLOTS: u32 = 8;

/// How long a question for news waits.
const POLL: Duration = Duration::from_secs(25);

/// A builder at work.
pub(crate) struct StandIn {
    address: SocketAddr,
    known: Arc<Known>,
    _supervisor: Supervisor,
}

#[derive(Default)]
struct Known {
    attempts: Mutex<BTreeMap<AttemptId, Attempt>>,
    moved: Notify,
    /// Where assets are named, once everything succeeds at once.
    succeeds_at: OnceLock<Url>,
    assets_read: AtomicUsize,
}

impl Known {
    fn attempts(&self) -> std::sync::MutexGuard<'_, BTreeMap<AttemptId, Attempt>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StandIn {
    pub(crate) async fn begin() -> Result<Self> {
        let known = Arc::new(Known::default());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .route("/api/v1/status", get(status))
            .route("/api/v1/host/lookup", post(look_up))
            .route(
                "/api/v1/attempts/{id}",
                put(take).get(follow).delete(forget),
            )
            .route("/api/v1/attempts/{id}/log", get(log))
            .route("/api/v1/attempts/{id}/release", post(forget))
            .route("/assets/{recipe}/{file}", get(asset))
            .with_state(Arc::clone(&known));
        let supervisor = Supervisor::new();
        supervisor.spawn_until_shutdown("stand-in", async move {
            if let Err(error) = axum::serve(listener, router).await {
                panic!("the stand-in of the builder ends: {error}");
            }
        });
        Ok(Self {
            address,
            known,
            _supervisor: supervisor,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on every attempt succeeds at once, with assets below `url`.
    pub(crate) fn succeed_at(&self, url: Url) {
        self.known.succeeds_at.get_or_init(|| url);
    }

    /// How many assets were asked for.
    pub(crate) fn assets_read(&self) -> usize {
        self.known.assets_read.load(Ordering::SeqCst)
    }

    /// How many attempts it has.
    pub(crate) fn attempts(&self) -> usize {
        self.known.attempts().len()
    }

    /// True when it has as many as it takes.
    pub(crate) fn is_full(&self) -> bool {
        u32::try_from(self.attempts()) == Ok(SLOTS)
    }

    /// Has the attempt that has moved least go on to another phase.
    pub(crate) fn move_one(&self) {
        let mut attempts = self.known.attempts();
        if let Some(attempt) = attempts.values_mut().min_by_key(|attempt| attempt.seq) {
            attempt.seq += 1;
            let phase = match attempt.seq % 2 {
                0 => Phase::Build,
                _ => Phase::Check,
            };
            attempt.state = State::Running {
                phase,
                since: Timestamp::now(),
            };
        }
        drop(attempts);
        self.known.moved.notify_waiters();
    }
}

async fn status(Shared(known): Shared<Arc<Known>>) -> Json<Status> {
    Json(Status {
        builder: "avalanche".parse().expect("a valid name"),
        version: "0".to_owned(),
        engine: "0".to_owned(),
        architectures: vec!["x86_64".parse().expect("a valid architecture")],
        slots: SLOTS,
        attempts: known.attempts().keys().copied().collect(),
        host: Sha256::of(b"host"),
        looked_at: Some(Timestamp::now()),
        networking: api::host::Networking::Host,
        limits: BTreeMap::new(),
        database: api::status::Database::default(),
        free_bytes: 1 << 40,
        no_orders: None,
    })
}

/// Its host supplies everything.
async fn look_up(Json(_): Json<Lookup>) -> Json<LookupAnswer> {
    Json(LookupAnswer {
        host: Sha256::of(b"host"),
        missing: Vec::new(),
    })
}

async fn take(
    Shared(known): Shared<Arc<Known>>,
    Path(id): Path<AttemptId>,
    Json(order): Json<Order>,
) -> Json<Attempt> {
    let mut attempts = known.attempts();
    let state = match known.succeeds_at.get() {
        Some(url) => succeeded(&order, url),
        None => State::Accepted { ahead: 0 },
    };
    let attempt = attempts.entry(id).or_insert_with(|| Attempt {
        id,
        seq: 1,
        accepted_at: Timestamp::now(),
        network: Network::Loopback,
        state,
    });
    Json(attempt.clone())
}

/// What an attempt would have made: one stone, and its manifest.
fn succeeded(order: &Order, url: &Url) -> State {
    let recipe = order.recipe.as_str();
    let bytes = manifest(recipe);
    let asset = |kind, file_name: String, bytes: &[u8]| Asset {
        kind,
        uri: url
            .join(&format!("assets/{recipe}/{file_name}"))
            .expect("a valid URI"),
        file_name: file_name.parse().expect("a valid file name"),
        sha256: Sha256::of(bytes),
        size: bytes.len() as u64,
    };
    State::Succeeded {
        assets: vec![
            asset(
                AssetKind::Stone,
                format!("{recipe}-1.0-1-1-x86_64.stone"),
                b"stone",
            ),
            asset(
                AssetKind::Manifest,
                "manifest.x86_64.bin".to_owned(),
                &bytes,
            ),
        ],
        host: Sha256::of(b"host"),
        finished_at: Timestamp::now(),
    }
}

fn manifest(recipe: &str) -> Vec<u8> {
    let provides = (0..8).filter_map(|number| format!("binary({recipe}-{number})").parse().ok());
    let package = Meta {
        name: recipe.to_owned(),
        version: "1.0".to_owned(),
        release: 1,
        architecture: "x86_64".to_owned(),
        summary: "A sample".to_owned(),
        description: "A sample".to_owned(),
        source_id: recipe.to_owned(),
        homepage: "https://example.org".to_owned(),
        provides: provides.collect(),
        ..Meta::default()
    };
    let manifest = Manifest::new(vec![package]);
    manifest
        .encode(&Encoding::default())
        .expect("a manifest that can be written")
}

async fn asset(
    Shared(known): Shared<Arc<Known>>,
    Path((recipe, file)): Path<(String, String)>,
) -> Response {
    known.assets_read.fetch_add(1, Ordering::SeqCst);
    match file.starts_with("manifest") {
        true => manifest(&recipe).into_response(),
        false => "stone".into_response(),
    }
}

async fn follow(
    Shared(known): Shared<Arc<Known>>,
    Path(id): Path<AttemptId>,
    Query(asked): Query<BTreeMap<String, u64>>,
) -> Response {
    let after = asked.get("after").copied().unwrap_or(0);
    let end = tokio::time::Instant::now() + POLL;
    loop {
        let moved = known.moved.notified();
        let found = known.attempts().get(&id).cloned();
        match found {
            None => return StatusCode::NOT_FOUND.into_response(),
            Some(attempt) if attempt.seq > after => return Json(attempt).into_response(),
            Some(attempt) => {
                if tokio::time::timeout_at(end, moved).await.is_err() {
                    return Json(attempt).into_response();
                }
            }
        }
    }
}

async fn forget(Shared(known): Shared<Arc<Known>>, Path(id): Path<AttemptId>) -> Response {
    match known.attempts().remove(&id) {
        Some(attempt) => Json(attempt).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A log in which nothing ever comes: it ends, so that nobody asks again.
async fn log() -> Response {
    ([("x-log-complete", "true")], "").into_response()
}
