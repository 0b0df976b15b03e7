//! Files that cannot be written, for a while.

use std::fs;

use api::id::ImportId;
use api::import::State;

use super::stage::Stage;
use super::stones::{meta, order};

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_cannot_be_written_is_waited_for() {
    let stage = Stage::new().await;
    let obstacle = stage.data().join("public/main/history");
    fs::write(&obstacle, "in the way").unwrap();
    let nano = stage
        .builder
        .offer_stone(&meta("nano", "nano", 33, 1), "text");
    let id = ImportId::new();
    stage.put(id, &order("nano", [nano])).await.unwrap();
    let seen = stage
        .follow(id, |state| matches!(state, State::Waiting { .. }))
        .await;
    let Some(State::Waiting { on, .. }) = seen.last() else {
        unreachable!()
    };
    assert_eq!(
        on,
        "vessel cannot work on its files: entity already exists; its log says which"
    );
    assert!(stage.histories().await.is_empty());
    fs::remove_file(&obstacle).unwrap();
    stage
        .follow(id, |state| matches!(state, State::Published { .. }))
        .await;
    assert_eq!(stage.packages().await, ["nano-33-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_index_that_cannot_be_written_keeps_the_import_publishing() {
    let stage = Stage::new().await;
    let root = stage.data().join("public/main/moss-root-index.json");
    fs::remove_file(&root).unwrap();
    fs::create_dir(&root).unwrap();
    let nano = stage
        .builder
        .offer_stone(&meta("nano", "nano", 33, 1), "text");
    let id = ImportId::new();
    stage.put(id, &order("nano", [nano])).await.unwrap();
    // The database has the history, and clients do not see it yet.
    while stage.channel().await.histories.is_empty() {
        tokio::task::yield_now().await;
    }
    // That it is waited for, and why, all learn whose imports are on their way.
    let behind = ImportId::new();
    let zlib = stage
        .builder
        .offer_stone(&meta("zlib", "zlib", 1, 1), "text");
    stage.put(behind, &order("zlib", [zlib])).await.unwrap();
    let why = "vessel cannot work on its files: is a directory; its log says which";
    let hidden = format!("it is in the repository, but clients cannot see it yet: {why}");
    for (id, expected) in [(id, &hidden[..]), (behind, why)] {
        assert_eq!(stage.until_waiting(id).await, expected);
    }
    fs::remove_dir(&root).unwrap();
    let seen = stage
        .follow(id, |state| matches!(state, State::Published { .. }))
        .await;
    assert!(!seen.is_empty());
    stage
        .follow(behind, |state| matches!(state, State::Published { .. }))
        .await;
    assert_eq!(stage.histories().await.len(), 2);
    assert_eq!(stage.packages().await, ["nano-33-1", "zlib-1-1"]);
}
