//! Faults from outside: held and failed requests, and the record of what passed.

use std::time::Duration;

use forge::config::{SecondaryLimits, Wait};
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
            retry_after: Some(7),
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
async fn a_limit_may_not_say_for_how_long() {
    let bench = Bench::start().await;
    let token = bench.token().await;
    let failure = Failure::SecondaryLimit {
        status: 429,
        retry_after: None,
    };
    bench.forge.fail_next(Point::all_rest(), failure);
    let limited = bench.get("/installation/repositories", &token).await;
    assert_eq!(limited.status, 429);
    assert!(!limited.headers.contains_key("retry-after"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_too_much_waits() {
    let bench = Bench::start().await;
    let tree = bench.work_tree("maya").await;
    tree.push("main").await;
    let sha = tree.git(&["rev-parse", "HEAD"]).await;
    let token = bench.token().await;
    bench.forge.set_secondary_limits(Some(SecondaryLimits {
        status: 403,
        retry_after: Wait::Named,
    }));
    let path = format!("/repos/{REPOSITORY}/commits/{sha}/comments");
    let comment = async || {
        let body = json!({ "body": "Built." });
        bench.post(&path, &token, body).await
    };
    for _ in 0..80 {
        assert_eq!(comment().await.status, 201);
    }
    let refused = comment().await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    let message = refused.body["message"].as_str().unwrap();
    assert!(message.contains("secondary rate limit"), "{message}");
    let wait = refused.headers["retry-after"].to_str().unwrap();
    let wait = Duration::from_secs(wait.parse().unwrap());
    assert!(wait <= Duration::from_secs(60), "{wait:?}");
    assert_eq!(bench.forge.comments(REPOSITORY).len(), 80);
    assert_eq!(
        bench.get("/installation/repositories", &token).await.status,
        200
    );
    bench.forge.advance_clock(wait);
    assert_eq!(comment().await.status, 201);
    bench.forge.set_secondary_limits(None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_goes_on_until_it_ends() {
    let bench = Bench::start().await;
    let token = bench.token().await;
    let list = "/installation/repositories";
    let outage = bench
        .forge
        .fail_all(Point::all_rest(), Failure::Status(503));
    for path in [list, "/orgs/snekbook/installation", list] {
        assert_eq!(bench.get(path, &token).await.status, 503, "{path}");
    }
    outage.met(3, LIMIT).await.unwrap();
    // Git is not REST.
    bench.work_tree("maya").await.push("main").await;
    assert_eq!(outage.count(), 3);
    outage.end();
    assert_eq!(bench.get(list, &token).await.status, 200);

    let point = Point::rest("GET", list);
    bench.forge.fail_times(&point, Failure::Status(502), 2);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(bench.get(list, &token).await.status);
    }
    assert_eq!(statuses, [502, 502, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_ends_in_the_middle_of_a_body() {
    let bench = Bench::start().await;
    let tree = bench.work_tree("maya").await;
    tree.push("main").await;
    let sha = tree.git(&["rev-parse", "HEAD"]).await;
    let token = bench.token().await;
    let url = format!("{}/repos/{REPOSITORY}/check-runs", bench.forge.api_url());
    let point = Point::rest("POST", "/repos/*/*/check-runs");
    for (point, status, effects) in [(point.clone(), 502, 0), (point.done(), 201, 1)] {
        bench.forge.fail_next(point, Failure::Reset);
        let request = bench
            .request(http::Method::POST, &url)
            .bearer_auth(&token)
            .json(&json!({ "name": "lz4", "head_sha": sha }));
        let read = async { request.send().await?.bytes().await };
        let error = read.await.unwrap_err();
        assert!(!error.is_timeout(), "{error:?}");
        assert_eq!(bench.forge.check_runs(REPOSITORY).len(), effects);
        let last = bench.forge.traffic().pop().unwrap();
        assert_eq!(last.status, status);
    }
}

/// The answer is the same, and comes later than a client waits.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_slow() {
    let bench = Bench::start().await;
    let token = bench.token().await;
    let list = "/installation/repositories";
    let slow = Failure::Slow(Duration::from_secs(3600));
    bench.forge.fail_next(Point::rest("GET", list), slow);
    let url = format!("{}{list}", bench.forge.api_url());
    let impatient = bench
        .request(http::Method::GET, &url)
        .bearer_auth(&token)
        .timeout(Duration::from_millis(200));
    assert!(impatient.send().await.unwrap_err().is_timeout());
    let short = Failure::Slow(Duration::from_millis(1));
    bench.forge.fail_next(Point::rest("GET", list), short);
    assert_eq!(bench.get(list, &token).await.status, 200);
    assert_eq!(bench.forge.armed_failures(), []);
}

/// What a caller that pages does not see: the row that moved from the second page to the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_goes_between_two_pages() {
    let bench = Bench::start().await;
    for name in ["snekbook/a", "snekbook/b"] {
        bench.forge.create_repository(name).await.unwrap();
    }
    let token = bench.token().await;
    let list = "/installation/repositories?per_page=2";
    let names = |answer: &serde_json::Value| -> Vec<String> {
        let rows = answer["repositories"].as_array().unwrap().iter();
        rows.map(|row| row["full_name"].as_str().unwrap().to_owned())
            .collect()
    };
    let point = Point::rest("GET", "/installation/repositories").with_query("page", "2");
    let pause = bench.forge.pause(point);
    let first = bench.get(&format!("{list}&page=1"), &token).await.body;
    assert_eq!(names(&first), [REPOSITORY, "snekbook/a"]);
    assert_eq!(first["total_count"], 3);
    let page = format!("{list}&page=2");
    let mut second = Box::pin(bench.get(&page, &token));
    tokio::select! {
        answer = &mut second => panic!("not held: {answer:?}"),
        held = pause.held(LIMIT) => held.unwrap(),
    }
    bench.forge.remove_app(REPOSITORY, "maya").unwrap();
    pause.resume();
    let second = second.await.body;
    assert_eq!(names(&second), [""; 0], "b is on the first page now");
    assert_eq!(second["total_count"], 2);
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
