//! What keeps a pull request from being merged, and the ways to merge it.

use forge::{Obstacle, OpenPull, Refused};
use http::Method;
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, REPOSITORY};
use crate::pulls::{branch_off, open, write};

fn path(end: &str) -> String {
    format!("/repos/{REPOSITORY}{end}")
}

async fn merge_by_rest(bench: &Bench, number: u64, body: Value) -> Answer {
    let maya = bench.user_token("maya");
    let merge = path(&format!("/pulls/{number}/merge"));
    bench.call(Method::PUT, &merge, &maya, Some(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_not_merged_until_it_is_ready() {
    let bench = Bench::start().await;
    let forge = &bench.forge;
    write(&bench, REPOSITORY, "maya", "main", "a", "1").await;
    branch_off(&bench, REPOSITORY, "topic").await;
    write(&bench, REPOSITORY, "maya", "topic", "b", "1").await;
    let draft = OpenPull {
        draft: true,
        ..open("maya", "topic")
    };
    let number = forge.open_pull(draft).await.unwrap();
    let opened = &bench.receiver.wait("pull_request", 1).await[0].body;
    assert_eq!(opened["pull_request"]["draft"], true);
    let refused = merge_by_rest(&bench, number, json!({})).await;
    assert_eq!(
        (refused.status, &refused.body["message"]),
        (405, &json!("Pull Request is still a draft"))
    );
    let refused = forge.merge_pull(REPOSITORY, number, "maya").await;
    assert!(matches!(refused, Err(Refused::Blocked(Obstacle::Draft))));
    forge.mark_ready(REPOSITORY, number, "maya").await.unwrap();
    assert!(forge.mark_ready(REPOSITORY, number, "maya").await.is_err());
    forge
        .convert_to_draft(REPOSITORY, number, "maya")
        .await
        .unwrap();
    let maya = bench.user_token("maya");
    let one = path(&format!("/pulls/{number}"));
    let shown = bench.get(&one, &maya).await.body;
    assert_eq!(
        (&shown["draft"], &shown["mergeable_state"]),
        (&json!(true), &json!("draft"))
    );
    forge.mark_ready(REPOSITORY, number, "maya").await.unwrap();
    assert_eq!(merge_by_rest(&bench, number, json!({})).await.status, 200);
    let mut actions: Vec<_> = bench.receiver.wait("pull_request", 5).await;
    actions.retain(|hook| hook.body["action"] == "ready_for_review");
    assert_eq!(actions.len(), 2);
    let is_converted = |body: &Value| body["action"].as_str().map(str::to_owned);
    let wanted = ["converted_to_draft".to_owned(), "closed".to_owned()];
    bench
        .receiver
        .wait_for_all("pull_request", &wanted, is_converted)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_opens_drafts() {
    let bench = Bench::start().await;
    write(&bench, REPOSITORY, "maya", "main", "a", "1").await;
    branch_off(&bench, REPOSITORY, "topic").await;
    write(&bench, REPOSITORY, "maya", "topic", "b", "1").await;
    let maya = bench.user_token("maya");
    let new = json!({ "title": "x", "head": "topic", "base": "main", "draft": true });
    let made = bench.post(&path("/pulls"), &maya, new).await;
    assert_eq!((made.status, &made.body["draft"]), (201, &json!(true)));
}
