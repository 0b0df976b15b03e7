//! Installations that are suspended, taken away and put back.

use forge::Edit;
use http::Method;
use serde_json::json;

use crate::bench::{Answer, Bench, LIMIT, REPOSITORY, git};

const ORGANISATION: &str = "snekbook";
const OWN: &str = "/orgs/snekbook/installation";

async fn mint(bench: &Bench, installation: u64) -> Answer {
    let path = format!("/app/installations/{installation}/access_tokens");
    let scope = Some(json!({}));
    bench.call(Method::POST, &path, &bench.jwt(), scope).await
}

async fn push(bench: &Bench, branch: &str) {
    let edits = [("file", Edit::Put(branch.as_bytes().to_vec()))];
    let committed = bench
        .forge
        .commit(REPOSITORY, "maya", branch, "Change", &edits);
    committed.await.unwrap();
}

/// The actions of the `installation` events that came, once there are so many.
async fn told(bench: &Bench, count: usize) -> Vec<String> {
    let hooks = bench.receiver.wait("installation", count).await;
    let actions = hooks
        .iter()
        .map(|hook| hook.body["action"].as_str().unwrap().to_owned());
    actions.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_installation_is_refused_everything() {
    let bench = Bench::start().await;
    push(&bench, "main").await;
    let (token, id) = (bench.token().await, bench.installation().await);
    let forge = &bench.forge;
    assert!(forge.unsuspend_installation(ORGANISATION, "maya").is_err());
    forge.suspend_installation(ORGANISATION, "maya").unwrap();
    assert!(forge.suspend_installation(ORGANISATION, "maya").is_err());
    assert_eq!(told(&bench, 1).await, ["suspend"]);

    let own = bench.get(OWN, &bench.jwt()).await.body;
    assert_eq!(own["suspended_by"]["login"], "maya");
    assert!(own["suspended_at"].is_string(), "{own}");
    let repositories = "/installation/repositories";
    let branch = format!("/repos/{REPOSITORY}/branches/main");
    for refused in [
        mint(&bench, id).await,
        bench.get(repositories, &token).await,
        bench.get(&branch, &token).await,
    ] {
        assert_eq!(refused.status, 403, "{}", refused.body);
        let message = &refused.body["message"];
        assert_eq!(message, "This installation has been suspended");
    }
    let url = forge.clone_url(REPOSITORY);
    let url = url.replace("://", &format!("://x-access-token:{token}@"));
    let listed = git(bench.folder.path(), &["ls-remote", &url]).await;
    let said = String::from_utf8_lossy(&listed.stderr).into_owned();
    assert!(said.contains("has been suspended"), "{said}");

    // Nobody is told of what happens meanwhile.
    let before = forge.sent_webhooks().len();
    push(&bench, "quiet").await;
    forge
        .wait_for("the end of all webhooks", LIMIT, |forge| {
            (forge.webhooks_in_flight() == 0).then_some(())
        })
        .await
        .unwrap();
    assert_eq!(forge.sent_webhooks().len(), before);

    forge.unsuspend_installation(ORGANISATION, "rowan").unwrap();
    assert_eq!(told(&bench, 2).await[1], "unsuspend");
    assert_eq!(bench.get(repositories, &token).await.status, 200);
    assert_eq!(mint(&bench, id).await.status, 201);
    let own = bench.get(OWN, &bench.jwt()).await.body;
    assert!(own["suspended_by"].is_null() && own["suspended_at"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_installation_is_gone_and_comes_back_as_another() {
    let bench = Bench::start().await;
    let (token, id) = (bench.token().await, bench.installation().await);
    let forge = &bench.forge;
    assert!(forge.reinstall_app(ORGANISATION, "maya").is_err());
    forge.remove_app(REPOSITORY, "maya").unwrap();
    forge.uninstall_app(ORGANISATION, "maya").unwrap();
    assert!(forge.uninstall_app(ORGANISATION, "maya").is_err());
    assert!(forge.suspend_installation(ORGANISATION, "maya").is_err());
    assert_eq!(told(&bench, 1).await, ["deleted"]);
    assert!(!forge.has_app(REPOSITORY));
    assert_eq!(bench.get(OWN, &bench.jwt()).await.status, 404);
    assert_eq!(mint(&bench, id).await.status, 404);
    let listed = bench.get("/installation/repositories", &token).await;
    assert_eq!(listed.status, 401, "{}", listed.body);

    let other = forge.reinstall_app(ORGANISATION, "maya").unwrap().number();
    assert_eq!(bench.installation().await, other);
    assert_ne!(other, id);
    let hook = bench.receiver.wait("installation", 2).await.remove(1);
    assert_eq!(hook.body["action"], "created");
    assert_eq!(hook.body["installation"]["id"], other);
    assert_eq!(hook.body["repositories"][0]["full_name"], REPOSITORY);
    assert_eq!(mint(&bench, id).await.status, 404);
    let token = bench.token().await;
    let listed = bench.get("/installation/repositories", &token).await;
    assert_eq!(listed.body["total_count"], 1);
}
