//! Streams and tags.

use api::claims::Scope;
use api::problem::Code;
use api::repository::{Channel, Target};
use service::client::CallError;

use super::stage::{Stage, code};
use super::stones::{meta, order};

async fn put(stage: &Stage, path: &str, history: &str) -> Result<Channel, CallError> {
    let target = Target {
        history: history.parse().unwrap(),
    };
    stage
        .client
        .put(
            Scope::Channels,
            &format!("/api/v1/channels/{path}"),
            &target,
        )
        .await
}

async fn publish(stage: &Stage, release: u64) -> String {
    let nano = stage
        .builder
        .offer_stone(&meta("nano", "nano", release, 1), "text");
    stage.publish(&order("nano", [nano])).await
}

async fn release_in(stage: &Stage, stream: &str) -> u64 {
    let path = format!("main/stream/{stream}/x86_64/stone.index");
    stage.index(&path).await.packages[0].release
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_channel_is_served() {
    let stage = Stage::new().await;
    assert_eq!(
        stage.root().await,
        serde_json::json!({ "formats": { "v0": {} }, "streams": {}, "tags": {}, "history": {} })
    );
    let missing = stage.fetch("main/stream/volatile/x86_64/stone.index").await;
    assert_eq!(missing.status(), 404);
    let channel = stage.channel().await;
    assert!(channel.streams.is_empty() && channel.histories.is_empty());
    let unknown: Result<Channel, CallError> = stage
        .client
        .get(Scope::Channels, "/api/v1/channels/other")
        .await;
    assert_eq!(code(unknown), Code::NotFound);
    assert_eq!(
        code(put(&stage, "other/streams/stable", "h").await),
        Code::NotFound
    );
    assert_eq!(stage.fetch("health").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_moved_by_hand() {
    let stage = Stage::new().await;
    let (old, new) = (publish(&stage, 1).await, publish(&stage, 2).await);
    for (target, release) in [(&old, 1), (&new, 2), (&new, 2), (&old, 1)] {
        let channel = put(&stage, "main/streams/stable", target).await.unwrap();
        assert_eq!(channel.streams[&"stable".parse().unwrap()].as_str(), target);
        assert_eq!(stage.root().await["streams"]["stable"]["history"], **target);
        assert_eq!(release_in(&stage, "stable").await, release);
        assert_eq!(release_in(&stage, "volatile").await, 2);
    }
    assert_eq!(
        code(put(&stage, "main/streams/volatile", &old).await),
        Code::Invalid
    );
    assert_eq!(
        code(put(&stage, "main/streams/stable", "unknown").await),
        Code::Invalid
    );
    assert_eq!(
        code(put(&stage, "main/streams/no_identifier", &old).await),
        Code::Malformed
    );
    // An import moves `volatile` and nothing else.
    publish(&stage, 3).await;
    assert_eq!(release_in(&stage, "stable").await, 1);
    assert_eq!(release_in(&stage, "volatile").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_never_moves() {
    let stage = Stage::new().await;
    let (old, new) = (publish(&stage, 1).await, publish(&stage, 2).await);
    for _ in 0..2 {
        let channel = put(&stage, "main/tags/2026-11", &old).await.unwrap();
        assert_eq!(channel.tags[&"2026-11".parse().unwrap()].as_str(), old);
    }
    assert_eq!(
        code(put(&stage, "main/tags/2026-11", &new).await),
        Code::Conflict
    );
    assert_eq!(stage.root().await["tags"]["2026-11"]["history"], *old);
    assert_eq!(
        code(put(&stage, "main/tags/t", "unknown").await),
        Code::Invalid
    );
}
