//! A vessel on loopback, with a builder's assets beside it and a client that may do everything.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use api::claims::Scope;
use api::id::ImportId;
use api::import::{Import, Order, State};
use api::problem::Code;
use api::repository::Channel;
use moss_format::Index;
use reqwest::Response;
use service::Supervisor;
use service::auth::{Peer, ServiceKey};
use service::client::{CallError, Client};
use tempfile::TempDir;
use url::Url;
use vessel::{Config, Running};

use super::stones::Builder;

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Stage {
    folder: TempDir,
    key: ServiceKey,
    config: Config,
    services: Supervisor,
    supervisor: Supervisor,
    pub(crate) builder: Builder,
    pub(crate) running: Running,
    pub(crate) client: Client,
}

impl Stage {
    /// A fresh vessel with the channel `main` for x86_64.
    pub(crate) async fn new() -> Self {
        service::install_tls_provider();
        let folder = tempfile::tempdir().unwrap();
        let key = ServiceKey::load_or_create(
            "summit".parse().unwrap(),
            &folder.path().join("summit.pem"),
        )
        .unwrap();
        let summit = Peer {
            name: key.name().clone(),
            public_key: *key.public(),
            scopes: vec![Scope::Imports, Scope::Channels, Scope::Status],
        };
        let config = config(folder.path().join("data"), vec![summit]);
        let services = Supervisor::new();
        let builder = Builder::start(&services).await;
        let supervisor = Supervisor::new();
        let running = vessel::start(config.clone(), &supervisor).await.unwrap();
        let client = client(&key, &running);
        Self {
            folder,
            key,
            config,
            services,
            supervisor,
            builder,
            running,
            client,
        }
    }

    /// Stops vessel in order, lets `meanwhile` happen to its data folder, and starts it again.
    pub(crate) async fn restart(&mut self, meanwhile: impl FnOnce(&std::path::Path)) {
        self.stop().await;
        meanwhile(&self.folder.path().join("data"));
        self.supervisor = Supervisor::new();
        self.running = vessel::start(self.config.clone(), &self.supervisor)
            .await
            .unwrap();
        self.client = client(&self.key, &self.running);
    }

    /// Stops vessel in order.
    pub(crate) async fn stop(&self) {
        let left = self.supervisor.shutdown(Duration::from_secs(20)).await;
        assert!(left.is_empty(), "these tasks did not end: {left:?}");
        assert_eq!(self.supervisor.find_failed(), None);
    }

    /// Where the data lie.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Asks vessel to stop, without waiting.
    pub(crate) fn begin_to_stop(&self) {
        self.supervisor.stop();
    }

    pub(crate) async fn put(&self, id: ImportId, order: &Order) -> Result<Import, CallError> {
        self.client
            .put(Scope::Imports, &format!("/api/v1/imports/{id}"), order)
            .await
    }

    pub(crate) async fn get(&self, id: ImportId, after: u64) -> Result<Import, CallError> {
        self.client
            .get(
                Scope::Imports,
                &format!("/api/v1/imports/{id}?after={after}"),
            )
            .await
    }

    /// Follows an import until it is as wanted; returns all states that were seen on the way.
    pub(crate) async fn follow(
        &self,
        id: ImportId,
        is_wanted: impl Fn(&State) -> bool,
    ) -> Vec<State> {
        let begun = Instant::now();
        let (mut seen, mut seq) = (Vec::new(), 0);
        loop {
            assert!(
                begun.elapsed() < LIMIT,
                "import {id} came only so far: {seen:#?}"
            );
            let import = self.get(id, seq).await.unwrap();
            if import.seq == seq {
                continue;
            }
            assert!(
                import.seq > seq,
                "the sequence went back from {seq} to {}",
                import.seq
            );
            seq = import.seq;
            seen.push(import.state.clone());
            if is_wanted(&import.state) {
                return seen;
            }
            assert!(
                !import.state.is_final(),
                "import {id} ended otherwise: {seen:#?}"
            );
        }
    }

