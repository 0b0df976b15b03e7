//! What keeps a pull request from being merged, and the ways to merge it.

use forge::{Obstacle, OpenPull, Refused};
use http::Method;
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, REPOSITORY};
use crate::browser::Browser;
use crate::pulls::{branch_off, open, write};

fn path(end: &str) -> String {
    format!("/repos/{REPOSITORY}{end}")
}

/// A pull request of one commit: its number and its head.
async fn with_pull(bench: &Bench, branch: &str) -> (u64, forge::Sha) {
    if bench
        .forge
        .find_branch(REPOSITORY, "main")
        .await
        .unwrap()
        .is_none()
    {
        write(bench, REPOSITORY, "maya", "main", "a", "1").await;
    }
    branch_off(bench, REPOSITORY, branch).await;
    let head = write(bench, REPOSITORY, "maya", branch, branch, "1").await;
    let number = bench.forge.open_pull(open("maya", branch)).await.unwrap();
    (number, head)
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

async fn checked(bench: &Bench, sha: &forge::Sha, conclusion: Option<&str>) {
    let mut run = json!({ "name": "snekbook", "head_sha": sha });
    if let Some(conclusion) = conclusion {
        run["conclusion"] = json!(conclusion);
    }
    let token = bench.token().await;
    let made = bench.post(&path("/check-runs"), &token, run).await;
    assert_eq!(made.status, 201, "{}", made.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_branch_requires_has_to_pass_on_the_head() {
    let bench = Bench::start().await;
    let forge = &bench.forge;
    let (number, head) = with_pull(&bench, "topic").await;
    forge
        .require_checks(REPOSITORY, "main", &["snekbook"])
        .unwrap();
    let (token, one) = (bench.token().await, path(&format!("/pulls/{number}")));
    // The newest run counts.
    for (runs, standing) in [
        (&[][..], "expected"),
        (&[Some("success"), None], "queued"),
        (&[Some("cancelled")], "failing"),
    ] {
        for conclusion in runs {
            checked(&bench, &head, *conclusion).await;
        }
        let refused = merge_by_rest(&bench, number, json!({})).await;
        let message = format!("Required status check \"snekbook\" is {standing}.");
        assert_eq!(
            (refused.status, &refused.body["message"]),
            (405, &json!(message))
        );
        let refused = forge.merge_pull(REPOSITORY, number, "maya").await;
        assert_eq!(refused.unwrap_err().to_string(), message);
        let shown = bench.get(&one, &token).await.body;
        assert_eq!(
            (&shown["mergeable"], &shown["mergeable_state"]),
            (&json!(true), &json!("blocked"))
        );
    }
    for passed in ["neutral", "skipped", "success"] {
        checked(&bench, &head, Some(passed)).await;
        let shown = bench.get(&one, &token).await.body;
        assert_eq!(shown["mergeable_state"], "clean", "{passed}");
    }
    assert_eq!(merge_by_rest(&bench, number, json!({})).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_says_what_it_requires() {
    let bench = Bench::start().await;
    let forge = &bench.forge;
    let (_, head) = with_pull(&bench, "topic").await;
    let (token, one) = (bench.token().await, path("/branches/main"));
    let required = async || {
        let branch = bench.get(&one, &token).await.body;
        let checks = branch["protection"]["required_status_checks"].clone();
        (branch["protected"].clone(), checks)
    };
    assert_eq!(required().await.0, false);
    for (app, by_app) in [(json!(null), false), (json!(77), true)] {
        if by_app {
            forge.require_app_checks(REPOSITORY, "main", &["snekbook"])
        } else {
            forge.require_checks(REPOSITORY, "main", &["snekbook"])
        }
        .unwrap();
        let (protected, checks) = required().await;
        assert_eq!(protected, true);
        assert_eq!(checks["contexts"], json!(["snekbook"]));
        let wanted = json!([{ "context": "snekbook", "app_id": app }]);
        assert_eq!(checks["checks"], wanted);
    }
    let branches = bench.get(&path("/branches"), &token).await.body;
    assert_eq!(
        (&branches[0]["protected"], &branches[1]["protected"]),
        (&json!(true), &json!(false))
    );
    let git = write(&bench, REPOSITORY, "maya", "main", "c", "1").await;
    assert_ne!(git, head, "pushing is left alone");
    forge.require_checks(REPOSITORY, "main", &[]).unwrap();
    assert_eq!(required().await.0, false);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_refuses_what_is_blocked() {
    let bench = Bench::start().await;
    let (number, _) = with_pull(&bench, "topic").await;
    let mut maya = Browser::signed_in(&bench, "maya").await;
    let page = format!("/{REPOSITORY}/pull/{number}");
    maya.open(&page).await;
    bench
        .forge
        .require_checks(REPOSITORY, "main", &["snekbook"])
        .unwrap();
    let refused = maya.press("Merge", &[]).await;
    assert_eq!(refused.status, 409);
    let words = "Required status check &quot;snekbook&quot; is expected.";
    assert!(refused.html.contains(words), "{}", refused.html);
    let shown = maya.open(&page).await;
    assert!(shown.html.contains("cannot be merged yet"));
    assert!(!shown.has_button("Merge"));
}
