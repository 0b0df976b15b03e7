//! What a stop leaves, and what the next start makes of it.

use api::id::ImportId;
use api::import::State;

use super::stage::{Stage, config};
use super::stones::{meta, order, stone};

#[tokio::test(flavor = "multi_thread")]
async fn all_is_there_after_a_restart() {
    let mut stage = Stage::new().await;
    let nano = stage
        .builder
        .offer_stone(&meta("nano", "nano", 33, 1), "text");
    let (id, wanted) = (ImportId::new(), order("nano", [nano]));
    stage.put(id, &wanted).await.unwrap();
    let end = stage.follow(id, State::is_final).await.pop();
    let (root, channel) = (stage.root().await, stage.channel().await);
    stage.restart(|_| ()).await;
    assert_eq!(stage.root().await, root);
    assert_eq!(stage.channel().await, channel);
    assert_eq!(Some(stage.put(id, &wanted).await.unwrap().state), end);
    // The next index is made from the published one, as nothing is kept in memory.
    let zlib = stage
        .builder
        .offer_stone(&meta("zlib", "zlib", 1, 1), "text");
    stage.publish(&order("zlib", [zlib])).await;
    assert_eq!(stage.packages().await, ["nano-33-1", "zlib-1-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_waits_is_resumed() {
    let mut stage = Stage::new().await;
    let nano = meta("nano", "nano", 33, 1);
    let promised = stage
        .builder
        .promise("nano-1.0-33-1-x86_64.stone", &stone(&nano, "text"));
    stage.builder.fail("nano-1.0-33-1-x86_64.stone", 500);
    let id = ImportId::new();
    stage.put(id, &order("nano", [promised])).await.unwrap();
    let seen = stage
        .follow(id, |state| matches!(state, State::Waiting { .. }))
        .await;
    let behind = ImportId::new();
    let zlib = stage
        .builder
        .offer_stone(&meta("zlib", "zlib", 1, 1), "text");
    stage.put(behind, &order("zlib", [zlib])).await.unwrap();
    stage.restart(|_| ()).await;
    assert!(stage.get(id, 0).await.unwrap().seq >= seen.len() as u64);
    stage.builder.offer_stone(&nano, "text");
    stage
        .follow(id, |state| matches!(state, State::Published { .. }))
        .await;
    stage
        .follow(behind, |state| matches!(state, State::Published { .. }))
        .await;
    assert_eq!(stage.packages().await, ["nano-33-1", "zlib-1-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_names_is_removed() {
    let mut stage = Stage::new().await;
    let nano = stage
        .builder
        .offer_stone(&meta("nano", "nano", 33, 1), "text");
    let history = stage.publish(&order("nano", [nano])).await;
    stage
        .restart(|data| {
            let channel = data.join("public/main");
            for folder in [
                channel.join("history/never-published/x86_64"),
                data.join("staging").join(ImportId::new().to_string()),
                data.join("aside/main-history/x86_64"),
            ] {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(folder.join("stone.index"), "half").unwrap();
            }
            // As before the last import, and torn.
            std::fs::write(channel.join("moss-root-index.json"), "{").unwrap();
            std::fs::remove_file(channel.join("moss-root-index.json.zst")).unwrap();
            std::fs::remove_dir_all(channel.join("stream")).unwrap();
        })
        .await;
    assert_eq!(stage.histories().await, [history]);
    assert_eq!(stage.packages().await, ["nano-33-1"]);
    let orphan = stage
        .fetch("main/history/never-published/x86_64/stone.index")
        .await;
    assert_eq!(orphan.status(), 404);
    for folder in ["staging", "aside"] {
        let left = std::fs::read_dir(stage.data().join(folder))
            .unwrap()
            .count();
        assert_eq!(left, 0, "{folder}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_lost_is_made_again_from_the_pool() {
    let mut stage = Stage::new().await;
    let nano = stage
        .builder
        .offer_stone(&meta("nano", "nano", 33, 1), "text");
    let history = stage.publish(&order("nano", [nano])).await;
    stage
        .restart(|data| {
            let index = format!("public/main/history/{history}/x86_64/stone.index");
            std::fs::write(data.join(index), "torn").unwrap();
        })
        .await;
    let zlib = stage
        .builder
        .offer_stone(&meta("zlib", "zlib", 1, 1), "text");
    stage.publish(&order("zlib", [zlib])).await;
    assert_eq!(stage.packages().await, ["nano-33-1", "zlib-1-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_vessel_has_a_data_folder() {
    let stage = Stage::new().await;
    let config = config(stage.data(), Vec::new());
    let supervisor = service::Supervisor::new();
    let error = vessel::start(config, &supervisor).await.unwrap_err();
    let chain = service::error::Chain(&error).to_string();
    assert!(chain.contains("is already open"), "{chain}");
}
