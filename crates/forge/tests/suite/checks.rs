//! The rules of check runs.

use forge::{Conclusion, Refused};
use serde_json::{Value, json};

use crate::bench::{Bench, REPOSITORY};

async fn pushed(bench: &Bench) -> String {
    let tree = bench.work_tree("maya").await;
    tree.push("main").await;
    tree.git(&["rev-parse", "HEAD"]).await
}

fn path(end: &str) -> String {
    format!("/repos/{REPOSITORY}/{end}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_run_lives_once() {
    let bench = Bench::start().await;
    let (sha, token) = (pushed(&bench).await, bench.token().await);
    let run = json!({ "name": "lz4", "head_sha": sha, "external_id": "b-1" });
    let created = bench.post(&path("check-runs"), &token, run).await;
    assert_eq!(
        (created.status, &created.body["status"]),
        (201, &json!("queued"))
    );
    let one = path(&format!("check-runs/{}", created.body["id"]));
    let body = json!({ "status": "in_progress" });
    assert_eq!(
        bench.patch(&one, &token, body).await.body["status"],
        "in_progress"
    );
    let action =
        json!({ "label": "Rebuild", "description": "Builds again", "identifier": "again" });
    let done = json!({
        "conclusion": "failure",
        "output": { "title": "Failed", "summary": "gcc" },
        "actions": [action],
    });
    let body = bench.patch(&one, &token, done).await.body;
    assert_eq!(
        (&body["status"], &body["conclusion"]),
        (&json!("completed"), &json!("failure"))
    );
    let again = json!({
        "status": "queued",
        "output": { "title": "Waiting", "summary": "again" },
    });
    let answer = bench.patch(&one, &token, again).await;
    assert_eq!(
        (answer.status, &answer.body["conclusion"]),
        (200, &json!("failure"))
    );
    assert_eq!(
        answer.body["output"]["title"], "Failed",
        "it is not opened again"
    );

    let id = created.body["id"]
        .as_u64()
        .unwrap()
        .to_string()
        .parse()
        .unwrap();
    let suite = bench.forge.check_runs(REPOSITORY)[0].suite;
    for login in ["rowan", "stranger"] {
        let pressed = [
            bench.forge.rerun(id, login),
            bench.forge.request_action(id, login, "again"),
            bench.forge.rerun_suite(suite, login).await,
        ];
        for refused in pressed {
            assert!(
                matches!(refused, Err(Refused::Forbidden { .. })),
                "{refused:?}"
            );
        }
    }
    bench.forge.rerun(id, "maya").unwrap();
    bench.forge.request_action(id, "maya", "again").unwrap();
    assert!(bench.forge.request_action(id, "maya", "other").is_err());
    let mut actions: Vec<_> = bench
        .receiver
        .wait("check_run", 4)
        .await
        .iter()
        .map(|hook| hook.body["action"].as_str().unwrap().to_owned())
        .collect();
    actions.sort();
    assert_eq!(
        actions,
        ["completed", "created", "requested_action", "rerequested"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lengths_and_states_are_kept() {
    let bench = Bench::start().await;
    let (sha, token) = (pushed(&bench).await, bench.token().await);
    let refused = async |change: Value| {
        let mut run = json!({ "name": "lz4", "head_sha": sha });
        run.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let answer = bench.post(&path("check-runs"), &token, run).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        answer.body["message"].as_str().unwrap().to_owned()
    };
    let mut messages = Vec::new();
    let annotation = |message: &str| {
        json!({
            "path": "a", "start_line": 1, "end_line": 2,
            "annotation_level": "failure", "message": message,
        })
    };
    let output = |more: Value| {
        let mut output = json!({ "title": "t", "summary": "s" });
        output
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({ "output": output })
    };
    let button = |label: &str| json!({ "label": label, "description": "d", "identifier": "i" });
    let mut columns = annotation("m");
    columns["start_column"] = json!(1);
    for change in [
        json!({ "head_sha": "0".repeat(40) }),
        json!({ "head_sha": "main" }),
        json!({ "name": "" }),
        json!({ "output": { "title": "t" } }),
        json!({ "output": { "summary": "s" } }),
        json!({ "status": "completed" }),
        json!({ "status": "sleeping" }),
        json!({ "conclusion": "stale" }),
        json!({ "completed_at": "2026-01-01T00:00:00Z" }),
        json!({ "details_url": "ftp://example.org" }),
        output(json!({ "title": "x".repeat(256) })),
        output(json!({ "summary": "ä".repeat(65_536) })),
        output(json!({ "text": "x".repeat(65_536) })),
        output(json!({ "annotations": vec![annotation("m"); 51] })),
        output(json!({ "annotations": [annotation(&"x".repeat(65_537))] })),
        output(json!({ "annotations": [columns] })),
        json!({ "actions": vec![button("l"); 4] }),
        json!({ "actions": [button(&"x".repeat(21))] }),
    ] {
        messages.push(refused(change).await.replace("Invalid request.\n\n", ""));
    }
    insta::assert_snapshot!(messages.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn annotations_append_and_the_newest_of_a_name_counts() {
    let bench = Bench::start().await;
    let (sha, token) = (pushed(&bench).await, bench.token().await);
    let annotation = json!({
        "path": "lz4/stone.yaml", "start_line": 1, "end_line": 1,
        "annotation_level": "failure", "message": "no",
    });
    let output = json!({
        "title": "t", "summary": "s", "annotations": vec![annotation; 50],
    });
    let first = json!({ "name": "lz4", "head_sha": sha, "output": output });
    let id = bench
        .post(&path("check-runs"), &token, first.clone())
        .await
        .body["id"]
        .clone();
    let body = bench
        .patch(
            &path(&format!("check-runs/{id}")),
            &token,
            json!({ "output": output }),
        )
        .await
        .body;
    assert_eq!(body["output"]["annotations_count"], 100);
    let runs = bench.forge.check_runs(REPOSITORY);
    assert_eq!(runs.last().unwrap().annotations.len(), 100);

    let second = bench.post(&path("check-runs"), &token, first).await.body["id"].clone();
    let list = path(&format!("commits/{sha}/check-runs"));
    let latest = bench.get(&list, &token).await.body;
    assert_eq!(
        (&latest["total_count"], &latest["check_runs"][0]["id"]),
        (&json!(1), &second)
    );
    let all = bench
        .get(&format!("{list}?filter=all&app_id=77"), &token)
        .await
        .body;
    assert_eq!(all["total_count"], 2);
    for query in ["check_name=xz", "app_id=1", "status=completed"] {
        let none = bench.get(&format!("{list}?{query}"), &token).await.body;
        assert_eq!(none["total_count"], 0, "{query}");
    }
    let by_branch = bench
        .get(&path("commits/main/check-runs"), &token)
        .await
        .body;
    assert_eq!(by_branch["total_count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_answer_costs_nothing() {
    let bench = Bench::start().await;
    let token = bench.token().await;
    let url = format!("{}{}", bench.forge.api_url(), path("pulls"));
    let first = bench
        .answer(bench.request(http::Method::GET, &url).bearer_auth(&token))
        .await;
    assert_eq!(first.headers["x-ratelimit-remaining"], "4999");
    let tag = first.headers["etag"].clone();
    let again = bench
        .request(http::Method::GET, &url)
        .bearer_auth(&token)
        .header("if-none-match", tag.clone());
    let again = bench.answer(again).await;
    assert_eq!(again.status, 304);
    assert_eq!(again.headers["x-ratelimit-remaining"], "4999");

    // A tag is good for the token that got it, and for no other of the same installation.
    let other = bench
        .request(http::Method::GET, &url)
        .bearer_auth(bench.token().await)
        .header("if-none-match", tag.clone());
    let other = bench.answer(other).await;
    assert_eq!((other.status, &other.body), (200, &first.body));
    assert_ne!(other.headers["etag"], tag);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suite_ends_with_the_last_of_its_runs() {
    let bench = Bench::start().await;
    let (sha, token) = (pushed(&bench).await, bench.token().await);
    let mut runs = Vec::new();
    for name in ["a", "b"] {
        let run = json!({ "name": name, "head_sha": sha });
        let made = bench.post(&path("check-runs"), &token, run).await.body;
        runs.push(path(&format!("check-runs/{}", made["id"])));
    }
    let end = async |run: &str, conclusion: &str| {
        let body = json!({ "conclusion": conclusion });
        assert_eq!(bench.patch(run, &token, body).await.status, 200);
    };
    end(&runs[0], "failure").await;
    end(&runs[1], "success").await;
    // The newest of a name counts: the suite ends anew.
    let again = json!({ "name": "a", "head_sha": sha });
    let again = bench.post(&path("check-runs"), &token, again).await.body;
    end(&path(&format!("check-runs/{}", again["id"])), "success").await;
    let hooks = bench.receiver.wait("check_suite", 3).await;
    let mut completed: Vec<_> = hooks
        .iter()
        .filter(|hook| hook.body["action"] == "completed")
        .map(|hook| {
            let suite = &hook.body["check_suite"];
            assert_eq!(suite["status"], "completed");
            assert_eq!(suite["head_sha"], sha);
            suite["conclusion"].as_str().unwrap().to_owned()
        })
        .collect();
    completed.sort();
    assert_eq!(completed, ["failure", "success"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_run_turns_stale() {
    let bench = Bench::start().await;
    let (sha, token) = (pushed(&bench).await, bench.token().await);
    let run = json!({ "name": "lz4", "head_sha": sha });
    let made = bench.post(&path("check-runs"), &token, run).await.body;
    let one = path(&format!("check-runs/{}", made["id"]));
    let refused = bench.patch(&one, &token, json!({ "conclusion": "stale" }));
    assert_eq!(refused.await.status, 422, "only GitHub says so");
    let day = std::time::Duration::from_secs(24 * 3600);
    bench.forge.advance_clock(day * 13);
    let status = || bench.forge.check_runs(REPOSITORY)[0].status;
    assert_eq!(status().conclusion(), None);
    bench.forge.advance_clock(day);
    assert_eq!(status().conclusion(), Some(Conclusion::Stale));
}
