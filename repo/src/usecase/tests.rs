//! Every state that a crash can leave between two commit points, made by going so far and no
//! further, and what a start makes of it.

#[path = "../../tests/suite/stones.rs"]
mod stones;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use api::id::{HistoryId, ImportId};
use api::import::State;
use jiff::{SignedDuration, Timestamp};
use moss_format::Index;
use service::Supervisor;
use tokio_util::sync::CancellationToken;

use super::publish::Pooling;
use super::verify::Verified;
use super::{Channel, Repository};
use crate::Config;
use crate::domain::import::Event;
use stones::{Builder, meta, order};

/// How far an import came before the crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Point {
    Accepted,
    Staged,
    HalfPooled,
    Pooled,
    Indexed,
    Committed,
    Shown,
}

struct Scene {
    data: tempfile::TempDir,
    builder: Builder,
    services: Supervisor,
    import: ImportId,
}

const NAMES: [&str; 2] = ["nano", "nano-doc"];

fn open(data: &Path) -> Arc<Repository> {
    let channel = crate::Channel {
        name: "main".parse().unwrap(),
        architectures: ["x86_64", "aarch64"]
            .map(|name| name.parse().unwrap())
            .to_vec(),
    };
    let listen = service::listen::Config::loopback();
    let config = Config::new(data.to_owned(), listen, vec![channel], Vec::new());
    Arc::new(crate::start::open(&config, CancellationToken::new()).unwrap())
}

fn main_channel(repository: &Repository) -> Arc<Channel> {
    Arc::clone(&repository.channels[&"main".parse().unwrap()])
}

impl Scene {
    /// A vessel that took an order and came as far as `point`.
    async fn leave_at(point: Point) -> Self {
        let services = Supervisor::new();
        let scene = Self {
            data: tempfile::tempdir().unwrap(),
            builder: Builder::start(&services).await,
            services,
            import: ImportId::new(),
        };
        let repository = open(scene.data.path());
        let stones = NAMES.map(|name| scene.builder.offer_stone(&meta("nano", name, 33, 1), name));
        let order = order("nano", stones.clone());
        let summit = "summit".parse().unwrap();
        repository
            .accept(scene.import, order, summit)
            .await
            .unwrap();
        scene.advance(&repository, point, stones.to_vec()).await;
        scene
    }

    async fn advance(
        &self,
        repository: &Arc<Repository>,
        point: Point,
        stones: Vec<api::import::Stone>,
    ) {
        let channel = main_channel(repository);
        if point < Point::Staged {
            return;
        }
        let begun = Event::Begun { done: 0, total: 2 };
        repository.step(self.import, begun).await.unwrap();
        let recipe: api::id::RecipeName = "nano".parse().unwrap();
        let missing = stones
            .into_iter()
            .map(|stone| (recipe.clone(), stone))
            .collect();
        let verified = repository
            .obtain(&channel, self.import, missing)
            .await
            .unwrap();
        let verified: Vec<Verified> = verified.into_values().collect();
        // From here on the builder is not needed any more.
        for name in NAMES {
            self.builder
                .fail(&meta("nano", name, 33, 1).file_name().unwrap(), 410);
        }
        repository.step(self.import, Event::Admitted).await.unwrap();
        let pooled = match point {
            Point::Accepted | Point::Staged => return,
            Point::HalfPooled => 1,
            Point::Pooled | Point::Indexed | Point::Committed | Point::Shown => 2,
        };
        let pooling = repository
            .pool(&channel, self.import, &verified[..pooled])
            .unwrap();
        assert!(matches!(pooling, Pooling::Done));
        if point < Point::Indexed {
            return;
        }
        let history = repository
            .write_history(&channel, self.import, &verified)
            .unwrap();
        if point < Point::Committed {
            return;
        }
        repository
            .commit(&channel, self.import, &history, &verified)
            .unwrap();
        let hidden = repository
            .find_import(self.import, None)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(hidden.state, State::Publishing, "clients do not see it yet");
        if point < Point::Shown {
            return;
        }
        repository.project(&channel).unwrap();
        let shown = repository
            .find_import(self.import, None)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(shown.seq, hidden.seq + 1);
        assert!(matches!(shown.state, State::Published { .. }));
    }

