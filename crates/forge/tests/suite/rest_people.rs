//! What people do by REST, with GitHub's statuses. The suite holds the shapes against GitHub's own
//! description.

use http::Method;
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, REPOSITORY};
use crate::forms::with_topic;

fn path(end: &str) -> String {
    format!("/repos/{REPOSITORY}{end}")
}

async fn put(bench: &Bench, end: &str, token: &str, body: Value) -> Answer {
    bench.call(Method::PUT, &path(end), token, Some(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_is_opened_edited_and_merged() {
    let bench = Bench::start().await;
    let head = with_topic(&bench).await;
    let maya = bench.user_token("maya");
    let new = json!({ "title": "A change", "head": "topic", "base": "main", "body": "Why" });
    let made = bench.post(&path("/pulls"), &maya, new.clone()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.body["head"]["sha"], head.as_str());
    let again = bench.post(&path("/pulls"), &maya, new).await;
    assert_eq!(again.status, 422);
    assert_eq!(
        again.body["message"],
        "a pull request already exists for snekbook:topic: it is #1"
    );

    let files = bench.get(&path("/pulls/1/files"), &maya).await.body;
    assert_eq!(files[0]["filename"], "b.txt");
    assert_eq!(files[0]["patch"], "@@ -0,0 +1 @@\n+two");
    let commits = bench.get(&path("/pulls/1/commits"), &maya).await.body;
    assert_eq!(commits[0]["sha"], head.as_str());
    assert_eq!(commits.as_array().unwrap().len(), 1);

    let change = json!({ "title": "A better change", "body": "Because" });
    let changed = bench.patch(&path("/pulls/1"), &maya, change).await;
    assert_eq!(
        (changed.status, &changed.body["body"]),
        (200, &json!("Because"))
    );
    let closed = bench
        .patch(&path("/pulls/1"), &maya, json!({ "state": "closed" }))
        .await;
    assert_eq!(closed.body["state"], "closed");
    let merge = put(&bench, "/pulls/1/merge", &maya, json!({})).await;
    assert_eq!(
        (merge.status, &merge.body["message"]),
        (405, &json!("Pull Request is not mergeable"))
    );
    let opened = bench
        .patch(&path("/pulls/1"), &maya, json!({ "state": "open" }))
        .await;
    assert_eq!(opened.body["state"], "open");

    let stale = json!({ "sha": "0".repeat(40) });
    assert_eq!(
        put(&bench, "/pulls/1/merge", &maya, stale).await.status,
        409
    );
    let other = json!({ "merge_method": "fast-forward" });
    assert_eq!(
        put(&bench, "/pulls/1/merge", &maya, other).await.status,
        422
    );
    let wish = json!({ "sha": head, "commit_title": "Take it", "commit_message": "Now" });
    let merged = put(&bench, "/pulls/1/merge", &maya, wish).await;
    assert_eq!((merged.status, &merged.body["merged"]), (200, &json!(true)));
    let list = bench.get(&path("/commits?per_page=1"), &maya).await;
    assert_eq!(list.body[0]["commit"]["message"], "Take it\n\nNow");
    let link = list.headers["link"].to_str().unwrap();
    assert!(link.contains("per_page=1&page=2>; rel=\"next\""), "{link}");
    assert_eq!(
        put(&bench, "/pulls/1/merge", &maya, json!({})).await.status,
        405,
        "again"
    );
    let reopened = bench
        .patch(&path("/pulls/1"), &maya, json!({ "state": "open" }))
        .await;
    assert_eq!(reopened.status, 422, "merged");

    let hooks = bench.receiver.wait("pull_request", 5).await;
    let edited = hooks
        .iter()
        .find(|hook| hook.body["action"] == "edited")
        .unwrap();
    assert_eq!(
        edited.body["changes"],
        json!({ "title": { "from": "A change" }, "body": { "from": "Why" } })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_opened_is_refused() {
    let bench = Bench::start().await;
    with_topic(&bench).await;
    let maya = bench.user_token("maya");
    for (new, words) in [
        (
            json!({ "title": "x", "head": "absent", "base": "main" }),
            "there is no branch absent",
        ),
        (
            json!({ "title": "x", "head": "topic", "base": "absent" }),
            "there is no branch absent",
        ),
        (
            json!({ "title": "x", "head": "main", "base": "topic" }),
            "no commits between topic and main",
        ),
        (
            json!({ "title": "x", "head": "main", "base": "main" }),
            "no commits between main and main",
        ),
        (
            json!({ "title": " ", "head": "topic", "base": "main" }),
            "title can't be blank",
        ),
        (
            json!({ "head": "topic", "base": "main" }),
            "title can't be blank",
        ),
        (
            json!({ "title": "x", "head": "-x", "base": "main" }),
            "\"-x\" is not a branch: a name that git allows under refs/heads/",
        ),
    ] {
        let answer = bench.post(&path("/pulls"), &maya, new.clone()).await;
        assert_eq!(
            (answer.status, answer.body["message"].as_str().unwrap()),
            (422, words),
            "{new}"
        );
    }
    let absent = json!({ "title": "x", "head": "rowan:main", "base": "main" });
    assert_eq!(bench.post(&path("/pulls"), &maya, absent).await.status, 422);
    let cut = bench.get(&path("/commits?author=maya"), &maya).await;
    assert_eq!(cut.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_are_those_of_the_role() {
    let bench = Bench::start().await;
    with_topic(&bench).await;
    let (maya, rowan, stranger) = (
        bench.user_token("maya"),
        bench.user_token("rowan"),
        bench.user_token("stranger"),
    );
    let new = json!({ "title": "x", "head": "topic", "base": "main" });
    assert_eq!(
        bench
            .post(&path("/pulls"), &stranger, new.clone())
            .await
            .status,
        404
    );
    // A reader may open one, and not from a branch that others push to.
    let refused = bench.post(&path("/pulls"), &rowan, new.clone()).await;
    assert_eq!(
        (refused.status, &refused.body["message"]),
        (403, &json!("Must have push access to repository"))
    );
    assert_eq!(bench.post(&path("/pulls"), &maya, new).await.status, 201);
    for change in [
        json!({ "title": "y" }),
        json!({ "state": "closed" }),
        json!({ "base": "topic" }),
    ] {
        assert_eq!(
            bench.patch(&path("/pulls/1"), &rowan, change).await.status,
            403
        );
    }
    assert_eq!(
        put(&bench, "/pulls/1/merge", &rowan, json!({}))
            .await
            .status,
        403
    );
    assert_eq!(
        put(&bench, "/pulls/1/merge", &stranger, json!({}))
            .await
            .status,
        404
    );
    assert_eq!(
        bench
            .post(&path("/forks"), &stranger, json!({}))
            .await
            .status,
        404
    );

    let fork = bench.post(&path("/forks"), &rowan, json!({})).await;
    assert_eq!(
        (fork.status, &fork.body["full_name"]),
        (202, &json!("rowan/recipes")),
        "{}",
        fork.body
    );
    assert_eq!(fork.body["parent"]["full_name"], REPOSITORY);
    let again = bench.post(&path("/forks"), &rowan, json!({})).await;
    assert_eq!((again.status, &again.body["id"]), (202, &fork.body["id"]));
    let elsewhere = bench
        .post(
            &path("/forks"),
            &rowan,
            json!({ "organization": "snekbook" }),
        )
        .await;
    assert_eq!(elsewhere.status, 422);
    let edits = [("c.txt", forge::Edit::Put(b"three\n".to_vec()))];
    let made = bench
        .forge
        .commit("rowan/recipes", "rowan", "topic", "Write c", &edits);
    made.await.unwrap();
    let new = json!({ "title": "x", "head": "rowan:topic", "base": "main" });
    let opened = bench.post(&path("/pulls"), &rowan, new).await;
    assert_eq!(opened.status, 201, "{}", opened.body);
    let own = bench
        .patch(
            &path("/pulls/2"),
            &rowan,
            json!({ "title": "y", "state": "closed" }),
        )
        .await;
    assert_eq!(
        (own.status, &own.body["state"]),
        (200, &json!("closed")),
        "one's own"
    );

    let shown = bench.get(&path(""), &rowan).await.body;
    assert_eq!(
        shown["permissions"],
        json!({
            "admin": false, "maintain": false, "push": false, "triage": false, "pull": true,
        })
    );
    let branches = bench.get(&path("/branches"), &rowan).await.body;
    let names: Vec<_> = branches
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, ["main", "topic"]);
    let jwt = bench.jwt();
    assert_eq!(
        bench.get("/user", &jwt).await.status,
        403,
        "the App is no person"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_are_asked_for_again() {
    let bench = Bench::start().await;
    let head = with_topic(&bench).await;
    let (maya, rowan) = (bench.user_token("maya"), bench.user_token("rowan"));
    let app = bench.token().await;
    let run = json!({ "name": "b", "head_sha": head });
    let run = bench.post(&path("/check-runs"), &app, run).await.body;
    let again = path(&format!("/check-runs/{}/rerequest", run["id"]));
    assert_eq!(
        bench.post(&again, &maya, json!({})).await.status,
        422,
        "it has not ended"
    );
    let done = json!({ "conclusion": "failure" });
    bench
        .patch(&path(&format!("/check-runs/{}", run["id"])), &app, done)
        .await;
    assert_eq!(bench.post(&again, &rowan, json!({})).await.status, 403);
    assert_eq!(bench.post(&again, &maya, json!({})).await.status, 201);
    assert_eq!(
        bench.post(&again, &app, json!({})).await.status,
        201,
        "its own"
    );
    let suite = path(&format!(
        "/check-suites/{}/rerequest",
        run["check_suite"]["id"]
    ));
    assert_eq!(bench.post(&suite, &rowan, json!({})).await.status, 403);
    assert_eq!(bench.post(&suite, &maya, json!({})).await.status, 201);
    assert_eq!(
        bench
            .post(&path("/check-suites/99/rerequest"), &maya, json!({}))
            .await
            .status,
        404
    );
    let narrow = bench
        .scoped_token(json!({ "permissions": { "checks": "read" } }))
        .await;
    assert_eq!(bench.post(&again, &narrow, json!({})).await.status, 403);

    let hooks = bench.receiver.wait("check_run", 4).await;
    let mut senders: Vec<_> = hooks
        .iter()
        .filter(|hook| hook.body["action"] == "rerequested")
        .map(|hook| hook.body["sender"]["login"].as_str().unwrap().to_owned())
        .collect();
    senders.sort();
    assert_eq!(senders, ["maya", "summit[bot]"]);
    let suites = bench.receiver.wait("check_suite", 3).await;
    assert!(
        suites
            .iter()
            .any(|hook| hook.body["action"] == "rerequested")
    );
}
