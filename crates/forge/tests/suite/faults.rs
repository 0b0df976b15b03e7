//! Faults from outside: held and failed requests, and the record of what passed.

use forge::{Failure, Point};
use serde_json::json;

use crate::bench::{Bench, LIMIT, REPOSITORY, git};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_held_before_or_after_its_effect() {
    let bench = Bench::start().await;
    let tree = bench.work_tree("maya").await;
    tree.push("main").await;
    let sha = tree.git(&["rev-parse", "HEAD"]).await;
    let token = bench.token().await;
    let path = format!("/repos/{REPOSITORY}/check-runs");
    let run = json!({ "name": "lz4", "head_sha": sha });
    let asked = Point::rest("POST", "/repos/*/*/check-runs");
    for (point, effects) in [(asked.clone(), 0), (asked.clone().done(), 2)] {
        let pause = bench.forge.pause(point);
        let mut call = Box::pin(bench.post(&path, &token, run.clone()));
        tokio::select! {
            answer = &mut call => panic!("not held: {answer:?}"),
            held = pause.held(LIMIT) => held.unwrap(),
        }
        assert_eq!(bench.forge.check_runs(REPOSITORY).len(), effects);
        pause.resume();
        assert_eq!(call.await.status, 201);
    }
    bench
        .forge
        .fail_next(asked.clone().done(), Failure::Status(502));
    assert_eq!(bench.post(&path, &token, run.clone()).await.status, 502);
    assert_eq!(
        bench.forge.check_runs(REPOSITORY).len(),
        3,
        "it happened all the same"
    );
    for status in [403, 429] {
        let failure = Failure::SecondaryLimit {
            status,
            retry_after: 7,
        };
        bench.forge.fail_next(asked.clone(), failure);
        let limited = bench.post(&path, &token, run.clone()).await;
        let after = limited.headers["retry-after"].to_str().unwrap();
        assert_eq!((limited.status, after), (status, "7"));
    }
    let hour = Failure::HourlyLimit { resets_in: 40 };
    bench.forge.fail_next(asked, hour);
    let limited = bench.post(&path, &token, run).await;
    assert_eq!(limited.status, 403);
    assert_eq!(limited.headers["x-ratelimit-remaining"], "0");
    let reset = limited.headers["x-ratelimit-reset"].to_str().unwrap();
    let last = bench.forge.traffic().pop().unwrap();
    let rest = reset.parse::<i64>().unwrap() - last.at.as_second();
    assert!((40..=41).contains(&rest), "{rest}");
    assert_eq!(bench.forge.check_runs(REPOSITORY).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_is_held() {
    let bench = Bench::start().await;
    bench.work_tree("maya").await.push("main").await;
    let url = bench.forge.push_url(REPOSITORY, "rowan").unwrap();
    let pause = bench.forge.pause(Point::upload_pack());
    let arguments = ["clone", "--quiet", url.as_str(), "clone"];
    let mut clone = Box::pin(git(bench.folder.path(), &arguments));
    tokio::select! {
        _ = &mut clone => panic!("not held"),
        held = pause.held(LIMIT) => held.unwrap(),
    }
    drop(pause);
    assert!(clone.await.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_held() {
    let bench = Bench::start().await;
    let pause = bench.forge.pause(Point::webhook("push"));
    bench.work_tree("maya").await.push("main").await;
    pause.held(LIMIT).await.unwrap();
    bench.receiver.wait("check_suite", 1).await;
    assert!(
        bench
            .receiver
            .hooks()
            .iter()
            .all(|hook| hook.event() != "push")
    );
    pause.resume();
    bench.receiver.wait("push", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_kept_without_the_token() {
    let bench = Bench::start().await;
    let token = bench.token().await;
    bench
        .get(&format!("/repos/{REPOSITORY}/pulls?state=all"), &token)
        .await;
    let traffic = bench.forge.traffic();
    let last = traffic.last().unwrap();
    assert_eq!(last.path, "/repos/snekbook/recipes/pulls");
    assert_eq!(last.query.as_deref(), Some("state=all"));
    assert_eq!((last.status, last.response.json()), (200, Some(&json!([]))));
    assert!(!format!("{traffic:?}").contains(&token));
    bench.forge.clear_traffic();
    assert!(bench.forge.traffic().is_empty());
}
