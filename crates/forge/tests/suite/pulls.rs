//! Pull requests: from a branch, from a fork, merged, conflicting.

use forge::{Edit, Mergeability, OpenPull, PullState, Sha};

use crate::bench::{Bench, REPOSITORY, git};

/// Commits a file as a person.
pub(crate) async fn write(
    bench: &Bench,
    repository: &str,
    login: &str,
    branch: &str,
    file: &str,
    text: &str,
) -> Sha {
    let edits = [(file, Edit::Put(text.as_bytes().to_vec()))];
    bench
        .forge
        .commit(repository, login, branch, &format!("Write {file}"), &edits)
        .await
        .unwrap()
}

/// Makes a branch of `main`.
pub(crate) async fn branch_off(bench: &Bench, repository: &str, branch: &str) {
    let path = bench.forge.repository_path(repository).unwrap();
    assert!(
        git(&path, &["branch", branch, "main"])
            .await
            .status
            .success()
    );
}

/// A pull request to `main`.
pub(crate) fn open<'text>(author: &'text str, head: &'text str) -> OpenPull<'text> {
    OpenPull {
        repository: REPOSITORY,
        author,
        head,
        base: "main",
        title: "A change",
        body: Some("Why"),
        draft: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_is_opened_moved_and_merged() {
    let bench = Bench::start().await;
    let forge = &bench.forge;
    write(&bench, REPOSITORY, "maya", "main", "a", "1").await;
    branch_off(&bench, REPOSITORY, "topic").await;
    let first = write(&bench, REPOSITORY, "maya", "topic", "b", "1").await;
    let number = forge.open_pull(open("maya", "topic")).await.unwrap();
    let second = write(&bench, REPOSITORY, "maya", "topic", "b", "2").await;
    forge
        .rename_pull(REPOSITORY, number, "maya", "A better change")
        .await
        .unwrap();
    forge.close_pull(REPOSITORY, number, "maya").await.unwrap();
    forge.reopen_pull(REPOSITORY, number, "maya").await.unwrap();
    let merged = forge.merge_pull(REPOSITORY, number, "maya").await.unwrap();

    let hooks = bench.receiver.wait("pull_request", 6).await;
    let mut actions: Vec<_> = hooks
        .iter()
        .map(|hook| hook.body["action"].as_str().unwrap())
        .collect();
    actions.sort_unstable();
    assert_eq!(
        actions,
        [
            "closed",
            "closed",
            "edited",
            "opened",
            "reopened",
            "synchronize"
        ]
    );
    let moved = hooks
        .iter()
        .find(|hook| hook.body["action"] == "synchronize")
        .unwrap();
    assert_eq!(moved.body["before"], first.as_str());
    assert_eq!(moved.body["after"], second.as_str());
    let pull = forge.find_pull(REPOSITORY, number).unwrap();
    assert!(matches!(&pull.state, PullState::Merged { commit, .. } if *commit == merged));
    assert_eq!(
        forge.find_branch(REPOSITORY, "main").await.unwrap(),
        Some(merged.clone())
    );

    let token = bench.token().await;
    let shown = bench
        .get(&format!("/repos/{REPOSITORY}/pulls/{number}"), &token)
        .await
        .body;
    assert_eq!(shown["merged"], true);
    assert_eq!(shown["merge_commit_sha"], merged.as_str());
    assert_eq!(shown["merged_by"]["login"], "maya");
    let list = format!("/repos/{REPOSITORY}/pulls");
    assert_eq!(
        bench
            .get(&list, &token)
            .await
            .body
            .as_array()
            .unwrap()
            .len(),
        0
    );
    for query in [
        "state=closed",
        "state=all&head=snekbook:topic",
        "state=all&base=main",
    ] {
        let rows = bench.get(&format!("{list}?{query}"), &token).await.body;
        assert_eq!(rows.as_array().unwrap().len(), 1, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forks_pull_request_is_fetched_from_the_base() {
    let bench = Bench::start().await;
    let forge = &bench.forge;
    write(&bench, REPOSITORY, "maya", "main", "a", "1").await;
    let fork = forge
        .fork(REPOSITORY, "stranger")
        .await
        .unwrap()
        .to_string();
    let head = write(&bench, &fork, "stranger", "topic", "b", "1").await;
    let number = forge
        .open_pull(open("stranger", "stranger:topic"))
        .await
        .unwrap();
    let hook = &bench.receiver.wait("pull_request", 1).await[0].body;
    assert_eq!(hook["pull_request"]["head"]["repo"]["full_name"], fork);
    assert_eq!(hook["pull_request"]["head"]["repo"]["fork"], true);
    assert_eq!(hook["pull_request"]["head"]["label"], "stranger:topic");

    let url = forge.push_url(REPOSITORY, "rowan").unwrap();
    let spec = format!("refs/pull/{number}/head");
    let output = git(bench.folder.path(), &["ls-remote", &url, &spec]).await;
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .starts_with(head.as_str())
    );
    let token = bench.token().await;
    let spec = format!("refs/pull/{number}/merge");
    let output = git(bench.folder.path(), &["ls-remote", &url, &spec]).await;
    assert!(!output.stdout.is_empty());

    let run = serde_json::json!({ "name": "b", "head_sha": head });
    let path = format!("/repos/{REPOSITORY}/check-runs");
    let run = bench.post(&path, &token, run).await.body;
    assert_eq!(
        run["pull_requests"],
        serde_json::json!([]),
        "as GitHub has it for forks"
    );
    assert_eq!(
        bench
            .get(&format!("/repos/{fork}/pulls"), &token)
            .await
            .status,
        404,
        "not installed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_told_and_not_merged() {
    let bench = Bench::start().await;
    let forge = &bench.forge;
    write(&bench, REPOSITORY, "maya", "main", "a", "1").await;
    branch_off(&bench, REPOSITORY, "topic").await;
    write(&bench, REPOSITORY, "maya", "topic", "a", "2").await;
    let number = forge.open_pull(open("maya", "topic")).await.unwrap();
    let clean = forge.find_pull(REPOSITORY, number).unwrap().mergeable;
    assert!(matches!(clean, Mergeability::Clean(_)));
    write(&bench, REPOSITORY, "maya", "main", "a", "3").await;
    let dirty = forge.find_pull(REPOSITORY, number).unwrap().mergeable;
    assert_eq!(
        dirty,
        Mergeability::Conflicting,
        "looked at again when the base moves"
    );
    let error = forge
        .merge_pull(REPOSITORY, number, "maya")
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "pull request 1 conflicts with its base");
    let token = bench.token().await;
    let shown = looked_at_twice(&bench, number, &token).await;
    assert_eq!(
        (&shown["mergeable"], &shown["mergeable_state"]),
        (&false.into(), &"dirty".into())
    );
    assert_eq!(shown["merge_commit_sha"], serde_json::Value::Null);
}

/// A pull request by REST, where it is not known at first whether it merges.
pub(crate) async fn looked_at_twice(bench: &Bench, number: u64, token: &str) -> serde_json::Value {
    let one = format!("/repos/{REPOSITORY}/pulls/{number}");
    let first = bench.get(&one, token).await.body;
    assert_eq!(
        (&first["mergeable"], &first["mergeable_state"]),
        (&serde_json::Value::Null, &"unknown".into())
    );
    assert_eq!(first["merge_commit_sha"], serde_json::Value::Null);
    bench.get(&one, token).await.body
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_it_merges_is_found_out_once_somebody_asks() {
    let bench = Bench::start().await;
    let forge = &bench.forge;
    write(&bench, REPOSITORY, "maya", "main", "a", "1").await;
    branch_off(&bench, REPOSITORY, "topic").await;
    write(&bench, REPOSITORY, "maya", "topic", "b", "1").await;
    let number = forge.open_pull(open("maya", "topic")).await.unwrap();
    let token = bench.token().await;
    for (branch, file) in [("main", "c"), ("topic", "d")] {
        let shown = looked_at_twice(&bench, number, &token).await;
        assert_eq!(
            (&shown["mergeable"], &shown["mergeable_state"]),
            (&true.into(), &"clean".into())
        );
        assert!(shown["merge_commit_sha"].is_string());
        write(&bench, REPOSITORY, "maya", branch, file, "1").await;
    }
    looked_at_twice(&bench, number, &token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_base_is_where_it_was_when_the_head_changed() {
    let bench = Bench::start().await;
    let forge = &bench.forge;
    let first = write(&bench, REPOSITORY, "maya", "main", "a", "1").await;
    branch_off(&bench, REPOSITORY, "topic").await;
    write(&bench, REPOSITORY, "maya", "topic", "b", "1").await;
    let number = forge.open_pull(open("maya", "topic")).await.unwrap();
    let second = write(&bench, REPOSITORY, "maya", "main", "c", "1").await;
    let base = || forge.find_pull(REPOSITORY, number).unwrap().base;
    assert_eq!((&base().sha, base().tip()), (&first, &second));
    write(&bench, REPOSITORY, "maya", "topic", "d", "1").await;
    assert_eq!((&base().sha, base().tip()), (&second, &second));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_goes_closes_its_pull_request() {
    let bench = Bench::start().await;
    let tree = bench.work_tree("maya").await;
    tree.push("main").await;
    tree.git(&["checkout", "--quiet", "-b", "topic"]).await;
    tree.commit("b", "1", "Add b").await;
    tree.push("topic").await;
    let number = bench.forge.open_pull(open("maya", "topic")).await.unwrap();
    tree.push(":topic").await;
    let pull = bench.forge.find_pull(REPOSITORY, number).unwrap();
    assert!(matches!(pull.state, PullState::Closed { .. }));
}
