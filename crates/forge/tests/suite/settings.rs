//! Repositories that are renamed, transferred, archived and made public.

use forge::{Edit, Refused, Role, Verdict, Visibility};
use http::Method;
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, REPOSITORY, git};
use crate::pulls::open;

const RENAMED: &str = "snekbook/ports";

async fn write(bench: &Bench, repository: &str, branch: &str) -> Result<(), Refused> {
    let edits = [("file", Edit::Put(branch.as_bytes().to_vec()))];
    let committed = bench
        .forge
        .commit(repository, "maya", branch, "Change", &edits);
    committed.await.map(drop)
}

/// Asks without following a redirection.
async fn ask(bench: &Bench, method: Method, url: &str, token: &str) -> Answer {
    let client = reqwest::Client::builder()
        .no_proxy()
        .user_agent("bench")
        .redirect(reqwest::redirect::Policy::none());
    let request = client.build().unwrap().request(method, url);
    bench
        .answer(request.bearer_auth(token).json(&json!({})))
        .await
}

/// What the last `repository` event says, once there are so many.
async fn told(bench: &Bench, count: usize) -> Value {
    let mut hooks = bench.receiver.wait("repository", count).await;
    hooks.remove(count - 1).body
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_name_leads_to_the_repository_until_it_is_taken() {
    let bench = Bench::start().await;
    let tree = bench.work_tree("maya").await;
    tree.push("main").await;
    let token = bench.token().await;
    let forge = &bench.forge;
    let api = forge.api_url();
    let own = bench
        .get(&format!("/repos/{REPOSITORY}"), &token)
        .await
        .body;
    let id = own["id"].as_u64().unwrap();
    assert!(
        forge
            .rename_repository(REPOSITORY, "maya", "recipes")
            .is_err()
    );
    forge
        .rename_repository(REPOSITORY, "maya", "ports")
        .unwrap();
    let hook = told(&bench, 1).await;
    assert_eq!(hook["action"], "renamed");
    assert_eq!(hook["changes"]["repository"]["name"]["from"], "recipes");
    assert_eq!(hook["repository"]["full_name"], RENAMED);

    let old = format!("{api}/repos/{REPOSITORY}/branches/main?x=1");
    let moved = ask(&bench, Method::GET, &old, &token).await;
    assert_eq!(moved.status, 301, "{}", moved.body);
    assert_eq!(moved.body["message"], "Moved Permanently");
    let place = format!("{api}/repositories/{id}/branches/main?x=1");
    assert_eq!(moved.headers["location"], place.as_str());
    assert_eq!(moved.body["url"], place);
    let found = ask(&bench, Method::GET, &place, &token).await;
    assert_eq!((found.status, &found.body["name"]), (200, &json!("main")));
    let found = ask(
        &bench,
        Method::GET,
        &format!("{api}/repositories/{id}"),
        &token,
    )
    .await;
    assert_eq!(found.body["full_name"], RENAMED);
    let comments = format!("{api}/repos/{REPOSITORY}/check-runs");
    assert_eq!(
        ask(&bench, Method::POST, &comments, &token).await.status,
        307
    );
    let stranger = bench.user_token("stranger");
    assert_eq!(ask(&bench, Method::GET, &old, &stranger).await.status, 404);
    assert_eq!(
        ask(&bench, Method::GET, &place, &stranger).await.status,
        404
    );
    let none = format!("{api}/repositories/99");
    assert_eq!(ask(&bench, Method::GET, &none, &token).await.status, 404);

    // Git goes on under the old name, and under the new one.
    tree.commit("xz/stone.yaml", "name: xz\n", "Add xz").await;
    tree.push("main").await;
    let url = forge.push_url(RENAMED, "rowan").unwrap();
    let listed = git(bench.folder.path(), &["ls-remote", &url, "main"]).await;
    assert!(listed.status.success(), "{listed:?}");

    // Another repository may take the name, and lies elsewhere.
    let other = forge.create_repository(REPOSITORY).await.unwrap().number();
    assert_ne!(other, id);
    forge.set_role(REPOSITORY, "maya", Role::Write).unwrap();
    let url = format!("{api}/repos/{REPOSITORY}");
    assert_eq!(
        ask(&bench, Method::GET, &url, &token).await.body["id"],
        other
    );
    write(&bench, REPOSITORY, "fresh").await.unwrap();
    let url = forge.push_url(REPOSITORY, "maya").unwrap();
    let listed = git(bench.folder.path(), &["ls-remote", &url]).await;
    let text = String::from_utf8(listed.stdout.clone()).unwrap();
    assert!(text.ends_with("refs/heads/fresh\n"), "{listed:?}");
    assert_eq!(forge.find_branch(RENAMED, "fresh").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transferred_repository_goes_to_the_installation_of_its_owner() {
    let bench = Bench::start().await;
    write(&bench, REPOSITORY, "main").await.unwrap();
    let token = bench.token().await;
    let forge = &bench.forge;
    forge.create_organisation("other").unwrap();
    forge
        .transfer_repository(REPOSITORY, "maya", "other")
        .unwrap();
    let hook = told(&bench, 1).await;
    assert_eq!(hook["action"], "transferred");
    let from = &hook["changes"]["owner"]["from"];
    assert_eq!(from["organization"]["login"], "snekbook");
    assert_eq!(hook["repository"]["full_name"], "other/recipes");
    let installation = bench.get("/orgs/other/installation", &bench.jwt()).await;
    assert_eq!(hook["installation"]["id"], installation.body["id"]);
    // The token of the old owner's installation does not see it any more, under no name.
    for path in [
        "/repos/snekbook/recipes",
        "/repos/other/recipes",
        "/repositories/1",
    ] {
        assert_eq!(bench.get(path, &token).await.status, 404, "{path}");
    }
    let maya = bench.user_token("maya");
    let answer = bench.get("/repos/snekbook/recipes", &maya).await;
    assert_eq!(answer.body["full_name"], "other/recipes", "redirected");

    forge
        .transfer_repository("other/recipes", "maya", "rowan")
        .unwrap();
    assert!(!forge.has_app("rowan/recipes"));
    forge.create_repository("other/recipes").await.unwrap();
    assert!(
        forge
            .transfer_repository("other/recipes", "maya", "rowan")
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_repository_takes_no_changes() {
    let bench = Bench::start().await;
    let tree = bench.work_tree("maya").await;
    tree.push("main").await;
    let sha = tree.git(&["rev-parse", "HEAD"]).await;
    write(&bench, REPOSITORY, "draft").await.unwrap();
    let token = bench.token().await;
    let forge = &bench.forge;
    let number = forge.open_pull(open("maya", "draft")).await.unwrap();
    forge.archive_repository(REPOSITORY, "maya").unwrap();
    assert!(forge.archive_repository(REPOSITORY, "maya").is_err());
    let hook = told(&bench, 1).await;
    assert_eq!(
        (&hook["action"], &hook["repository"]["archived"]),
        (&json!("archived"), &json!(true))
    );
    let path = format!("/repos/{REPOSITORY}");
    assert_eq!(bench.get(&path, &token).await.body["archived"], true);
    let run = json!({ "name": "lz4", "head_sha": sha });
    let runs = format!("{path}/check-runs");
    let refused = bench.post(&runs, &token, run.clone()).await;
    assert_eq!(refused.status, 403);
    let said = &refused.body["message"];
    assert_eq!(said, "Repository was archived so is read-only.");
    tree.commit("xz/stone.yaml", "name: xz\n", "Add xz").await;
    let pushed = git(&tree.path, &["push", "origin", "main"]).await;
    assert!(!pushed.status.success());
    assert!(write(&bench, REPOSITORY, "topic").await.is_err());
    let merged = forge.merge_pull(REPOSITORY, number, "maya").await;
    assert!(matches!(merged, Err(Refused::State(_))), "{merged:?}");
    let review = forge.review(REPOSITORY, number, "rowan", "Yes", Verdict::Approve);
    assert!(matches!(review, Err(Refused::State(_))), "{review:?}");
    let comment = format!("{path}/commits/{sha}/comments");
    let maya = bench.user_token("maya");
    let refused = bench.post(&comment, &maya, json!({ "body": "No." })).await;
    assert_eq!(refused.status, 403, "{}", refused.body);

    forge.unarchive_repository(REPOSITORY, "maya").unwrap();
    assert_eq!(told(&bench, 2).await["action"], "unarchived");
    assert_eq!(bench.post(&runs, &token, run).await.status, 201);
    tree.push("main").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_read_what_is_public() {
    let bench = Bench::start().await;
    let forge = &bench.forge;
    let (path, stranger) = (format!("/repos/{REPOSITORY}"), bench.user_token("stranger"));
    assert_eq!(bench.get(&path, &stranger).await.status, 404);
    forge
        .set_visibility(REPOSITORY, "maya", Visibility::Public)
        .unwrap();
    assert!(
        forge
            .set_visibility(REPOSITORY, "maya", Visibility::Public)
            .is_err()
    );
    let hook = told(&bench, 1).await;
    assert_eq!(
        (&hook["action"], &hook["repository"]["private"]),
        (&json!("publicized"), &json!(false))
    );
    let seen = bench.get(&path, &stranger).await.body;
    assert_eq!(
        (&seen["visibility"], &seen["private"]),
        (&json!("public"), &json!(false))
    );
    assert_eq!(seen["permissions"]["push"], false);
    let permission = format!("{path}/collaborators/stranger/permission");
    let permission = bench.get(&permission, &bench.token().await).await.body;
    assert_eq!(permission["permission"], "read");
    forge
        .set_visibility(REPOSITORY, "maya", Visibility::Private)
        .unwrap();
    assert_eq!(told(&bench, 2).await["action"], "privatized");
    assert_eq!(bench.get(&path, &stranger).await.status, 404);
}
