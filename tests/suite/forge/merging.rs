//! Pull requests on their way to be merged: drafts, reviews, required checks and queues; and teams.

use anyhow::{Context, Result, ensure};
use forge::{Edit, MergeQueue, OpenPull, Sha, Verdict};
use harness::openapi::OpenApi;
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::{Caller, LIMIT, REPOSITORY, path, the_app};

/// The webhooks that are sent on the way.
const WEBHOOKS: [(&str, &str); 8] = [
    ("pull_request", "converted_to_draft"),
    ("pull_request", "ready_for_review"),
    ("pull_request", "enqueued"),
    ("pull_request", "dequeued"),
    ("merge_group", "checks_requested"),
    ("merge_group", "destroyed"),
    ("pull_request_review", "submitted"),
    ("pull_request_review_comment", "created"),
];

#[tokio::test(flavor = "multi_thread")]
async fn merging_is_as_github_describes_it() -> Result<()> {
    let Some(api) = OpenApi::find()? else {
        return Ok(());
    };
    let caller = Caller::start().await?;
    let token = the_app(&caller).await?;
    caller
        .commit("main", "lz4/stone.yaml", "name: lz4\n")
        .await?;
    caller.forge.fork(REPOSITORY, "rowan").await?;
    let number = drafts(&caller, &token).await?;
    reviews(&caller, &token, number).await?;
    required(&caller, &token, number).await?;
    queued(&caller, &token, number).await?;
    squashed(&caller, &token).await?;
    teams(&caller, &token).await?;
    for wanted in WEBHOOKS {
        let is_it = |event: &forge::Event| {
            (event.event.as_ref(), event.action.as_deref()) == (wanted.0, Some(wanted.1))
        };
        let sent = |forge: &forge::Forge| forge.sent_webhooks().iter().any(is_it).then_some(());
        let what = format!("the webhook {wanted:?}");
        caller.forge.wait_for(&what, LIMIT, sent).await?;
    }
    caller.judge(&api)
}

/// A commit in the fork, and a pull request from there.
async fn open(caller: &Caller, file: &str, draft: bool) -> Result<(u64, Sha)> {
    let (fork, edits) = ("rowan/recipes", [(file, Edit::Put(b"name: x\n".to_vec()))]);
    let written = caller.forge.commit(fork, "rowan", "main", "Add x", &edits);
    let head = written.await?;
    let open = OpenPull {
        repository: REPOSITORY,
        author: "rowan",
        head: "rowan:main",
        base: "main",
        title: "Add x",
        body: None,
        draft,
    };
    Ok((caller.forge.open_pull(open).await?, head))
}

async fn drafts(caller: &Caller, token: &str) -> Result<u64> {
    let forge = &caller.forge;
    let (number, _) = open(caller, "xz/stone.yaml", true).await?;
    forge.mark_ready(REPOSITORY, number, "rowan").await?;
    forge.convert_to_draft(REPOSITORY, number, "rowan").await?;
    // At first it is not known whether it merges.
    for _ in 0..2 {
        caller
            .get(&path(&format!("/pulls/{number}")), token)
            .await?;
    }
    forge.mark_ready(REPOSITORY, number, "rowan").await?;
    Ok(number)
}

async fn reviews(caller: &Caller, token: &str, number: u64) -> Result<()> {
    let forge = &caller.forge;
    forge.review(REPOSITORY, number, "maya", "Good", Verdict::Approve)?;
    let place = ("xz/stone.yaml", 1);
    let comment = forge.comment_on_line(REPOSITORY, number, "maya", place, "Why?");
    comment.await?;
    for end in ["reviews", "comments"] {
        let list = path(&format!("/pulls/{number}/{end}?per_page=5"));
        let rows = caller.get(&list, token).await?;
        ensure!(rows.as_array().is_some_and(|rows| !rows.is_empty()));
    }
    Ok(())
}

async fn merge(caller: &Caller, number: u64, method: &str, status: u16) -> Result<()> {
    let maya = caller.forge.mint_token("maya")?;
    let merge = path(&format!("/pulls/{number}/merge"));
    let body = Some(json!({ "merge_method": method }));
    let put = caller.ask(Method::PUT, &merge, maya.expose_secret(), body, status);
    put.await?;
    Ok(())
}

async fn pass(caller: &Caller, token: &str, sha: &Sha) -> Result<()> {
    let run = json!({ "name": "snekbook", "head_sha": sha, "conclusion": "success" });
    caller.post(&path("/check-runs"), token, run).await?;
    Ok(())
}

async fn required(caller: &Caller, token: &str, number: u64) -> Result<()> {
    let forge = &caller.forge;
    forge.require_app_checks(REPOSITORY, "main", &["snekbook"])?;
    caller.get(&path("/branches/main"), token).await?;
    caller.get(&path("/branches"), token).await?;
    merge(caller, number, "merge", 405).await?;
    caller
        .get(&path(&format!("/pulls/{number}")), token)
        .await?;
    let pull = forge.find_pull(REPOSITORY, number).context("it is there")?;
    pass(caller, token, &pull.head.sha).await
}

async fn queued(caller: &Caller, token: &str, number: u64) -> Result<()> {
    let forge = &caller.forge;
    forge
        .set_merge_queue(REPOSITORY, "main", MergeQueue::On)
        .await?;
    merge(caller, number, "merge", 405).await?;
    forge.enqueue(REPOSITORY, number, "maya").await?;
    forge.dequeue(REPOSITORY, number, "maya").await?;
    forge.enqueue(REPOSITORY, number, "maya").await?;
    let queue = forge.merge_queue(REPOSITORY, "main");
    let group = queue.into_iter().find_map(|queued| queued.group);
    let (_, head) = group.context("a group")?;
    pass(caller, token, &head).await?;
    let is_empty = |forge: &forge::Forge| {
        let queue = forge.merge_queue(REPOSITORY, "main");
        queue.is_empty().then_some(())
    };
    forge.wait_for("the merge", LIMIT, is_empty).await?;
    forge
        .set_merge_queue(REPOSITORY, "main", MergeQueue::Off)
        .await?;
    Ok(forge.require_checks(REPOSITORY, "main", &[])?)
}

async fn squashed(caller: &Caller, token: &str) -> Result<()> {
    let (number, _) = open(caller, "zstd/stone.yaml", false).await?;
    merge(caller, number, "squash", 200).await?;
    caller
        .get(&path(&format!("/pulls/{number}")), token)
        .await?;
    Ok(())
}

async fn teams(caller: &Caller, token: &str) -> Result<()> {
    caller
        .forge
        .create_team("snekbook", "packagers", &["maya"])?;
    let team = "/orgs/snekbook/teams/packagers";
    caller.get(&format!("{team}/members"), token).await?;
    let member = format!("{team}/memberships/maya");
    caller.get(&member, token).await?;
    let other = format!("{team}/memberships/rowan");
    caller.ask(Method::GET, &other, token, None, 404).await?;
    Ok(())
}
