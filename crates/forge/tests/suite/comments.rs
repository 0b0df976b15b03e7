//! Comments and reactions.

use forge::{CommentId, CommentKind, Content, Edit, OpenPull, Role, Subject};
use serde_json::json;

use crate::bench::{Bench, REPOSITORY};

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_is_told_of_and_answered() {
    let bench = Bench::start().await;
    let put = |text: &str| Edit::Put(text.as_bytes().to_vec());
    let forge = &bench.forge;
    forge
        .commit(REPOSITORY, "maya", "main", "One", &[("a", put("1"))])
        .await
        .unwrap();
    let tip = forge
        .find_branch(REPOSITORY, "main")
        .await
        .unwrap()
        .unwrap();
    let path = forge.repository_path(REPOSITORY).unwrap();
    crate::bench::git(&path, &["branch", "topic", "main"]).await;
    let head = forge
        .commit(REPOSITORY, "maya", "topic", "Two", &[("b", put("2"))])
        .await
        .unwrap();
    let open = OpenPull {
        repository: REPOSITORY,
        author: "maya",
        head: "topic",
        base: "main",
        title: "Add b",
        body: None,
        draft: false,
    };
    let number = forge.open_pull(open).await.unwrap();
    let id = forge
        .comment_on_pull(REPOSITORY, number, "rowan", "/rebuild")
        .unwrap();
    let hook = &bench.receiver.wait("issue_comment", 1).await[0].body;
    assert_eq!(hook["comment"]["body"], "/rebuild");
    assert_eq!(hook["comment"]["user"]["login"], "rowan");
    assert_eq!(hook["issue"]["number"], number);
    assert!(hook["issue"]["pull_request"].is_object());

    let token = bench.token().await;
    let react = format!("/repos/{REPOSITORY}/issues/comments/{id}/reactions");
    let first = bench
        .post(&react, &token, json!({ "content": "eyes" }))
        .await;
    let second = bench
        .post(&react, &token, json!({ "content": "eyes" }))
        .await;
    assert_eq!((first.status, second.status), (201, 200));
    assert_eq!(
        bench
            .post(&react, &token, json!({ "content": "yawn" }))
            .await
            .status,
        422
    );
    assert_eq!(
        forge.find_comment(id).unwrap().reactions[0].content,
        Content::Eyes
    );

    let write = format!("/repos/{REPOSITORY}/issues/{number}/comments");
    let mine = bench.post(&write, &token, json!({ "body": "No." })).await;
    assert_eq!(mine.body["user"]["login"], "summit[bot]");
    assert_eq!(mine.body["user"]["type"], "Bot");
    assert_eq!(
        bench
            .post(&write, &token, json!({ "body": " " }))
            .await
            .status,
        422
    );
    assert_eq!(
        bench
            .get(&write, &token)
            .await
            .body
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let on_commit = forge
        .comment_on_commit(REPOSITORY, &head, "maya", "/rebuild")
        .await
        .unwrap();
    let hook = &bench.receiver.wait("commit_comment", 1).await[0].body;
    assert_eq!(hook["comment"]["commit_id"], head.as_str());
    let react = format!("/repos/{REPOSITORY}/comments/{on_commit}/reactions");
    assert_eq!(
        bench
            .post(&react, &token, json!({ "content": "+1" }))
            .await
            .status,
        201
    );
    let path = format!("/repos/{REPOSITORY}/commits/{tip}/comments");
    assert_eq!(
        bench
            .post(&path, &token, json!({ "body": "Built." }))
            .await
            .status,
        201
    );
    let is_commit = |subject: &Subject| matches!(subject, Subject::Commit { .. });
    let count = forge
        .comments(REPOSITORY)
        .iter()
        .filter(|comment| is_commit(&comment.subject))
        .count();
    assert_eq!(count, 2);
    // The first of each kind has the number 1, and is another comment.
    assert_eq!((id.number(), on_commit.number()), (1, 1));
    assert_eq!(
        (id.kind(), on_commit.kind()),
        (CommentKind::Issue, CommentKind::Commit)
    );
    let of = |id| forge.find_comment(id).unwrap().reactions.len();
    let before = (of(id), of(on_commit));
    let cross = format!("/repos/{REPOSITORY}/issues/comments/{on_commit}/reactions");
    let answer = bench.post(&cross, &token, json!({ "content": "+1" })).await;
    assert_eq!(answer.status, 201);
    assert_eq!((of(id), of(on_commit)), (before.0 + 1, before.1));
    let third = CommentId::new(CommentKind::Commit, 3);
    assert!(forge.find_comment(third).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_is_edited_and_deleted() {
    let bench = Bench::start().await;
    let head = crate::forms::with_topic(&bench).await;
    let forge = &bench.forge;
    let open = OpenPull {
        repository: REPOSITORY,
        author: "maya",
        head: "topic",
        base: "main",
        title: "A change",
        body: None,
        draft: false,
    };
    let number = forge.open_pull(open).await.unwrap();
    let comment = |text: &str| forge.comment_on_pull(REPOSITORY, number, "rowan", text);
    let id = comment("Hello").unwrap();
    let path = format!("/repos/{REPOSITORY}/issues/comments/{id}");
    let (rowan, maya) = (bench.user_token("rowan"), bench.user_token("maya"));
    forge.create_user("kim").unwrap();
    forge.set_role(REPOSITORY, "kim", Role::Read).unwrap();
    let kim = bench.user_token("kim");
    let text = |body: &str| json!({ "body": body });
    assert_eq!(bench.patch(&path, &kim, text("No")).await.status, 403);
    assert_eq!(bench.patch(&path, &rowan, text(" ")).await.status, 422);
    let edited = bench.patch(&path, &rowan, text("/rebuild")).await;
    assert_eq!(
        (edited.status, &edited.body["body"]),
        (200, &json!("/rebuild"))
    );
    assert_eq!(bench.get(&path, &kim).await.body, edited.body);
    forge.edit_comment(id, "maya", "/cancel").unwrap();
    let removed = bench.call(http::Method::DELETE, &path, &maya, None).await;
    assert_eq!(removed.status, 204, "{}", removed.body);
    assert_eq!(bench.get(&path, &kim).await.status, 404);
    assert!(forge.delete_comment(id, "maya").is_err());
    let next = comment("Again").unwrap();
    assert!(next > id, "a number is not given twice");

    let mut seen = Vec::new();
    for hook in bench.receiver.wait("issue_comment", 5).await {
        let body = hook.body;
        seen.push((
            body["action"].as_str().unwrap().to_owned(),
            body["comment"]["body"].as_str().unwrap().to_owned(),
            body["changes"]["body"]["from"].as_str().map(str::to_owned),
            body["sender"]["login"].as_str().unwrap().to_owned(),
        ));
    }
    seen.sort();
    insta::assert_debug_snapshot!(seen);

    // Of a comment on a commit nobody is told but that it was written.
    let on_commit = forge
        .comment_on_commit(REPOSITORY, &head, "maya", "Hello")
        .await
        .unwrap();
    forge.edit_comment(on_commit, "maya", "Hi").unwrap();
    assert_eq!(forge.find_comment(on_commit).unwrap().body, "Hi");
    forge.delete_comment(on_commit, "maya").unwrap();
    let last = forge.comment_on_commit(REPOSITORY, &head, "maya", "Last");
    last.await.unwrap();
    let hooks = bench.receiver.wait("commit_comment", 2).await;
    assert!(hooks.iter().all(|hook| hook.body["action"] == "created"));
}