    /// What an import waits for, once the API says that it waits. Its `seq` need not move for that.
    pub(crate) async fn until_waiting(&self, id: ImportId) -> String {
        let begun = Instant::now();
        loop {
            let state = self.get(id, 0).await.unwrap().state;
            if let State::Waiting { on, .. } = state {
                return on;
            }
            assert!(!state.is_final(), "import {id} ended: {state:?}");
            assert!(begun.elapsed() < LIMIT, "import {id} is still {state:?}");
        }
    }

    /// Orders an import and follows it to its end.
    pub(crate) async fn import(&self, order: &Order) -> State {
        let id = ImportId::new();
        self.put(id, order).await.unwrap();
        self.follow(id, State::is_final).await.pop().unwrap()
    }

    /// Orders an import that must be published; returns its history.
    pub(crate) async fn publish(&self, order: &Order) -> String {
        let state = self.import(order).await;
        let State::Published { history, .. } = state else {
            panic!("not published: {state:?}")
        };
        history.to_string()
    }

    /// What the API says of the channel.
    pub(crate) async fn channel(&self) -> Channel {
        self.client
            .get(Scope::Channels, "/api/v1/channels/main")
            .await
            .unwrap()
    }

    /// A URL of the public tree.
    pub(crate) fn url(&self, path: &str) -> Url {
        self.running.public_url.join(path).unwrap()
    }

    /// Fetches a public path, as a client does.
    pub(crate) async fn fetch(&self, path: &str) -> Response {
        reqwest::get(self.url(path)).await.unwrap()
    }

    /// The root index.
    pub(crate) async fn root(&self) -> serde_json::Value {
        let response = self.fetch("main/moss-root-index.json").await;
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    /// The ids of the root index's histories, in the file's order.
    pub(crate) async fn histories(&self) -> Vec<String> {
        let text = self
            .fetch("main/moss-root-index.json")
            .await
            .text()
            .await
            .unwrap();
        let known: serde_json::Value = serde_json::from_str(&text).unwrap();
        let known = known["history"].as_object().unwrap().clone();
        // Its object comes last, and JSON libraries do not keep the order of keys.
        let list = text.rsplit_once("\"history\": {").unwrap().1;
        let mut ids: Vec<_> = known.keys().cloned().collect();
        ids.sort_by_key(|id| list.find(id.as_str()));
        ids
    }

    /// An index, read back.
    pub(crate) async fn index(&self, path: &str) -> Index {
        let response = self.fetch(path).await;
        assert_eq!(response.status(), 200, "{path}");
        let index = Index::read(&response.bytes().await.unwrap()[..]).unwrap();
        index.validate().unwrap();
        index
    }

    /// The volatile stream's index.
    pub(crate) async fn volatile(&self) -> Index {
        self.index("main/stream/volatile/x86_64/stone.index").await
    }

    /// `name-release-build` of every package in the volatile stream.
    pub(crate) async fn packages(&self) -> Vec<String> {
        let index = self.volatile().await;
        let text = |meta: &moss_format::Meta| {
            format!("{}-{}-{}", meta.name, meta.release, meta.build_release)
        };
        index.packages.iter().map(text).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.supervisor.stop();
        self.services.stop();
    }
}

/// The code of a refused call.
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, CallError>) -> Code {
    match result {
        Err(CallError::Refused { problem, .. }) => problem.code,
        other => panic!("not refused: {other:?}"),
    }
}

/// A vessel with the channel `main` for x86_64.
pub(crate) fn config(data: PathBuf, peers: Vec<Peer>) -> Config {
    let channel = vessel::Channel {
        name: "main".parse().unwrap(),
        architectures: vec!["x86_64".parse().unwrap()],
    };
    Config::new(
        data,
        service::listen::Config::loopback(),
        vec![channel],
        peers,
    )
}

fn client(key: &ServiceKey, running: &Running) -> Client {
    let base = Url::parse(&format!("http://{}/", running.address)).unwrap();
    Client::new(key.clone(), "vessel".parse().unwrap(), base)
}
