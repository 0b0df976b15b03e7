//! Refs by REST.

use http::Method;
use serde_json::{Value, json};

use crate::bench::{Bench, REPOSITORY};
use crate::pulls::write;

fn matching(beginning: &str) -> String {
    format!("/repos/{REPOSITORY}/git/matching-refs/{beginning}")
}

fn names(rows: &Value) -> Vec<&str> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row["ref"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn refs_are_found_by_how_they_begin() {
    let bench = Bench::start().await;
    let token = bench.scoped_token(json!({ "permissions": { "contents": "read" } }));
    let token = token.await;
    let empty = bench.get(&matching("heads/"), &token).await;
    assert_eq!((empty.status, &empty.body), (200, &json!([])));

    let group = "gh-readonly-queue/main/pr-1-0";
    let main = write(&bench, REPOSITORY, "maya", "main", "a", "1").await;
    let head = write(&bench, REPOSITORY, "maya", group, "b", "1").await;
    write(&bench, REPOSITORY, "maya", "mainly", "c", "1").await;
    let groups = matching("heads/gh-readonly-queue/");
    let found = bench.get(&groups, &token).await.body;
    assert_eq!(names(&found), [format!("refs/heads/{group}")]);
    let git = format!("{}/repos/{REPOSITORY}/git", bench.forge.api_url());
    assert_eq!(found[0]["url"], format!("{git}/refs/heads/{group}"));
    let commit = json!({
        "type": "commit",
        "sha": head,
        "url": format!("{git}/commits/{head}"),
    });
    assert_eq!(found[0]["object"], commit);
    assert!(found[0]["node_id"].is_string());
    let found = bench.get(&matching("heads/main"), &token).await.body;
    assert_eq!(names(&found), ["refs/heads/main", "refs/heads/mainly"]);
    assert_eq!(found[0]["object"]["sha"], main.as_str());
    let none = bench.get(&matching("heads/absent"), &token).await;
    assert_eq!((none.status, &none.body), (200, &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_annotated_tag_is_told_from_a_commit() {
    let bench = Bench::start().await;
    let tree = bench.work_tree("maya").await;
    tree.push("main").await;
    tree.git(&["tag", "light"]).await;
    tree.git(&["tag", "-a", "-m", "Heavy", "heavy"]).await;
    tree.push("--tags").await;
    let token = bench.token().await;
    let found = bench.get(&matching("tags/"), &token).await.body;
    assert_eq!(names(&found), ["refs/tags/heavy", "refs/tags/light"]);
    for (row, kind, name) in [(0, "tag", "heavy"), (1, "commit", "light")] {
        let object = &found[row]["object"];
        assert_eq!(object["type"], kind);
        let sha = tree.git(&["rev-parse", name]).await;
        assert_eq!(object["sha"], sha);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refs_that_are_the_same_cost_nothing_and_need_the_permission() {
    let bench = Bench::start().await;
    write(&bench, REPOSITORY, "maya", "main", "a", "1").await;
    let token = bench.token().await;
    let url = format!("{}{}", bench.forge.api_url(), matching("heads/"));
    let ask = || bench.request(Method::GET, &url).bearer_auth(&token);
    let first = bench.answer(ask()).await;
    let tag = first.headers["etag"].clone();
    let again = ask().header("if-none-match", tag.clone());
    assert_eq!(bench.answer(again).await.status, 304);
    write(&bench, REPOSITORY, "maya", "topic", "b", "1").await;
    let again = ask().header("if-none-match", tag);
    assert_eq!(bench.answer(again).await.status, 200);

    let blind = bench.scoped_token(json!({ "permissions": { "checks": "read" } }));
    let refused = bench.get(&matching("heads/"), &blind.await).await;
    assert_eq!(refused.status, 403);
    let stranger = bench.user_token("stranger");
    let refused = bench.get(&matching("heads/"), &stranger).await;
    assert_eq!(refused.status, 404);
}
