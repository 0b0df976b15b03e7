//! Imports that are published, and what clients then see.

use api::claims::Scope;
use api::id::{ImportId, Sha256};
use api::import::{Import, Order, State};
use api::problem::Code;
use service::client::CallError;

use super::stage::{Stage, code};
use super::stones::{build, meta, order, stone};

#[tokio::test(flavor = "multi_thread")]
async fn a_published_import_is_what_clients_see() {
    let stage = Stage::new().await;
    let bytes = stone(&meta("nano", "nano", 33, 1), "text");
    let nano = stage.builder.offer("nano-1.0-33-1-x86_64.stone", &bytes);
    let first = stage.publish(&order("nano", [nano])).await;
    assert_eq!(
        stage.root().await,
        serde_json::json!({
            "formats": { "v0": {} },
            "streams": { "volatile": { "format": "v0", "history": first } },
            "tags": {},
            "history": { &first: { "format": "v0" } },
        })
    );
    let path = format!("main/history/{first}/x86_64/stone.index");
    let index = stage.index(&path).await;
    assert_eq!(index, stage.volatile().await);
    let [found] = &index.packages[..] else {
        panic!("not one package: {index:?}")
    };
    assert_eq!(
        found.uri.as_deref(),
        Some("../../../pool/v0/n/nano/nano-1.0-33-1-x86_64.stone")
    );
    assert_eq!(found.hash, Some(Sha256::of(&bytes).to_string()));
    assert_eq!(found.size, Some(bytes.len() as u64));
    assert_eq!(found.summary, "The nano package");
    // As a client does: joined to the URL of the index, from the history and from the stream.
    for index in [path.as_str(), "main/stream/volatile/x86_64/stone.index"] {
        let url = stage
            .url(index)
            .join(found.uri.as_deref().unwrap())
            .unwrap();
        let fetched = reqwest::get(url).await.unwrap().bytes().await.unwrap();
        assert_eq!(fetched, bytes);
    }
    stage.stop().await;
    assert!(
        std::fs::read_dir(stage.data().join("staging"))
            .unwrap()
            .next()
            .is_none()
    );
    assert!(
        std::fs::read_dir(stage.data().join("aside"))
            .unwrap()
            .next()
            .is_none()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_import_adds_a_history_over_the_whole_channel() {
    let stage = Stage::new().await;
    let offer = |name, release, build| {
        stage.builder.offer_stone(
            &meta(name, name, release, build),
            &format!("{release} {build}"),
        )
    };
    let first = stage.publish(&order("zlib", [offer("zlib", 2, 1)])).await;
    let both = Order {
        channel: "main".parse().unwrap(),
        builds: vec![
            build("nano", [offer("nano", 33, 1)]),
            build("lz4", [offer("lz4", 5, 1)]),
        ],
    };
    let second = stage.publish(&both).await;
    assert_eq!(stage.packages().await, ["lz4-5-1", "nano-33-1", "zlib-2-1"]);
    let third = stage.publish(&order("nano", [offer("nano", 33, 2)])).await;
    assert_eq!(stage.packages().await, ["lz4-5-1", "nano-33-2", "zlib-2-1"]);
    let fourth = stage.publish(&order("nano", [offer("nano", 34, 1)])).await;
    assert_eq!(stage.packages().await, ["lz4-5-1", "nano-34-1", "zlib-2-1"]);
    assert_eq!(
        stage.histories().await,
        [&fourth[..], &third, &second, &first]
    );
    // An old history stays as it was, and its stones stay in the pool.
    let old = stage
        .index(&format!("main/history/{second}/x86_64/stone.index"))
        .await;
    assert_eq!(old.packages.len(), 3);
    for package in &old.packages {
        let path = package
            .uri
            .as_deref()
            .unwrap()
            .replacen("../../..", "main", 1);
        assert_eq!(stage.fetch(&path).await.status(), 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stones_that_are_there_make_no_history() {
    let stage = Stage::new().await;
    let nano = stage
        .builder
        .offer_stone(&meta("nano", "nano", 33, 1), "text");
    let zlib = stage
        .builder
        .offer_stone(&meta("zlib", "zlib", 1, 1), "text");
    let first = stage.publish(&order("nano", [nano.clone()])).await;
    let second = stage.publish(&order("zlib", [zlib.clone()])).await;
    // Not even fetched: the builder may have dropped them.
    stage.builder.fail("nano-1.0-33-1-x86_64.stone", 410);
    assert_eq!(stage.publish(&order("nano", [nano.clone()])).await, second);
    assert_eq!(stage.histories().await, [&second[..], &first]);
    // Nor is what is there fetched for an import that brings something new.
    let lz4 = stage
        .builder
        .offer_stone(&meta("nano", "lz4", 33, 1), "text");
    let third = stage.publish(&order("nano", [nano, lz4])).await;
    assert_ne!(third, second);
    assert_eq!(
        stage.packages().await,
        ["lz4-33-1", "nano-33-1", "zlib-1-1"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_taken_once() {
    let stage = Stage::new().await;
    let nano = stage
        .builder
        .offer_stone(&meta("nano", "nano", 33, 1), "text");
    let (id, wanted) = (ImportId::new(), order("nano", [nano]));
    let taken = stage.put(id, &wanted).await.unwrap();
    assert_eq!(
        (taken.id, &taken.state),
        (id, &State::Accepted { ahead: 0 })
    );
    let end = stage.follow(id, State::is_final).await.pop().unwrap();
    let again = stage.put(id, &wanted).await.unwrap();
    assert_eq!((again.state, again.accepted_at), (end, taken.accepted_at));
    let other = Order {
        builds: Vec::new(),
        ..wanted.clone()
    };
    assert_eq!(
        code(stage.put(id, &other).await),
        Code::Invalid,
        "an empty order"
    );
    let other = order("nano", wanted.builds[0].stones.clone());
    assert_eq!(
        code(stage.put(id, &other).await),
        Code::Conflict,
        "another build"
    );
    assert_eq!(stage.histories().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_ordered_is_refused_at_once() {
    let stage = Stage::new().await;
    let nano = stage
        .builder
        .offer_stone(&meta("nano", "nano", 33, 1), "text");
    let wanted = order("nano", [nano.clone()]);
    let elsewhere = Order {
        channel: "nowhere".parse().unwrap(),
        ..wanted.clone()
    };
    assert_eq!(
        code(stage.put(ImportId::new(), &elsewhere).await),
        Code::Invalid
    );
    let mut unsafe_uri = nano.clone();
    unsafe_uri.uri = "file:///etc/passwd".parse().unwrap();
    let unsafe_order = order("nano", [unsafe_uri]);
    assert_eq!(
        code(stage.put(ImportId::new(), &unsafe_order).await),
        Code::Invalid
    );
    let client = &stage.client;
    let malformed: Result<Import, CallError> = client
        .put(
            Scope::Imports,
            &format!("/api/v1/imports/{}", ImportId::new()),
            &1,
        )
        .await;
    assert_eq!(code(malformed), Code::Malformed);
    let no_id: Result<Import, CallError> = client
        .put(Scope::Imports, "/api/v1/imports/7", &wanted)
        .await;
    assert_eq!(code(no_id), Code::Malformed);
    assert_eq!(code(stage.get(ImportId::new(), 0).await), Code::NotFound);
    let no_endpoint: Result<Import, CallError> = client.get(Scope::Imports, "/api/v1/x").await;
    assert_eq!(code(no_endpoint), Code::NotFound);
    let wrong_scope: Result<Import, CallError> = client
        .get(
            Scope::Channels,
            &format!("/api/v1/imports/{}", ImportId::new()),
        )
        .await;
    assert_eq!(code(wrong_scope), Code::Forbidden);
    let unsigned = stage.fetch("api/v1/channels/main").await;
    assert_eq!(unsigned.status(), 401);
    assert!(stage.channel().await.histories.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_waits_holds_up_none_behind_it() {
    let stage = Stage::new().await;
    // The first waits for its stone; the others go before it, one after the other.
    let slow = stage.builder.promise(
        "slow-1.0-1-1-x86_64.stone",
        &stone(&meta("slow", "slow", 1, 1), ""),
    );
    stage.builder.fail("slow-1.0-1-1-x86_64.stone", 503);
    let ids = [ImportId::new(), ImportId::new(), ImportId::new()];
    stage.put(ids[0], &order("slow", [slow])).await.unwrap();
    let later = [("nano", 33), ("nano", 34)].map(|(name, release)| {
        stage
            .builder
            .offer_stone(&meta(name, name, release, 1), "text")
    });
    let waiting = stage
        .follow(ids[0], |state| matches!(state, State::Waiting { .. }))
        .await;
    let Some(State::Waiting { on, .. }) = waiting.last() else {
        unreachable!()
    };
    assert!(on.contains("503 Service Unavailable"), "{on}");
    for (id, stone) in ids[1..].iter().zip(later) {
        let taken = stage.put(*id, &order("nano", [stone])).await.unwrap();
        assert!(
            matches!(taken.state, State::Accepted { ahead } if ahead > 0),
            "{:?}",
            taken.state
        );
    }
    let mut histories = Vec::new();
    for id in [ids[1], ids[2], ids[0]] {
        if id == ids[0] {
            assert_eq!(stage.packages().await, ["nano-34-1"]);
            assert!(!stage.get(id, 0).await.unwrap().state.is_final());
            stage.builder.offer_stone(&meta("slow", "slow", 1, 1), "");
        }
        let seen = stage.follow(id, State::is_final).await;
        let Some(State::Published { history, .. }) = seen.last() else {
            panic!("not published: {seen:?}");
        };
        histories.insert(0, history.to_string());
    }
    assert_eq!(stage.histories().await, histories);
    assert_eq!(stage.packages().await, ["nano-34-1", "slow-1-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_called_published_only_when_clients_see_it() {
    let stage = Stage::new().await;
    for release in 1..=10 {
        let nano = stage
            .builder
            .offer_stone(&meta("nano", "nano", release, 1), "text");
        let history = stage.publish(&order("nano", [nano])).await;
        assert_eq!(stage.histories().await.first(), Some(&history));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_answers_those_who_wait() {
    let stage = Stage::new().await;
    let nano = stage
        .builder
        .offer_stone(&meta("nano", "nano", 33, 1), "text");
    let id = ImportId::new();
    stage.put(id, &order("nano", [nano])).await.unwrap();
    stage.follow(id, State::is_final).await;
    let seq = stage.get(id, 0).await.unwrap().seq;
    let begun = std::time::Instant::now();
    let (answer, ()) = tokio::join!(stage.get(id, seq), async {
        // The request is on its way or waiting; either way it is answered well before its time.
        tokio::task::yield_now().await;
        stage.begin_to_stop();
    });
    if let Ok(import) = answer {
        assert_eq!(import.seq, seq);
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(10));
    stage.stop().await;
}
