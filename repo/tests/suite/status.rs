//! What vessel says of itself to operators.

use api::claims::Scope;
use api::id::ImportId;
use api::import::State;
use api::problem::Code;
use api::status::Vessel;
use service::client::CallError;

use super::stage::{Stage, code};
use super::stones::{meta, order, stone};

async fn status(stage: &Stage) -> Vessel {
    let status = stage.client.get(Scope::Status, "/api/v1/status").await;
    status.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_tells_how_full_the_database_is_and_what_is_under_way() {
    let stage = Stage::new().await;
    let main = "main".parse().unwrap();
    let idle = status(&stage).await;
    assert_eq!(
        (idle.vessel.as_str(), idle.format.as_str()),
        ("vessel", "v0")
    );
    assert_eq!(idle.version, env!("CARGO_PKG_VERSION"));
    assert_eq!(idle.database.map_bytes, 256 << 30);
    assert!(idle.imports[&main].is_empty());

    // One waits for its stone; the other goes first.
    let slow = meta("slow", "slow", 1, 1);
    let promised = stage
        .builder
        .promise("slow-1.0-1-1-x86_64.stone", &stone(&slow, "text"));
    stage.builder.fail("slow-1.0-1-1-x86_64.stone", 503);
    let id = ImportId::new();
    stage.put(id, &order("slow", [promised])).await.unwrap();
    stage
        .follow(id, |state| matches!(state, State::Waiting { .. }))
        .await;
    let nano = stage
        .builder
        .offer_stone(&meta("nano", "nano", 33, 1), "text");
    stage.publish(&order("nano", [nano])).await;
    let busy = status(&stage).await;
    let [waiting] = &busy.imports[&main][..] else {
        panic!("not the one that waits: {:?}", busy.imports);
    };
    assert_eq!(waiting.id, id);
    assert!(busy.database.used_bytes > idle.database.used_bytes);
    assert!(busy.database.used_bytes < busy.database.map_bytes);

    stage.builder.offer_stone(&slow, "text");
    stage.follow(id, State::is_final).await;
    assert!(status(&stage).await.imports[&main].is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_takes_its_own_scope() {
    let stage = Stage::new().await;
    let other: Result<Vessel, CallError> =
        stage.client.get(Scope::Channels, "/api/v1/status").await;
    assert_eq!(code(other), Code::Forbidden);
    assert_eq!(stage.fetch("api/v1/status").await.status(), 401);
}
