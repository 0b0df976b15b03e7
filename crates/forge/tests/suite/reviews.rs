//! Reviews of pull requests and comments at their lines.

use forge::Verdict;
use serde_json::json;

use crate::bench::{Bench, REPOSITORY};
use crate::pulls::{branch_off, open, write};

/// A forge whose App is told of reviews, and the number of a pull request that changes lines.
async fn start() -> (Bench, u64) {
    let bench = Bench::start_with(|config, _| {
        for event in ["pull_request_review", "pull_request_review_comment"] {
            config.app.events.push(event.to_owned());
        }
    });
    let bench = bench.await;
    write(&bench, REPOSITORY, "maya", "main", "a", "one\ntwo\n").await;
    branch_off(&bench, REPOSITORY, "topic").await;
    let text = "one\nthree\nfour\n";
    write(&bench, REPOSITORY, "maya", "topic", "a", text).await;
    let number = bench.forge.open_pull(open("maya", "topic")).await.unwrap();
    (bench, number)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_is_told_and_listed() {
    let (bench, number) = start().await;
    let forge = &bench.forge;
    let head = forge.find_pull(REPOSITORY, number).unwrap().head.sha;
    let review = |by, body, verdict| forge.review(REPOSITORY, number, by, body, verdict);
    let id = review("rowan", "/rebuild", Verdict::RequestChanges).unwrap();
    let hook = &bench.receiver.wait("pull_request_review", 1).await[0].body;
    assert_eq!(hook["action"], "submitted");
    assert_eq!(hook["review"]["id"], id.number());
    assert_eq!(hook["review"]["state"], "changes_requested");
    assert_eq!(hook["review"]["body"], "/rebuild");
    assert_eq!(hook["review"]["commit_id"], head.as_str());
    assert_eq!(hook["pull_request"]["number"], number);
    assert_eq!(hook["sender"]["login"], "rowan");
    review("rowan", "", Verdict::Approve).unwrap();
    let own = review("maya", "Good", Verdict::Approve).unwrap_err();
    assert_eq!(own.to_string(), "pull request 1 is maya's own");
    assert!(review("maya", " ", Verdict::Comment).is_err(), "no text");
    review("maya", "Look", Verdict::Comment).unwrap();

    let list = format!("/repos/{REPOSITORY}/pulls/{number}/reviews");
    let rows = bench.get(&list, &bench.token().await).await.body;
    let states: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (&row["state"], &row["body"]))
        .collect();
    assert_eq!(
        states,
        [
            (&json!("CHANGES_REQUESTED"), &json!("/rebuild")),
            (&json!("APPROVED"), &json!("")),
            (&json!("COMMENTED"), &json!("Look")),
        ]
    );
    let absent = format!("/repos/{REPOSITORY}/pulls/9/reviews");
    assert_eq!(bench.get(&absent, &bench.token().await).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_stands_at_its_line() {
    let (bench, number) = start().await;
    let forge = &bench.forge;
    let comment =
        |line, body| forge.comment_on_line(REPOSITORY, number, "rowan", ("a", line), body);
    let id = comment(3, "Why four?").await.unwrap();
    let missing = comment(9, "?").await.unwrap_err();
    assert_eq!(missing.to_string(), "line 9 of a is not in the difference");
    assert!(comment(3, " ").await.is_err(), "no text");
    let hook = &bench.receiver.wait("pull_request_review_comment", 1).await[0].body;
    let shape = &hook["comment"];
    assert_eq!(
        (&hook["action"], &shape["body"]),
        (&json!("created"), &json!("Why four?"))
    );
    assert_eq!((&shape["path"], &shape["line"]), (&json!("a"), &json!(3)));
    assert_eq!(shape["position"], 4);
    assert_eq!(
        shape["diff_hunk"],
        "@@ -1,2 +1,3 @@\n one\n-two\n+three\n+four"
    );
    let review = &bench.receiver.wait("pull_request_review", 1).await[0].body["review"];
    assert_eq!(
        (&review["state"], &review["body"]),
        (&json!("commented"), &json!(null))
    );
    assert_eq!(shape["pull_request_review_id"], review["id"]);
    assert_eq!(id.number(), 1, "they count apart");
    assert_eq!(comment(2, "And three?").await.unwrap().number(), 2);

    let token = bench.token().await;
    let one = format!("/repos/{REPOSITORY}/pulls/{number}");
    let rows = bench.get(&format!("{one}/comments"), &token).await.body;
    assert_eq!((&rows[0]["id"], &rows[1]["id"]), (&json!(1), &json!(2)));
    let shown = bench.get(&one, &token).await.body;
    assert_eq!(shown["review_comments"], 2);
}
