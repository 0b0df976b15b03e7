//! A started forge with a receiver for its webhooks, and clients for all its sides.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use bytes::Bytes;
use forge::config::{App, Config};
use forge::{Forge, Role};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Method, StatusCode};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use service::Supervisor;
use sha2::Sha256;
use tempfile::TempDir;
use tokio::sync::watch;

pub(crate) const LIMIT: Duration = Duration::from_secs(20);
pub(crate) const REPOSITORY: &str = "snekbook/recipes";
pub(crate) const SECRET: &str = "a secret of the test";

/// A forge with the organisation `snekbook`, its repository `recipes`, and the people `maya`
/// (write), `rowan` (read) and `stranger`.
pub(crate) struct Bench {
    pub(crate) forge: Forge,
    pub(crate) folder: TempDir,
    pub(crate) receiver: Receiver,
    /// Where the forge listens, whatever it calls itself.
    pub(crate) address: std::net::SocketAddr,
    client: reqwest::Client,
}

/// An answer of the REST API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_, _| {}).await
    }

    /// As [`Self::start`], with a configuration changed by `change`, which may put files into
    /// the folder.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config, &Path)) -> Self {
        testbed::machine::require();
        let supervisor = Supervisor::new();
        let folder = tempfile::tempdir().unwrap();
        let receiver = Receiver::start(&supervisor).await;
        let mut app = App::new(include_str!("app.pub.pem").to_owned(), SECRET.into());
        app.webhook_url = Some(receiver.url.parse().unwrap());
        let mut config = Config::loopback(folder.path().join("data"), app);
        change(&mut config, folder.path());
        let running = forge::start(config, &supervisor).await.unwrap();
        let forge = running.forge;
        forge.create_organisation("snekbook").unwrap();
        for login in ["maya", "rowan", "stranger"] {
            forge.create_user(login).unwrap();
        }
        forge.create_repository(REPOSITORY).await.unwrap();
        forge.set_role(REPOSITORY, "maya", Role::Write).unwrap();
        forge.set_role(REPOSITORY, "rowan", Role::Read).unwrap();
        let client = reqwest::Client::builder()
            .no_proxy()
            .user_agent("bench")
            .build()
            .unwrap();
        Self {
            forge,
            folder,
            receiver,
            address: running.address,
            client,
        }
    }

    /// A JWT of the App that is good now.
    pub(crate) fn jwt(&self) -> String {
        let now = jiff::Timestamp::now().as_second();
        jwt(&json!({ "iss": "77", "iat": now - 60, "exp": now + 500 }))
    }

    /// An installation token with all that the App may do.
    pub(crate) async fn token(&self) -> String {
        self.scoped_token(json!({})).await
    }

    pub(crate) async fn scoped_token(&self, scope: Value) -> String {
        let path = format!(
            "/app/installations/{}/access_tokens",
            self.installation().await
        );
        let answer = self
            .call(Method::POST, &path, &self.jwt(), Some(scope))
            .await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn installation(&self) -> u64 {
        let answer = self.get("/orgs/snekbook/installation", &self.jwt()).await;
        answer.body["id"].as_u64().unwrap()
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, token, None).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call(Method::POST, path, token, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, token, Some(body)).await
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> Answer {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.forge.api_url()))
            .bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.answer(request).await
    }

    pub(crate) async fn answer(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Answer {
            status,
            headers,
            body,
        }
    }

    pub(crate) fn request(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        self.client.request(method, url)
    }

    /// A clone of the repository as a person, with a commit of one file not yet pushed.
    pub(crate) async fn work_tree(&self, login: &str) -> Tree {
        let url = self.forge.push_url(REPOSITORY, login).unwrap();
        let tree = Tree {
            path: self.folder.path().join(format!("work-{login}")),
        };
        std::fs::create_dir_all(&tree.path).unwrap();
        tree.git(&["init", "--quiet", "--initial-branch=main"])
            .await;
        tree.git(&["remote", "add", "origin", &url]).await;
        tree.commit("lz4/stone.yaml", "name: lz4\n", "Add lz4")
            .await;
        tree
    }

    /// The token that a person pushes with.
    pub(crate) fn user_token(&self, login: &str) -> String {
        self.forge
            .mint_token(login)
            .unwrap()
            .expose_secret()
            .to_owned()
    }
}

/// Signs claims as the App does.
pub(crate) fn jwt(claims: &Value) -> String {
    let key = EncodingKey::from_rsa_pem(include_bytes!("app.pem")).unwrap();
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), claims, &key).unwrap()
}

/// A folder with a git repository, driven by the real git.
pub(crate) struct Tree {
    pub(crate) path: PathBuf,
}

