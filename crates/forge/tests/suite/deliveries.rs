//! The delivery log.

use std::sync::Arc;

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use forge::config::ContentType;
use forge::{Mode, Order};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Method, StatusCode};
use serde_json::json;
use service::Supervisor;
use sha2::Sha256;
use tokio::sync::watch;

use crate::bench::{Bench, LIMIT, REPOSITORY, SECRET};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_new_address_is_told_of_by_a_ping() {
    let bench = Bench::start().await;
    let url = bench.receiver.url.parse().unwrap();
    bench.forge.set_webhook_url(Some(url));
    let ping = bench.receiver.wait("ping", 1).await.remove(0).body;
    assert_eq!(ping["hook"]["config"]["url"], bench.receiver.url);
    assert_eq!(ping["hook"]["config"]["secret"], "********");
    rows(&bench, 1).await;
    let row = &bench.get("/app/hook/deliveries", &bench.jwt()).await.body[0];
    assert!(row["installation_id"].is_null() && row["repository_id"].is_null());
    bench.forge.set_webhook_url(None);
    push(&bench, "main").await;
    assert_eq!(bench.forge.deliveries().len(), 1);
}

/// The receiver knows the old secret alone.
#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_signed_with_the_secret_of_now() {
    let bench = Bench::start().await;
    bench.forge.set_webhook_secret("another".into());
    push(&bench, "main").await;
    rows(&bench, 2).await;
    let deliveries = bench.forge.deliveries();
    assert!(deliveries.iter().all(|row| row.outcome.code() == 401));
    bench.forge.set_webhook_secret(SECRET.into());
    bench.forge.redeliver(deliveries[0].id).unwrap();
    rows(&bench, 3).await;
    assert_eq!(bench.forge.deliveries()[0].outcome.code(), 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_may_be_a_form() {
    let bench = Bench::start().await;
    let taken = Arc::new(watch::Sender::new(None));
    let own = Arc::clone(&taken);
    let router = Router::new().route(
        "/webhook",
        post(async move |headers: HeaderMap, body: Bytes| {
            own.send_replace(Some((headers, body)));
        }),
    );
    let config = service::listen::Config::loopback();
    let listener = service::listen::Listener::bind(&config).await.unwrap();
    let url = format!("http://{}/webhook", listener.address());
    let supervisor = Supervisor::new();
    listener.serve(&supervisor, "a receiver of forms", router);
    bench.forge.set_webhook_content_type(ContentType::Form);
    bench.forge.set_webhook_url(Some(url.parse().unwrap()));
    let mut seen = taken.subscribe();
    let came = seen.wait_for(Option::is_some);
    let came = tokio::time::timeout(LIMIT, came).await.unwrap().unwrap();
    let (headers, body) = came.clone().unwrap();
    drop(came);
    assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(&body);
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    assert_eq!(headers["x-hub-signature-256"], signature.as_str());
    let mut pairs = url::form_urlencoded::parse(&body);
    let (name, payload) = pairs.next().unwrap();
    let payload: serde_json::Value = serde_json::from_str(&payload).unwrap();
    assert_eq!((&*name, pairs.next()), ("payload", None));
    assert_eq!(payload["hook"]["config"]["content_type"], "form");
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_and_tags_are_told_of_as_they_come_and_go() {
    let bench = Bench::start_with(|config, _| {
        let events = ["create", "delete"].map(str::to_owned);
        config.app.events.extend(events);
    })
    .await;
    let tree = bench.work_tree("maya").await;
    tree.git(&["tag", "v1"]).await;
    tree.push("main").await;
    for what in ["v1", "HEAD:refs/heads/topic/x", ":topic/x", ":v1"] {
        tree.push(what).await;
    }
    let seen = async |event: &str, count| {
        let hooks = bench.receiver.wait(event, count).await;
        let mut seen: Vec<_> = hooks
            .iter()
            .map(|hook| {
                let text = |field: &str| hook.body[field].as_str().unwrap().to_owned();
                (text("ref_type"), text("ref"))
            })
            .collect();
        seen.sort();
        seen
    };
    let named = |kind: &str, name: &str| (kind.to_owned(), name.to_owned());
    let (topic, tag) = (named("branch", "topic/x"), named("tag", "v1"));
    let made = [named("branch", "main"), topic.clone(), tag.clone()];
    assert_eq!(seen("create", 3).await, made);
    assert_eq!(seen("delete", 2).await, [topic, tag]);
    // One that moves does neither.
    tree.commit("xz/stone.yaml", "name: xz\n", "Add xz").await;
    tree.push("main").await;
    bench.receiver.wait("push", 6).await;
    assert_eq!(seen("create", 3).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_not_sent_at_all() {
    let bench = Bench::start().await;
    // A text of a commit goes into the payload twice.
    let message = "x".repeat(13 << 20);
    let edits = [("file", forge::Edit::Put(b"one".to_vec()))];
    let committed = bench
        .forge
        .commit(REPOSITORY, "maya", "large", &message, &edits);
    committed.await.unwrap();
    push(&bench, "small").await;
    bench.receiver.wait("push", 1).await;
    bench
        .forge
        .wait_for("the end of all webhooks", LIMIT, |forge| {
            (forge.webhooks_in_flight() == 0).then_some(())
        })
        .await
        .unwrap();
    let sent = bench.forge.sent_webhooks();
    let pushes = sent.iter().filter(|event| event.event == "push");
    let refs: Vec<_> = pushes.map(|event| event.payload()["ref"].clone()).collect();
    assert_eq!(refs, ["refs/heads/small"]);
    let rows = bench.forge.deliveries();
    assert_eq!(rows.iter().filter(|row| row.event == "push").count(), 1);
}
