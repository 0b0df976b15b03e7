//! What keeps a pull request from being merged, and the ways to merge it.

use forge::{MergeMethod, MergePull, Mergeability, Obstacle, OpenPull, PullState, Refused, Sha};
use http::Method;
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, REPOSITORY, git};
use crate::browser::Browser;
use crate::pulls::{branch_off, looked_at_twice, open, write};

fn path(end: &str) -> String {
    format!("/repos/{REPOSITORY}{end}")
}

/// A pull request of one commit: its number and its head.
pub(crate) async fn with_pull(bench: &Bench, branch: &str) -> (u64, Sha) {
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

pub(crate) async fn merge_by_rest(bench: &Bench, number: u64, body: Value) -> Answer {
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
    let shown = looked_at_twice(&bench, number, &maya).await;
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

/// A check run `snekbook` on a commit, ended or not.
pub(crate) async fn checked(bench: &Bench, sha: &Sha, conclusion: Option<&str>) {
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
    looked_at_twice(&bench, number, &token).await;
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

/// What git says in the bare repository.
async fn ask_git(bench: &Bench, arguments: &[&str]) -> String {
    let path = bench.forge.repository_path(REPOSITORY).unwrap();
    let said = git(&path, arguments).await;
    assert!(said.status.success(), "{said:?}");
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

/// A pull request of two commits whose base went on meanwhile: its number and its head.
async fn with_two_commits(bench: &Bench) -> (u64, Sha) {
    let (number, _) = with_pull(bench, "topic").await;
    let head = write(bench, REPOSITORY, "maya", "topic", "c", "1").await;
    write(bench, REPOSITORY, "maya", "main", "a", "2").await;
    (number, head)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_squash_is_one_commit_with_one_parent() {
    let bench = Bench::start().await;
    let (number, _) = with_two_commits(&bench).await;
    let base = ask_git(&bench, &["rev-parse", "main"]).await;
    let one = path(&format!("/pulls/{number}"));
    let token = bench.token().await;
    let before = looked_at_twice(&bench, number, &token).await["merge_commit_sha"].clone();
    let test = ask_git(&bench, &["rev-parse", &format!("refs/pull/{number}/merge")]).await;
    assert_eq!(before, json!(test), "the merge that would be made");

    let answer = merge_by_rest(&bench, number, json!({ "merge_method": "squash" })).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let tip = ask_git(&bench, &["rev-parse", "main"]).await;
    assert_eq!(answer.body["sha"], tip.as_str());
    let parents = ask_git(&bench, &["log", "-1", "--format=%P", "main"]).await;
    assert_eq!(parents, base);
    let said = ask_git(&bench, &["log", "-1", "--format=%B", "main"]).await;
    assert_eq!(said, format!("A change (#{number})\n\nWhy"));
    let files = ask_git(&bench, &["ls-tree", "--name-only", "main"]).await;
    assert_eq!(files, "a\nc\ntopic");
    let after = bench.get(&one, &token).await.body;
    assert_eq!(
        (&after["merged"], &after["merge_commit_sha"]),
        (&json!(true), &json!(tip))
    );
    let closed = |body: &Value| {
        let merged = body["pull_request"]["merge_commit_sha"]
            .as_str()
            .map(str::to_owned);
        merged.filter(|_| body["action"] == "closed")
    };
    bench
        .receiver
        .wait_for_all("pull_request", &[tip], closed)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebase_is_a_new_commit_for_each() {
    let bench = Bench::start().await;
    let (number, head) = with_two_commits(&bench).await;
    let base = ask_git(&bench, &["rev-parse", "main"]).await;
    let mut maya = Browser::signed_in(&bench, "maya").await;
    maya.open(&format!("/{REPOSITORY}/pull/{number}")).await;
    let page = maya.press("Merge", &[("method", "rebase")]).await;
    assert!(page.html.contains("merged it"), "{}", page.html);
    let range = format!("{base}..main");
    let words = ask_git(&bench, &["log", "--format=%s", &range]).await;
    assert_eq!(words, "Write c\nWrite topic");
    let parents = ask_git(&bench, &["log", "--format=%P", &range]).await;
    assert!(
        parents.ends_with(&base) && !parents.contains(' '),
        "{parents}"
    );
    let tip = ask_git(&bench, &["rev-parse", "main"]).await;
    assert_ne!(tip, head.as_str());
    let pull = bench.forge.find_pull(REPOSITORY, number).unwrap();
    let merged = matches!(&pull.state, PullState::Merged { commit, .. } if commit.as_str() == tip);
    assert!(merged, "{:?}", pull.state);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebase_of_what_is_up_to_date_is_new_commits_too() {
    let bench = Bench::start().await;
    let (number, head) = with_pull(&bench, "topic").await;
    let wish = MergePull {
        method: MergeMethod::Rebase,
        ..MergePull::default()
    };
    let merge = bench
        .forge
        .merge_pull_with(REPOSITORY, number, "maya", wish);
    assert_ne!(merge.await.unwrap(), head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fast_forward_makes_no_commit() {
    let bench = Bench::start().await;
    let forge = &bench.forge;
    let (number, head) = with_pull(&bench, "topic").await;
    let (late, _) = with_pull(&bench, "late").await;
    let wish = MergePull {
        method: MergeMethod::FastForward,
        ..MergePull::default()
    };
    let merged = forge
        .merge_pull_with(REPOSITORY, number, "maya", wish)
        .await;
    assert_eq!(merged.unwrap(), head);
    let pull = forge.find_pull(REPOSITORY, number).unwrap();
    assert!(matches!(&pull.state, PullState::Merged { commit, .. } if *commit == head));
    let main = forge.find_branch(REPOSITORY, "main").await.unwrap();
    assert_eq!(main, Some(head));
    let refused = forge.merge_pull_with(REPOSITORY, late, "maya", wish).await;
    let words = "the base of pull request 2 has commits that its head lacks";
    assert_eq!(refused.unwrap_err().to_string(), words);
    assert!(forge.find_pull(REPOSITORY, late).unwrap().is_open());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_method_merges_a_conflict() {
    let bench = Bench::start().await;
    let (number, _) = with_pull(&bench, "topic").await;
    write(&bench, REPOSITORY, "maya", "main", "topic", "2").await;
    let pull = bench.forge.find_pull(REPOSITORY, number).unwrap();
    assert_eq!(pull.mergeable, Mergeability::Conflicting);
    for method in ["merge", "squash", "rebase"] {
        let refused = merge_by_rest(&bench, number, json!({ "merge_method": method })).await;
        assert_eq!(
            (refused.status, &refused.body["message"]),
            (405, &json!("Pull Request is not mergeable"))
        );
    }
}
