//! Packages that their recipes do not make any more.

use api::import::{Order, RefusalReason, State, Stone};

use super::stage::Stage;
use super::stones::{build, meta, order};

/// Offers the stones of a build of `recipe` that makes these packages.
fn offer(stage: &Stage, recipe: &str, release: u64, build: u64, names: &[&str]) -> Vec<Stone> {
    let metas = names.iter().map(|name| meta(recipe, name, release, build));
    metas
        .map(|meta| stage.builder.offer_stone(&meta, "text"))
        .collect()
}

fn one(stage: &Stage, recipe: &str, release: u64, build: u64, names: &[&str]) -> Order {
    order(recipe, offer(stage, recipe, release, build, names))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_newer_release_does_not_make_leaves_the_channel_and_no_history() {
    let mut stage = Stage::new().await;
    let all = ["nano", "nano-doc", "nano-lang"];
    let first = stage.publish(&one(&stage, "nano", 33, 1, &all)).await;
    stage.publish(&one(&stage, "zlib", 1, 1, &["zlib"])).await;
    let path = format!("main/history/{first}/x86_64/stone.index");
    let before = stage.fetch(&path).await.bytes().await.unwrap();

    stage
        .publish(&one(&stage, "nano", 34, 1, &["nano", "nano-lang"]))
        .await;
    let newest = ["nano-34-1", "nano-lang-34-1", "zlib-1-1"];
    assert_eq!(stage.packages().await, newest);
    assert_eq!(stage.fetch(&path).await.bytes().await.unwrap(), before);
    let old = stage.index(&path).await;
    for package in &old.packages {
        let uri = package.uri.as_deref().unwrap();
        let path = uri.replacen("../../..", "main", 1);
        assert_eq!(stage.fetch(&path).await.status(), 200, "{path}");
    }
    // A start reads all of this back, and the next index has no more than the last.
    stage.restart(|_| ()).await;
    stage.publish(&one(&stage, "zlib", 2, 1, &["zlib"])).await;
    let newest = ["nano-34-1", "nano-lang-34-1", "zlib-2-1"];
    assert_eq!(stage.packages().await, newest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_lets_packages_leave_too_and_the_same_build_none() {
    let stage = Stage::new().await;
    stage
        .publish(&one(&stage, "nano", 33, 1, &["nano", "nano-doc"]))
        .await;
    let last = stage.publish(&one(&stage, "nano", 33, 2, &["nano"])).await;
    assert_eq!(stage.packages().await, ["nano-33-2"]);
    // What is there already makes no history, and nothing leaves for it.
    let again = one(&stage, "nano", 33, 2, &["nano"]);
    assert_eq!(stage.publish(&again).await, last);
    // A part of the same build that comes late does not take the place of the other.
    stage
        .publish(&one(&stage, "nano", 33, 2, &["nano-lang"]))
        .await;
    assert_eq!(stage.packages().await, ["nano-33-2", "nano-lang-33-2"]);
    // What left does not come back by an import that was late.
    let state = stage
        .import(&one(&stage, "nano", 33, 1, &["nano-doc"]))
        .await;
    let State::Refused { refusal, .. } = state else {
        panic!("not refused: {state:?}");
    };
    assert_eq!(refusal.reason, RefusalReason::ReleaseLower);
    assert_eq!(
        refusal.message,
        "the channel has release 33, build 2 of the recipe nano, which is higher than 33, build 1"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_free_for_another_recipe_once_its_package_has_left() {
    let stage = Stage::new().await;
    stage
        .publish(&one(&stage, "nano", 33, 1, &["nano", "nano-doc"]))
        .await;
    let manuals = one(&stage, "manuals", 1, 1, &["nano-doc"]);
    let state = stage.import(&manuals).await;
    let State::Refused { refusal, .. } = state else {
        panic!("not refused: {state:?}");
    };
    assert_eq!(refusal.reason, RefusalReason::SourceMismatch);
    assert_eq!(
        refusal.message,
        "the package nano-doc belongs to the recipe nano, not to manuals: first publish a release \
         of nano that does not make it, or both together"
    );
    stage.publish(&one(&stage, "nano", 34, 1, &["nano"])).await;
    stage.publish(&manuals).await;
    assert_eq!(stage.packages().await, ["nano-doc-1-1", "nano-34-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_moves_within_one_import_in_either_order() {
    for turn in [false, true] {
        let stage = Stage::new().await;
        stage
            .publish(&one(&stage, "nano", 33, 1, &["nano", "nano-doc"]))
            .await;
        let mut builds = vec![
            build("nano", offer(&stage, "nano", 34, 1, &["nano"])),
            build("manuals", offer(&stage, "manuals", 1, 1, &["nano-doc"])),
        ];
        if turn {
            builds.reverse();
        }
        let both = Order {
            channel: "main".parse().unwrap(),
            builds,
        };
        stage.publish(&both).await;
        let index = stage.volatile().await;
        let found: Vec<_> = index
            .packages
            .iter()
            .map(|meta| (meta.name.as_str(), meta.source_id.as_str(), meta.release))
            .collect();
        let expected = [("nano-doc", "manuals", 1), ("nano", "nano", 34)];
        assert_eq!(found, expected, "turned: {turn}");
    }
}
