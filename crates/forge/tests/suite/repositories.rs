//! Repositories that are deleted, and those that the App is taken out of.

use forge::{Edit, Mode, OpenPull};
use serde_json::{Value, json};

use crate::bench::{Bench, REPOSITORY};

const OTHER: &str = "snekbook/other";

/// A bench with a second repository, whose id it gives.
async fn two() -> (Bench, u64) {
    let bench = Bench::start().await;
    let id = bench.forge.create_repository(OTHER).await.unwrap();
    write(&bench, OTHER, "maya", "main").await;
    (bench, id.number())
}

async fn write(bench: &Bench, repository: &str, login: &str, branch: &str) {
    let edits = [("file", Edit::Put(branch.as_bytes().to_vec()))];
    let committed = bench
        .forge
        .commit(repository, login, branch, "Change", &edits);
    committed.await.unwrap();
}

/// The names and the selection that an installation token lists.
async fn listed(bench: &Bench, token: &str) -> (Vec<String>, Value) {
    let answer = bench.get("/installation/repositories", token).await.body;
    let names = answer["repositories"].as_array().unwrap().iter();
    let names = names.map(|row| row["full_name"].as_str().unwrap().to_owned());
    (names.collect(), answer["repository_selection"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_repository_is_gone_for_everybody() {
    let (bench, id) = two().await;
    let token = bench.token().await;
    let scoped = bench
        .scoped_token(json!({ "repositories": ["other"] }))
        .await;
    let path = bench.forge.repository_path(OTHER).unwrap();
    bench.forge.delete_repository(OTHER, "maya").await.unwrap();

    let hook = bench.receiver.wait("repository", 1).await.remove(0);
    assert_eq!(hook.body["action"], "deleted");
    assert_eq!(hook.body["repository"]["id"], id);
    assert_eq!(hook.body["sender"]["login"], "maya");
    let all = (vec![REPOSITORY.to_owned()], json!("all"));
    assert_eq!(listed(&bench, &token).await, all);
    let branch = format!("/repos/{OTHER}/branches/main");
    for token in [&token, &scoped, &bench.user_token("maya")] {
        assert_eq!(bench.get(&branch, token).await.status, 404);
    }
    let mint = format!(
        "/app/installations/{}/access_tokens",
        bench.installation().await
    );
    let scope = json!({ "repository_ids": [id] });
    let refused = bench.post(&mint, &bench.jwt(), scope).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert!(!path.exists());
    assert!(bench.forge.delete_repository(OTHER, "maya").await.is_err());
    let url = bench.forge.push_url(OTHER, "maya").unwrap();
    let cloned = crate::bench::git(bench.folder.path(), &["ls-remote", &url]).await;
    assert!(!cloned.status.success());

    // One of the same name is another one, with nothing in it.
    let again = bench.forge.create_repository(OTHER).await.unwrap();
    assert_ne!(again.number(), id);
    assert_eq!(bench.forge.find_branch(OTHER, "main").await.unwrap(), None);
    assert!(listed(&bench, &token).await.0.contains(&OTHER.to_owned()));
    assert!(!listed(&bench, &scoped).await.0.contains(&OTHER.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_is_taken_out_of_a_repository_and_put_back() {
    let (bench, id) = two().await;
    let forge = &bench.forge;
    let token = bench.token().await;
    let branch = format!("/repos/{OTHER}/branches/main");
    assert!(forge.put_app_back(OTHER, "maya").is_err(), "it is there");
    forge.remove_app(OTHER, "maya").unwrap();
    assert!(forge.remove_app(OTHER, "maya").is_err(), "it is not there");

    let some = (vec![REPOSITORY.to_owned()], json!("selected"));
    assert_eq!(listed(&bench, &token).await, some);
    assert_eq!(bench.get(&branch, &token).await.status, 404);
    let pushes = bench.receiver.wait("push", 1).await.len();
    write(&bench, OTHER, "maya", "main").await;
    assert!(forge.find_branch(OTHER, "main").await.unwrap().is_some());

    forge.put_app_back(OTHER, "maya").unwrap();
    assert_eq!(bench.get(&branch, &token).await.status, 200);
    assert_eq!(listed(&bench, &token).await.1, "all");
    let hooks = bench.receiver.wait("installation_repositories", 2).await;
    for hook in hooks {
        let body = &hook.body;
        let (field, selection) = match body["action"].as_str().unwrap() {
            "removed" => ("repositories_removed", "selected"),
            _ => ("repositories_added", "all"),
        };
        assert_eq!(body[field][0]["id"], id, "{body}");
        assert_eq!(body["repository_selection"], selection);
        assert_eq!(body["installation"]["repository_selection"], selection);
    }
    // This one is told, and comes after the one that was not.
    write(&bench, OTHER, "maya", "last").await;
    let told = bench.receiver.wait("push", pushes + 1).await;
    assert_eq!(told.len(), pushes + 1);
    assert_eq!(told.last().unwrap().body["ref"], "refs/heads/last");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_can_happen_without_a_word() {
    let (bench, _) = two().await;
    bench.forge.set_webhooks(Mode::Mute);
    bench.forge.remove_app(OTHER, "maya").unwrap();
    bench.forge.put_app_back(OTHER, "maya").unwrap();
    bench.forge.delete_repository(OTHER, "maya").await.unwrap();
    let sent = bench.forge.sent_webhooks();
    let said = sent
        .iter()
        .filter(|event| event.event != "push" && event.event != "check_suite");
    assert_eq!(said.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_stays_as_long_as_a_pull_request_comes_from_it() {
    let bench = Bench::start().await;
    let forge = &bench.forge;
    write(&bench, REPOSITORY, "maya", "main").await;
    let fork = forge.fork(REPOSITORY, "rowan").await.unwrap().to_string();
    write(&bench, &fork, "rowan", "topic").await;
    let open = OpenPull {
        repository: REPOSITORY,
        author: "rowan",
        head: "rowan:topic",
        base: "main",
        title: "A change",
        body: None,
        draft: false,
    };
    let number = forge.open_pull(open).await.unwrap();
    let refused = forge.delete_repository(&fork, "rowan").await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "pull request 1 of snekbook/recipes comes from it"
    );
    forge.close_pull(REPOSITORY, number, "rowan").await.unwrap();
    forge.delete_repository(&fork, "rowan").await.unwrap();
}