    fn folder(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.data.path().join(path))
            .into_iter()
            .flatten();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    fn root(&self) -> serde_json::Value {
        let path = self.data.path().join("public/main/moss-root-index.json");
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    /// What must hold once the import is published, however it came there.
    fn check_published(&self, history: &HistoryId) {
        assert_eq!(self.folder("public/main/history"), [history.as_str()]);
        let root = self.root();
        assert_eq!(root["streams"]["volatile"]["history"], history.as_str());
        assert_eq!(root["history"].as_object().unwrap().len(), 1);
        for (architecture, names) in [("x86_64", &NAMES[..]), ("aarch64", &[])] {
            let path = format!("public/main/stream/volatile/{architecture}/stone.index");
            let index = Index::decode(&fs::read(self.data.path().join(path)).unwrap()).unwrap();
            index.validate().unwrap();
            let found: Vec<_> = index
                .packages
                .iter()
                .map(|meta| meta.name.as_str())
                .collect();
            assert_eq!(found, names);
        }
        assert_eq!(self.folder("public/main/pool/v0/n/nano").len(), 2);
        assert!(self.folder("staging").is_empty(), "staging is not empty");
        assert!(self.folder("aside").is_empty(), "aside is not empty");
    }
}

async fn end(repository: &Arc<Repository>, import: ImportId) -> State {
    let following = async {
        let mut seq = 0;
        loop {
            let import = repository
                .find_import(import, Some(seq))
                .await
                .unwrap()
                .unwrap();
            if import.state.is_final() {
                return import.state;
            }
            seq = import.seq;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), following)
        .await
        .unwrap()
}

async fn check_start_after(point: Point) {
    let scene = Scene::leave_at(point).await;
    let repository = open(scene.data.path());
    // The repair itself, before any worker runs.
    let expected = if point < Point::Committed { 0 } else { 1 };
    assert_eq!(
        scene.folder("public/main/history").len(),
        expected,
        "{point:?}"
    );
    assert_eq!(
        scene.root()["history"].as_object().unwrap().len(),
        expected,
        "{point:?}"
    );
    // Then the import is brought to its end.
    let supervisor = Supervisor::new();
    repository.spawn_workers(&supervisor);
    let State::Published { history, .. } = end(&repository, scene.import).await else {
        panic!("not published after {point:?}");
    };
    repository.ending.cancel();
    assert!(
        supervisor
            .shutdown(Duration::from_secs(20))
            .await
            .is_empty()
    );
    scene.check_published(&history);
    scene.services.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_carries_on_from_every_commit_point() {
    for point in [
        Point::Accepted,
        Point::Staged,
        Point::HalfPooled,
        Point::Pooled,
        Point::Indexed,
        Point::Committed,
        Point::Shown,
    ] {
        check_start_after(point).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bytes_in_the_pool_refuse_the_import() {
    let scene = Scene::leave_at(Point::Accepted).await;
    let pool = scene.data.path().join("public/main/pool/v0/n/nano");
    fs::create_dir_all(&pool).unwrap();
    fs::write(pool.join("nano-doc-1.0-33-1-x86_64.stone"), "other").unwrap();
    let repository = open(scene.data.path());
    let supervisor = Supervisor::new();
    repository.spawn_workers(&supervisor);
    let State::Refused { refusal, .. } = end(&repository, scene.import).await else {
        panic!("not refused");
    };
    repository.ending.cancel();
    assert!(
        supervisor
            .shutdown(Duration::from_secs(20))
            .await
            .is_empty()
    );
    assert_eq!(refusal.reason, api::import::RefusalReason::ReleaseTaken);
    assert_eq!(
        refusal.message,
        "the pool has other bytes under the name nano-doc-1.0-33-1-x86_64.stone"
    );
    assert_eq!(scene.root()["history"].as_object().unwrap().len(), 0);
    assert_eq!(
        scene.folder("public/main/pool/v0/n/nano"),
        ["nano-doc-1.0-33-1-x86_64.stone"],
        "the refused import's other stone is left in the pool"
    );
}

/// Crashes at `point`, after which the stones are gone, in staging and at the builder.
async fn leave_and_lose(point: Point) -> Scene {
    let scene = Scene::leave_at(point).await;
    let staging = scene.data.path().join("staging");
    fs::remove_dir_all(staging.join(scene.import.to_string())).unwrap();
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_refused_after_a_crash_leaves_nothing_in_the_pool() {
    for (point, pooled) in [
        (Point::HalfPooled, 1),
        (Point::Pooled, 2),
        (Point::Indexed, 2),
    ] {
        let scene = leave_and_lose(point).await;
        let repository = open(scene.data.path());
        let pool = || scene.folder("public/main/pool/v0/n/nano").len();
        assert_eq!(
            pool(),
            pooled,
            "an import that may succeed keeps its stones"
        );
        let supervisor = Supervisor::new();
        repository.spawn_workers(&supervisor);
        let State::Refused { refusal, .. } = end(&repository, scene.import).await else {
            panic!("not refused after {point:?}");
        };
        assert_eq!(refusal.reason, api::import::RefusalReason::AssetGone);
        repository.ending.cancel();
        let left = supervisor.shutdown(Duration::from_secs(20)).await;
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(pool(), 0, "{point:?}");
        scene.services.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_clears_the_pool_where_a_refusal_was_cut_off() {
    let scene = leave_and_lose(Point::Pooled).await;
    let pool = "public/main/pool/v0/n/nano";
    let foreign = scene.data.path().join(pool).join("foreign.stone");
    fs::write(&foreign, "brought by nobody that is known").unwrap();
    let repository = open(scene.data.path());
    let refusal = api::import::Refusal {
        reason: api::import::RefusalReason::AssetGone,
        file_name: None,
        message: "gone".to_owned(),
    };
    // The commit of the refusal, and then the crash.
    let event = Event::Refused(refusal);
    repository.step(scene.import, event).await.unwrap();
    drop(repository);
    assert_eq!(scene.folder(pool).len(), 3);
    let repository = open(scene.data.path());
    assert_eq!(scene.folder(pool), ["foreign.stone"]);
    // The names are free again: other bytes take them.
    let stones = NAMES.map(|name| {
        scene
            .builder
            .offer_stone(&meta("nano", name, 33, 1), "other")
    });
    let again = ImportId::new();
    let summit = "summit".parse().unwrap();
    let order = order("nano", stones);
    repository.accept(again, order, summit).await.unwrap();
    let supervisor = Supervisor::new();
    repository.spawn_workers(&supervisor);
    let state = end(&repository, again).await;
    assert!(matches!(state, State::Published { .. }), "{state:?}");
    repository.ending.cancel();
    let left = supervisor.shutdown(Duration::from_secs(20)).await;
    assert!(left.is_empty(), "{left:?}");
    drop(repository);
    // What is published stays, though a refused import would have brought it under the same name.
    open(scene.data.path());
    assert_eq!(scene.folder(pool).len(), 3);
    scene.services.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn stones_that_cannot_be_fetched_for_a_day_are_given_up() {
    let scene = Scene::leave_at(Point::Accepted).await;
    for name in NAMES {
        let file_name = meta("nano", name, 33, 1).file_name().unwrap();
        scene.builder.fail(&file_name, 503);
    }
    let mut repository = open(scene.data.path());
    let later = Arc::new(AtomicI64::new(0));
    let hours = Arc::clone(&later);
    Arc::get_mut(&mut repository).unwrap().clock = service::Clock::from_fn(move || {
        Timestamp::now() + SignedDuration::from_hours(hours.load(Ordering::Relaxed))
    });
    let supervisor = Supervisor::new();
    repository.spawn_workers(&supervisor);
    let mut seq = 0;
    loop {
        let import = repository.find_import(scene.import, Some(seq)).await;
        let import = import.unwrap().unwrap();
        if matches!(import.state, State::Waiting { .. }) {
            break;
        }
        assert!(!import.state.is_final(), "{:?}", import.state);
        seq = import.seq;
    }
    later.store(24, Ordering::Relaxed);
    main_channel(&repository).wake.notify_one();
    let State::Refused { refusal, .. } = end(&repository, scene.import).await else {
        panic!("not refused");
    };
    repository.ending.cancel();
    let left = supervisor.shutdown(Duration::from_secs(20)).await;
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(refusal.reason, api::import::RefusalReason::AssetGone);
    let begins = "given up after 24 hours of trying: the stone nano";
    assert!(refusal.message.starts_with(begins), "{}", refusal.message);
}