impl Tree {
    pub(crate) async fn git(&self, arguments: &[&str]) -> String {
        let output = git(&self.path, arguments).await;
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) async fn commit(&self, file: &str, text: &str, message: &str) -> String {
        let path = self.path.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self.git(&["add", "."]).await;
        self.git(&["commit", "--quiet", "-m", message]).await;
        self.git(&["rev-parse", "HEAD"]).await
    }

    pub(crate) async fn push(&self, what: &str) {
        self.git(&["push", "--quiet", "origin", what]).await;
    }
}

/// Runs git where no configuration of the machine reaches it.
pub(crate) async fn git(folder: &Path, arguments: &[&str]) -> Output {
    let (folder, arguments) = (
        folder.to_owned(),
        arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect::<Vec<_>>(),
    );
    tokio::task::spawn_blocking(move || {
        testbed::git()
            .current_dir(folder)
            .args(arguments)
            .env("GIT_AUTHOR_NAME", "Maya")
            .env("GIT_AUTHOR_EMAIL", "maya@example.org")
            .env("GIT_COMMITTER_NAME", "Maya")
            .env("GIT_COMMITTER_EMAIL", "maya@example.org")
            .output()
            .unwrap()
    })
    .await
    .unwrap()
}

/// A webhook that came in.
#[derive(Debug, Clone)]
pub(crate) struct Hook {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Hook {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn event(&self) -> &str {
        self.header("x-github-event")
    }
}

/// Takes webhooks, checks their signature as summit would, and keeps them.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    inner: Arc<Inner>,
}

struct Inner {
    hooks: watch::Sender<Vec<Hook>>,
    status: Mutex<StatusCode>,
}

impl Receiver {
    pub(crate) async fn start(supervisor: &Supervisor) -> Self {
        let inner = Arc::new(Inner {
            hooks: watch::Sender::new(Vec::new()),
            status: Mutex::new(StatusCode::ACCEPTED),
        });
        let router = Router::new()
            .route("/webhook", post(receive))
            .with_state(Arc::clone(&inner));
        let listener = service::listen::Listener::bind(&service::listen::Config::loopback())
            .await
            .unwrap();
        let url = format!("http://{}/webhook", listener.address());
        listener.serve(supervisor, "receiver", router);
        Self { url, inner }
    }

    /// Answers webhooks with that status from now on.
    pub(crate) fn answer_with(&self, status: StatusCode) {
        *self.inner.status.lock().unwrap() = status;
    }

    pub(crate) fn hooks(&self) -> Vec<Hook> {
        self.inner.hooks.borrow().clone()
    }

    /// Waits until webhooks of an event have come that `seen` finds all of these in.
    pub(crate) async fn wait_for_all<T: PartialEq + std::fmt::Debug>(
        &self,
        event: &str,
        wanted: &[T],
        seen: impl Fn(&Value) -> Option<T>,
    ) {
        let missing = |hooks: &Vec<Hook>| -> Vec<usize> {
            let of_event = hooks.iter().filter(|hook| hook.event() == event);
            let found: Vec<_> = of_event.filter_map(|hook| seen(&hook.body)).collect();
            let is_missing = |at: &usize| !found.contains(&wanted[*at]);
            (0..wanted.len()).filter(is_missing).collect()
        };
        let mut hooks = self.inner.hooks.subscribe();
        let all = hooks.wait_for(|hooks| missing(hooks).is_empty());
        let came = tokio::time::timeout(LIMIT, all).await.is_ok();
        let missing: Vec<_> = missing(&self.hooks())
            .into_iter()
            .map(|at| &wanted[at])
            .collect();
        assert!(came, "no {event} came for {missing:?}");
    }

    /// Waits until so many webhooks of an event have come.
    pub(crate) async fn wait(&self, event: &str, count: usize) -> Vec<Hook> {
        let of_event = |hooks: &Vec<Hook>| -> Vec<Hook> {
            hooks
                .iter()
                .filter(|hook| hook.event() == event)
                .cloned()
                .collect()
        };
        let mut hooks = self.inner.hooks.subscribe();
        let enough = hooks.wait_for(|hooks| of_event(hooks).len() >= count);
        let result = tokio::time::timeout(LIMIT, enough)
            .await
            .map(|hooks| of_event(&hooks.unwrap()));
        result.unwrap_or_else(|_| {
            let seen: Vec<_> = self
                .hooks()
                .iter()
                .map(|hook| hook.event().to_owned())
                .collect();
            panic!("{count} {event} did not come; seen: {seen:?}")
        })
    }
}

async fn receive(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(&body);
    let signature = headers["x-hub-signature-256"].to_str().unwrap();
    let signature = hex::decode(signature.strip_prefix("sha256=").unwrap()).unwrap();
    if mac.verify_slice(&signature).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    let hook = Hook {
        headers,
        body: serde_json::from_slice(&body).unwrap(),
    };
    inner.hooks.send_modify(|hooks| hooks.push(hook));
    *inner.status.lock().unwrap()
}
