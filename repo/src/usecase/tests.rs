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
use crate::domain::arrival::{Admission, admit};
use crate::domain::change::Change;
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

/// What the channel makes of stones that it must take.
fn admitted(repository: &Repository, channel: &Channel, stones: &[Verified]) -> Change {
    let read = |txn: &moss_db::RoTxn<'_>| repository.tables.packages(txn, &channel.name);
    let packages = repository.environment.read(read).unwrap();
    let arriving: Vec<_> = stones.iter().map(|stone| stone.package().clone()).collect();
    match admit(&packages, &arriving).unwrap() {
        Admission::Changes(change) => change,
        Admission::Nothing => panic!("nothing changes"),
    }
}

impl Scene {
    async fn new() -> Self {
        let services = Supervisor::new();
        Self {
            data: tempfile::tempdir().unwrap(),
            builder: Builder::start(&services).await,
            services,
            import: ImportId::new(),
        }
    }

    /// A vessel that took an order and came as far as `point`.
    async fn leave_at(point: Point) -> Self {
        let scene = Self::new().await;
        let repository = open(scene.data.path());
        scene.take(&repository, 33, &NAMES, point).await;
        scene
    }

    /// A vessel that published two packages of a recipe, took an order with the next release, which
    /// has only the first of them, and came as far as `point` with that.
    async fn leave_at_next(point: Point) -> Self {
        let mut scene = Self::new().await;
        let repository = open(scene.data.path());
        scene.take(&repository, 33, &NAMES, Point::Shown).await;
        repository.clear_staging(scene.import).await;
        scene.import = ImportId::new();
        scene.take(&repository, 34, &NAMES[..1], point).await;
        scene
    }

    /// Takes an order of a release of nano, with the packages of these names, as far as `point`.
    async fn take(&self, repository: &Arc<Repository>, release: u64, names: &[&str], point: Point) {
        let metas = names.iter().map(|name| meta("nano", name, release, 1));
        let stones: Vec<_> = metas
            .map(|meta| self.builder.offer_stone(&meta, &meta.name))
            .collect();
        let order = order("nano", stones.clone());
        let summit = "summit".parse().unwrap();
        repository.accept(self.import, order, summit).await.unwrap();
        self.advance(repository, point, stones).await;
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
        let total = u32::try_from(stones.len()).unwrap();
        let begun = Event::Begun { done: 0, total };
        repository.step(self.import, begun).await.unwrap();
        let recipe: api::id::RecipeName = "nano".parse().unwrap();
        let missing = stones
            .iter()
            .map(|stone| (recipe.clone(), stone.clone()))
            .collect();
        let verified = repository
            .obtain(&channel, self.import, missing)
            .await
            .unwrap();
        let verified: Vec<Verified> = verified.into_values().collect();
        // From here on the builder is not needed any more.
        for stone in &stones {
            self.builder.fail(stone.file_name.as_str(), 410);
        }
        let change = admitted(repository, &channel, &verified);
        repository.step(self.import, Event::Admitted).await.unwrap();
        let pooled = match point {
            Point::Accepted | Point::Staged => return,
            Point::HalfPooled => 1,
            Point::Pooled | Point::Indexed | Point::Committed | Point::Shown => verified.len(),
        };
        let pooling = repository
            .pool(&channel, self.import, &verified[..pooled])
            .unwrap();
        assert!(matches!(pooling, Pooling::Done));
        if point < Point::Indexed {
            return;
        }
        let history = repository
            .write_history(&channel, self.import, &change, &verified)
            .unwrap();
        if point < Point::Committed {
            return;
        }
        repository
            .commit(&channel, self.import, &history, &change)
            .unwrap();
        self.show(repository, point).await;
    }

    /// The last step, and what the API says before and after it.
    async fn show(&self, repository: &Arc<Repository>, point: Point) {
        let find = || async {
            let found = repository.find_import(self.import, None).await;
            found.unwrap().unwrap()
        };
        let hidden = find().await;
        assert_eq!(hidden.state, State::Publishing, "clients do not see it yet");
        if point < Point::Shown {
            return;
        }
        repository.project(&main_channel(repository)).unwrap();
        let shown = find().await;
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

    /// The names of the packages in an index of the channel.
    fn index(&self, folder: &str) -> Vec<String> {
        let path = format!("public/main/{folder}/stone.index");
        let index = Index::decode(&fs::read(self.data.path().join(path)).unwrap()).unwrap();
        index.validate().unwrap();
        index.packages.into_iter().map(|meta| meta.name).collect()
    }

    /// What must hold once the import is published, however it came there.
    fn check_published(&self, history: &HistoryId) {
        assert_eq!(self.folder("public/main/history"), [history.as_str()]);
        let root = self.root();
        assert_eq!(root["streams"]["volatile"]["history"], history.as_str());
        assert_eq!(root["history"].as_object().unwrap().len(), 1);
        for (architecture, names) in [("x86_64", &NAMES[..]), ("aarch64", &[])] {
            let found = self.index(&format!("stream/volatile/{architecture}"));
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

/// Lets the workers bring the import to its end, which must be its publication.
async fn finish(repository: &Arc<Repository>, import: ImportId) -> HistoryId {
    let supervisor = Supervisor::new();
    repository.spawn_workers(&supervisor);
    let state = end(repository, import).await;
    repository.ending.cancel();
    let left = supervisor.shutdown(Duration::from_secs(20)).await;
    assert!(left.is_empty(), "{left:?}");
    let State::Published { history, .. } = state else {
        panic!("not published: {state:?}");
    };
    history
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
    let history = finish(&repository, scene.import).await;
    scene.check_published(&history);
    scene.services.stop();
}

const POINTS: [Point; 7] = [
    Point::Accepted,
    Point::Staged,
    Point::HalfPooled,
    Point::Pooled,
    Point::Indexed,
    Point::Committed,
    Point::Shown,
];

#[tokio::test(flavor = "multi_thread")]
async fn a_start_carries_on_from_every_commit_point() {
    for point in POINTS {
        check_start_after(point).await;
    }
}

/// A package leaves with the commit, and neither before nor after; the history that names it, and
/// its stone, stay what they were.
#[tokio::test(flavor = "multi_thread")]
async fn a_package_leaves_with_the_commit() {
    for point in POINTS {
        let scene = Scene::leave_at_next(point).await;
        let repository = open(scene.data.path());
        let names = if point < Point::Committed { 2 } else { 1 };
        let volatile = "stream/volatile/x86_64";
        assert_eq!(scene.index(volatile), NAMES[..names], "{point:?}");
        let newest = finish(&repository, scene.import).await;
        assert_eq!(scene.index(volatile), NAMES[..1], "{point:?}");
        assert_eq!(scene.index("stream/volatile/aarch64"), [""; 0]);
        let histories = scene.folder("public/main/history");
        let old = histories.iter().find(|id| *id != newest.as_str()).unwrap();
        assert_eq!(histories.len(), 2, "{point:?}");
        assert_eq!(scene.index(&format!("history/{old}/x86_64")), NAMES);
        assert_eq!(scene.folder("public/main/pool/v0/n/nano").len(), 3);
        drop(repository);
        // Nor does another start take anything from it.
        open(scene.data.path());
        assert_eq!(scene.folder("public/main/pool/v0/n/nano").len(), 3);
        assert_eq!(scene.index(&format!("history/{old}/x86_64")), NAMES);
        scene.services.stop();
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
