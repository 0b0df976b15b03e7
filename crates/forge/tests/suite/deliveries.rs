//! The delivery log.

use forge::{Mode, Order};
use http::{Method, StatusCode};
use serde_json::json;

use crate::bench::{Bench, LIMIT, REPOSITORY};

async fn push(bench: &Bench, branch: &str) {
    let edit = forge::Edit::Put(branch.as_bytes().to_vec());
    let edits = [("file", edit)];
    bench
        .forge
        .commit(REPOSITORY, "maya", branch, "Change", &edits)
        .await
        .unwrap();
}

async fn rows(bench: &Bench, count: usize) {
    bench
        .forge
        .wait_for("the deliveries", LIMIT, |forge| {
            (forge.deliveries().len() >= count).then_some(())
        })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_delivery_is_found_and_asked_for_again() {
    let bench = Bench::start().await;
    bench.receiver.answer_with(StatusCode::SERVICE_UNAVAILABLE);
    push(&bench, "main").await;
    rows(&bench, 2).await;
    let jwt = bench.jwt();
    let failed = bench
        .get("/app/hook/deliveries?status=failure", &jwt)
        .await
        .body;
    let row = failed
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["event"] == "push")
        .unwrap()
        .clone();
    assert_eq!(row["status"], "Invalid HTTP Response: 503");
    assert_eq!(
        (&row["redelivery"], &row["status_code"]),
        (&json!(false), &json!(503))
    );
    bench.receiver.answer_with(StatusCode::OK);
    let again = format!("/app/hook/deliveries/{}/attempts", row["id"]);
    let answer = bench.call(Method::POST, &again, &jwt, None).await;
    assert_eq!((answer.status, &answer.body), (202, &json!({})));
    rows(&bench, 3).await;
    let good = bench
        .get("/app/hook/deliveries?status=success", &jwt)
        .await
        .body;
    assert_eq!(
        (&good[0]["guid"], &good[0]["redelivery"]),
        (&row["guid"], &json!(true))
    );
    assert_ne!(good[0]["id"], row["id"], "one row an attempt");
    let hooks = bench.receiver.wait("push", 2).await;
    assert_eq!(
        hooks[0].header("x-github-delivery"),
        hooks[1].header("x-github-delivery")
    );
    assert_eq!(hooks[0].body, hooks[1].body);

    bench
        .forge
        .advance_clock(std::time::Duration::from_secs(73 * 3600));
    assert!(bench.forge.deliveries().is_empty(), "kept for three days");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_fails_the_delivery() {
    let bench = Bench::start().await;
    bench
        .forge
        .set_webhook_url(Some("http://127.0.0.1:1/webhook".parse().unwrap()));
    push(&bench, "main").await;
    rows(&bench, 2).await;
    let row = &bench.get("/app/hook/deliveries", &bench.jwt()).await.body[0];
    assert_eq!(row["status"], "failed to connect to host");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_read_in_pages() {
    let bench = Bench::start().await;
    for branch in ["a", "b", "c"] {
        push(&bench, branch).await;
    }
    rows(&bench, 6).await;
    let jwt = bench.jwt();
    let mut seen = Vec::new();
    let mut next = Some(format!(
        "{}/app/hook/deliveries?per_page=4",
        bench.forge.api_url()
    ));
    let mut pages = 0;
    while let Some(url) = next {
        let answer = bench
            .answer(bench.request(Method::GET, &url).bearer_auth(&jwt))
            .await;
        seen.extend(
            answer
                .body
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["id"].as_u64().unwrap()),
        );
        next = answer.headers.get("link").map(|link| {
            let link = link.to_str().unwrap();
            let (url, rel) = link.split_once(">; ").unwrap();
            assert_eq!(rel, "rel=\"next\"");
            url.trim_start_matches('<').to_owned()
        });
        pages += 1;
    }
    assert_eq!((pages, seen.len()), (2, 6));
    assert!(
        seen.is_sorted_by(|one, other| one > other),
        "newest first, none twice: {seen:?}"
    );
    let bad = bench.get("/app/hook/deliveries?cursor=2", &jwt).await;
    assert_eq!(bad.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_can_be_lost_doubled_and_reordered() {
    let bench = Bench::start().await;
    bench.forge.set_webhooks(Mode::Mute);
    push(&bench, "muted").await;
    bench.forge.set_webhooks(Mode::Lose);
    push(&bench, "lost").await;
    let lost = bench.forge.deliveries();
    assert!(lost.iter().all(|row| !row.outcome.is_success()) && lost.len() == 2);
    bench.forge.set_webhooks(Mode::Hold);
    push(&bench, "first").await;
    push(&bench, "second").await;
    assert_eq!(bench.receiver.hooks().len(), 0);
    assert_eq!(bench.forge.release_webhooks(Order::Reversed).await, 4);
    let order: Vec<_> = bench
        .receiver
        .wait("push", 2)
        .await
        .iter()
        .map(|hook| hook.body["ref"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(order, ["refs/heads/second", "refs/heads/first"]);
    bench.forge.set_webhooks(Mode::Double);
    push(&bench, "twice").await;
    let hooks = bench.receiver.wait("push", 4).await;
    assert_eq!(
        hooks[2].header("x-github-delivery"),
        hooks[3].header("x-github-delivery")
    );
}

/// GitHub sends webhooks without waiting for anything after the push, and so does the forge: the
/// event is made before git has its answer.
#[tokio::test(flavor = "multi_thread")]
async fn the_webhook_is_made_when_git_answers() {
    let bench = Bench::start().await;
    let tree = bench.work_tree("maya").await;
    bench.forge.set_webhooks(Mode::Hold);
    for round in 1..=5 {
        tree.commit("lz4/stone.yaml", &format!("release: {round}\n"), "Raise")
            .await;
        tree.push("main").await;
        let held = bench.forge.held_webhooks();
        let pushes = held.iter().filter(|event| event.event == "push").count();
        assert_eq!(pushes, round, "{held:?}");
    }
}
