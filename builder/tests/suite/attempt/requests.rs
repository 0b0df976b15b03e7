//! What is asked over HTTP, rightly and wrongly.

use api::attempt::{Phase, Reason, State};
use api::claims::Scope;
use api::host::{Lookup, LookupAnswer};
use api::problem::Code;
use axum::http::StatusCode;
use bytes::Bytes;
use futures_util::StreamExt as _;
use reqwest::Method;
use service::client::CallError;

use super::bench::{Bench, fetch, path};
use super::{endless, failure, new_id};

#[tokio::test]
async fn the_same_order_again_is_the_same_attempt_and_another_is_a_conflict() {
    let bench = Bench::new().await;
    let mut order = endless(&bench, "recipes");
    order.git_ref = "refs/heads/absent".to_owned();
    order.commit = "0123456789012345678901234567890123456789".parse().unwrap();
    let id = new_id();
    let (first, second) = tokio::join!(bench.order(id, &order), bench.order(id, &order));
    assert_eq!(first.unwrap().id, second.unwrap().id);
    let failure = failure(bench.until(id, State::is_final).await.state);
    assert_eq!(
        (failure.phase, failure.reason),
        (Phase::Clone, Reason::CloneFailed)
    );
    let again = bench.order(id, &order).await.unwrap();
    assert!(again.state.is_final());
    order.build_release = 2;
    let refused = bench.order(id, &order).await.unwrap_err();
    assert_eq!(refused.find_status(), Some(409), "{refused}");
    bench.end().await;
}

#[tokio::test]
async fn what_is_no_request_is_answered_and_nothing_happens() {
    let bench = Bench::new().await;
    let send = |method, scope, path: String, body: &'static str| {
        let client = bench.client.clone();
        async move { client.send(method, scope, &path, Bytes::from(body)).await }
    };
    let id = path(new_id());
    let cases = [
        (
            send(Method::PUT, Scope::Attempts, id.clone(), "no json").await,
            Code::Malformed,
        ),
        (
            send(Method::PUT, Scope::Attempts, id.clone(), "{\"extra\": 1}").await,
            Code::Malformed,
        ),
        (
            send(
                Method::GET,
                Scope::Attempts,
                "api/v1/attempts/x".to_owned(),
                "",
            )
            .await,
            Code::Malformed,
        ),
        (
            send(Method::GET, Scope::Attempts, id.clone(), "").await,
            Code::NotFound,
        ),
        (
            send(Method::GET, Scope::Attempts, format!("{id}/log"), "").await,
            Code::NotFound,
        ),
        (
            send(Method::GET, Scope::Attempts, format!("{id}?after=x"), "").await,
            Code::Malformed,
        ),
        (
            send(Method::GET, Scope::Status, id.clone(), "").await,
            Code::Forbidden,
        ),
    ];
    for (answer, expected) in cases {
        match answer {
            Err(CallError::Refused { problem, .. }) => assert_eq!(problem.code, expected),
            other => panic!("{other:?} instead of {expected}"),
        }
    }
    let health = bench.running.public_url.join("health").unwrap();
    assert_eq!(fetch(&health).await, (StatusCode::OK, b"ok\n".to_vec()));
    let above = bench
        .running
        .public_url
        .join("assets/..%2fdatabase%2fdata.mdb")
        .unwrap();
    assert_eq!(fetch(&above).await.0, StatusCode::NOT_FOUND);
    let status = bench.status().await;
    assert!(status.looked_at.is_some());
    assert!(status.database.used_bytes > 0);
    assert!(status.database.used_bytes < status.database.map_bytes);
    let lookup = Lookup {
        dependencies: vec!["make".to_owned(), "absent".to_owned()],
    };
    let answer: LookupAnswer = bench
        .client
        .post(Scope::Status, "api/v1/host/lookup", &lookup)
        .await
        .unwrap();
    assert_eq!(answer.missing, ["absent"]);
    assert_eq!(answer.host, status.host);
    bench.end().await;
}

#[tokio::test]
async fn the_log_is_followed_as_events() {
    let bench = Bench::new().await;
    let order = endless(&bench, "recipes");
    let id = new_id();
    bench.order(id, &order).await.unwrap();
    let follow = format!("{}/log/events", path(id));
    let answer = bench
        .client
        .send(Method::GET, Scope::Attempts, &follow, Bytes::new())
        .await
        .unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut events = answer.bytes_stream();
    let mut text = String::new();
    let mut cancelled = false;
    while let Some(bytes) = events.next().await {
        text.push_str(std::str::from_utf8(&bytes.unwrap()).unwrap());
        if text.contains("+ echo up") && !cancelled {
            let _: api::attempt::Attempt = bench
                .client
                .delete(Scope::Attempts, &path(id))
                .await
                .unwrap();
            cancelled = true;
        }
    }
    let log = bench.log(id).await;
    let followed: String = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "complete")
        .map(|data| serde_json::from_str::<String>(data).unwrap())
        .collect();
    assert_eq!(followed, log);
    let end = format!("id: {}\nevent: end\ndata: complete", log.len());
    assert!(text.trim_end().ends_with(&end), "{text}");
    bench.end().await;
}
