//! Imports that a channel does not take.

use api::import::{Order, Refusal, RefusalReason, State};

use super::stage::Stage;
use super::stones::{build, meta, order, stone};

/// A channel with nano 33-2, and what it said of an order that it must refuse. A refused order
/// leaves no trace.
async fn refuse(stage: &Stage, order: &Order) -> Refusal {
    let before = stage.root().await;
    let state = stage.import(order).await;
    let State::Refused { refusal, .. } = state else {
        panic!("not refused: {state:?}")
    };
    assert_eq!(stage.root().await, before);
    assert_eq!(stage.packages().await, ["nano-33-2"]);
    refusal
}

async fn stage_with_nano() -> Stage {
    let stage = Stage::new().await;
    let nano = stage
        .builder
        .offer_stone(&meta("nano", "nano", 33, 2), "text");
    stage.publish(&order("nano", [nano])).await;
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn packages_that_the_channel_does_not_take() {
    let stage = stage_with_nano().await;
    let offer = |source, name, release, build, text: &str| {
        stage
            .builder
            .offer_stone(&meta(source, name, release, build), text)
    };
    let lower = order("nano", [offer("nano", "nano", 32, 9, "text")]);
    let taken = order("nano", [offer("nano", "nano", 33, 2, "other text")]);
    let older_build = order("nano", [offer("nano", "nano", 33, 1, "text")]);
    let other_source = order("pico", [offer("pico", "nano", 34, 1, "text")]);
    let (one, two) = (
        offer("nano", "lib", 1, 1, "1"),
        offer("nano", "lib", 2, 1, "2"),
    );
    let twice = order("nano", [one.clone(), two]);
    let same_twice = Order {
        channel: "main".parse().unwrap(),
        builds: vec![build("nano", [one.clone()]), build("nano", [one])],
    };
    let mut lines = Vec::new();
    for order in [lower, taken, older_build, other_source, twice, same_twice] {
        let refusal = refuse(&stage, &order).await;
        lines.push(format!("{:?}: {}", refusal.reason, refusal.message));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn stones_that_are_not_what_the_order_says() {
    let stage = stage_with_nano().await;
    let nano = meta("nano", "nano", 34, 1);
    let bytes = stone(&nano, "text");
    let name = "nano-1.0-34-1-x86_64.stone";
    let good = stage.builder.offer(name, &bytes);

    let renamed = order(
        "nano",
        [stage.builder.offer("nano-1.0-34-2-x86_64.stone", &bytes)],
    );
    let other_recipe = order("pico", [good.clone()]);
    let arm = moss_format::Meta {
        architecture: "aarch64".to_owned(),
        ..nano.clone()
    };
    let other_architecture = order("nano", [stage.builder.offer_stone(&arm, "text")]);
    let mut lines = Vec::new();
    for order in [renamed, other_recipe, other_architecture] {
        let refusal = refuse(&stage, &order).await;
        assert_eq!(refusal.reason, RefusalReason::StoneMismatch);
        lines.push(refusal.message);
    }
    // What is in the channel is held against the order too, though it is not fetched again.
    let known = stage.builder.promise(
        "nano-9.9-33-2-x86_64.stone",
        &stone(&meta("nano", "nano", 33, 2), "text"),
    );
    let refusal = refuse(&stage, &order("nano", [known])).await;
    assert_eq!(refusal.reason, RefusalReason::StoneMismatch);
    lines.push(refusal.message);
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_what_the_order_says() {
    let stage = stage_with_nano().await;
    let bytes = stone(&meta("nano", "nano", 34, 1), "text");
    let name = "nano-1.0-34-1-x86_64.stone";
    let promised = stage.builder.promise(name, &bytes);
    let mut other = bytes.clone();
    *other.last_mut().unwrap() ^= 1;
    for wrong in [&other[..], &bytes[1..], &[&bytes[..], b"more"].concat()] {
        stage.builder.offer(name, wrong);
        let refusal = refuse(&stage, &order("nano", [promised.clone()])).await;
        assert_eq!(
            refusal.reason,
            RefusalReason::HashMismatch,
            "{}",
            refusal.message
        );
        assert_eq!(refusal.file_name.as_ref(), Some(&promised.file_name));
    }
    for status in [404, 410] {
        stage.builder.fail(name, status);
        let refusal = refuse(&stage, &order("nano", [promised.clone()])).await;
        assert_eq!(
            refusal.reason,
            RefusalReason::AssetGone,
            "{}",
            refusal.message
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stones_that_are_not_sound() {
    let stage = stage_with_nano().await;
    let name = "nano-1.0-34-1-x86_64.stone";
    let nano = meta("nano", "nano", 34, 1);
    let bytes = stone(&nano, "text");
    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let mut cut = bytes.clone();
    cut.truncate(bytes.len() - 3);
    let unsafe_name = moss_format::Meta {
        name: "na/no".to_owned(),
        ..nano.clone()
    };
    let broken = [
        b"no stone at all".to_vec(),
        damaged,
        cut,
        stone(&unsafe_name, "text"),
        Vec::new(),
    ];
    for bytes in broken {
        // The order names what is there; only it is no good.
        let offered = stage.builder.offer(name, &bytes);
        let refusal = refuse(&stage, &order("nano", [offered])).await;
        assert_eq!(
            refusal.reason,
            RefusalReason::StoneInvalid,
            "{}",
            refusal.message
        );
    }
    // The channel goes on.
    let good = stage.builder.offer(name, &bytes);
    stage.publish(&order("nano", [good])).await;
    assert_eq!(stage.packages().await, ["nano-34-1"]);
}
