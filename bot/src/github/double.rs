//! A GitHub for unit tests. It gives out tokens, and answers all else as the test says. It is also an
//! empty channel.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use moss_format::index::Index;
use moss_format::payload::Encoding;
use serde_json::{Value, json};
use service::Clock;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::App;
use crate::config;
use crate::domain::build::example::at;

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Method and path with query: `GET /app`.
    pub(crate) what: String,
    /// The token, or `App` for the App's own JWT.
    pub(crate) token: String,
    /// The ETag of a conditional request.
    pub(crate) tag: Option<String>,
}

type Answers = Box<dyn FnMut(&Asked) -> Option<Response> + Send>;

/// A GitHub that serves until it is dropped.
pub(crate) struct Double {
    pub(crate) url: url::Url,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    second: AtomicI64,
    asked: Mutex<Vec<Asked>>,
    answers: Mutex<Answers>,
}

impl Shared {
    fn now(&self) -> Timestamp {
        at(self.second.load(Ordering::SeqCst))
    }
}

/// An answer with a JSON body.
pub(crate) fn says(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, body.to_string()).into_response()
}

/// What GitHub says to requests of a suspended installation.
pub(crate) fn suspended() -> Response {
    says(
        403,
        &json!({ "message": "This installation has been suspended" }),
    )
}

impl Double {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            second: AtomicI64::new(0),
            asked: Mutex::default(),
            answers: Mutex::new(Box::new(|_| None)),
        });
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url: url.parse().unwrap(),
            shared,
            _tasks: tasks,
        }
    }

    /// Answers requests from now on. Where there is no answer, it is that of an empty GitHub.
    pub(crate) fn answers(&self, answers: impl FnMut(&Asked) -> Option<Response> + Send + 'static) {
        *self.shared.answers.lock().unwrap() = Box::new(answers);
    }

    /// The requests since the last call.
    pub(crate) fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.shared.asked.lock().unwrap())
    }

    /// The requests since the last call, without their tokens and tags.
    pub(crate) fn take_paths(&self) -> Vec<String> {
        self.take_asked()
            .into_iter()
            .map(|asked| asked.what)
            .collect()
    }

    /// Sets the time of this GitHub and of the clients made here.
    pub(crate) fn set_time(&self, second: i64) {
        self.shared.second.store(second, Ordering::SeqCst);
    }

    pub(crate) fn clock(&self) -> Clock {
        let shared = Arc::clone(&self.shared);
        Clock::from_fn(move || shared.now())
    }

    pub(crate) fn config(&self) -> config::GitHub {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        config::GitHub {
            api_url: self.url.clone(),
            app_id: 1,
            private_key: folder.join("../crates/forge/tests/suite/app.pem"),
            webhook_secret: PathBuf::new().into(),
            bots: Vec::new(),
            organisation: "snekbook".to_owned(),
            sweep_seconds: 300,
        }
    }

    pub(crate) fn app(&self) -> App {
        let mut app = App::open(&self.config()).unwrap();
        app.clock = self.clock();
        app
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let header = |name: &str| {
        let value = request.headers().get(name)?;
        Some(value.to_str().unwrap().to_owned())
    };
    let token = header("authorization").unwrap_or_default();
    let token = token.trim_start_matches("Bearer ").to_owned();
    let what = format!("{} {}", request.method(), request.uri());
    let asked = Asked {
        token: match token.starts_with("token-") {
            true => token,
            false => "App".to_owned(),
        },
        tag: header("if-none-match"),
        what,
    };
    let number = {
        let mut all = shared.asked.lock().unwrap();
        all.push(asked.clone());
        all.len()
    };
    if let Some(answer) = shared.answers.lock().unwrap()(&asked) {
        return answer;
    }
    let expires_at = shared.now() + jiff::SignedDuration::from_hours(1);
    if asked.what.ends_with("/access_tokens") {
        let token = format!("token-{number}");
        return says(201, &json!({ "token": token, "expires_at": expires_at }));
    }
    if asked.what.ends_with("/stone.index") {
        let index = Index::new(Vec::new()).encode(&Encoding::default());
        return index.unwrap().into_response();
    }
    says(404, &json!({ "message": "Not Found" }))
}
