//! The App's JWTs and installation tokens.

use std::time::Duration;

use serde_json::json;

use crate::bench::{Bench, REPOSITORY, jwt};

/// What the App asks for itself.
const APP: &str = "/orgs/snekbook/installation";

#[tokio::test(flavor = "multi_thread")]
async fn a_jwt_must_be_the_apps_and_of_its_time() {
    let bench = Bench::start().await;
    let now = jiff::Timestamp::now().as_second();
    let try_one = async |claims: serde_json::Value| bench.get(APP, &jwt(&claims)).await;
    let good = try_one(json!({ "iss": 77, "iat": now - 60, "exp": now + 600 - 5 })).await;
    assert_eq!(
        (good.status, &good.body["app_slug"]),
        (200, &json!("summit"))
    );
    let by_client = try_one(json!({ "iss": "Iv23liSummit", "iat": now, "exp": now + 60 })).await;
    assert_eq!(by_client.status, 200);
    for (claims, message) in [
        (
            json!({ "iss": "78", "iat": now, "exp": now + 60 }),
            "Integration not found",
        ),
        (
            json!({ "iss": "77", "iat": now - 900, "exp": now - 300 }),
            "future",
        ),
        (
            json!({ "iss": "77", "iat": now, "exp": now + 900 }),
            "too far",
        ),
        (
            json!({ "iss": "77", "iat": now + 300, "exp": now + 400 }),
            "Issued at",
        ),
        (
            json!({ "iss": "77", "exp": now + 400 }),
            "could not be decoded",
        ),
    ] {
        let answer = try_one(claims).await;
        assert_eq!(answer.status, 401);
        assert!(
            answer.body["message"].as_str().unwrap().contains(message),
            "{}",
            answer.body
        );
        assert_eq!(answer.body["status"], "401");
    }
    assert_eq!(bench.get(APP, &bench.token().await).await.status, 401);
    assert_eq!(
        bench.get(APP, "nonsense").await.body["message"],
        "Bad credentials"
    );
    let none = bench.request(
        http::Method::GET,
        &format!("{}{APP}", bench.forge.api_url()),
    );
    assert_eq!(
        bench.answer(none).await.body["message"],
        "Requires authentication"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_say_what_it_is_or_speaks_another_version_is_refused() {
    let bench = Bench::start().await;
    let url = format!("{}{APP}", bench.forge.api_url());
    let nameless = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = bench
        .answer(nameless.get(&url).bearer_auth(bench.jwt()))
        .await;
    assert_eq!(answer.status, 403);
    let said = answer.body["message"].as_str().unwrap();
    assert!(said.contains("User-Agent"), "{said}");

    let get = |version: &str| {
        let request = bench.request(http::Method::GET, &url);
        let request = request.header("x-github-api-version", version.to_owned());
        bench.answer(request.bearer_auth(bench.jwt()))
    };
    assert_eq!(get("2022-11-28").await.status, 200);
    assert_eq!(get("2012-11-28").await.status, 400);
    let headers = bench.forge.traffic().pop().unwrap().headers;
    assert_eq!(headers.api_version.as_deref(), Some("2012-11-28"));
    assert_eq!(headers.user_agent.as_deref(), Some("bench"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_after_an_hour() {
    let bench = Bench::start().await;
    let token = bench.token().await;
    let path = format!("/repos/{REPOSITORY}/pulls");
    assert_eq!(bench.get(&path, &token).await.status, 200);
    bench.forge.advance_clock(Duration::from_secs(59 * 60));
    assert_eq!(bench.get(&path, &token).await.status, 200);
    bench.forge.advance_clock(Duration::from_secs(2 * 60));
    let answer = bench.get(&path, &token).await;
    assert_eq!(
        (answer.status, &answer.body["message"]),
        (401, &json!("Bad credentials"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scoped_token_reaches_no_further() {
    let bench = Bench::start().await;
    bench
        .forge
        .create_repository("snekbook/other")
        .await
        .unwrap();
    let scope = json!({
        "repositories": ["recipes"],
        "permissions": { "contents": "read", "pull_requests": "read" },
    });
    let token = bench.scoped_token(scope).await;
    assert_eq!(
        bench
            .get(&format!("/repos/{REPOSITORY}/pulls"), &token)
            .await
            .status,
        200
    );
    assert_eq!(
        bench
            .get("/repos/snekbook/other/pulls", &token)
            .await
            .status,
        404
    );
    let list = bench.get("/installation/repositories", &token).await;
    assert_eq!(list.body["total_count"], 1);
    let run = json!({ "name": "lz4", "head_sha": "0".repeat(40) });
    let path = format!("/repos/{REPOSITORY}/check-runs");
    let answer = bench.post(&path, &token, run.clone()).await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.body["message"],
        "Resource not accessible by integration"
    );
    let person = bench.user_token("maya");
    assert_eq!(
        bench.post(&path, &person, run).await.status,
        403,
        "only Apps make check runs"
    );

    let mint = format!(
        "/app/installations/{}/access_tokens",
        bench.installation().await
    );
    for scope in [
        json!({ "repositories": ["absent"] }),
        json!({ "repository_ids": [99] }),
        json!({ "permissions": { "contents": "write" } }),
        json!({ "permissions": { "colour": "write" } }),
    ] {
        assert_eq!(bench.post(&mint, &bench.jwt(), scope).await.status, 422);
    }
    assert_eq!(
        bench
            .post(
                "/app/installations/99/access_tokens",
                &bench.jwt(),
                json!({})
            )
            .await
            .status,
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn permission_tells_role_and_rights() {
    let bench = Bench::start().await;
    let token = bench.token().await;
    let custom = forge::Role::Custom {
        name: "packager".to_owned(),
        base: Box::new(forge::Role::Maintain),
    };
    bench.forge.create_user("kim").unwrap();
    bench.forge.set_role(REPOSITORY, "kim", custom).unwrap();
    for (login, permission, role, push) in [
        ("maya", "write", "write", true),
        ("rowan", "read", "read", false),
        ("stranger", "none", "none", false),
        ("kim", "write", "packager", true),
    ] {
        let path = format!("/repos/{REPOSITORY}/collaborators/{login}/permission");
        let body = bench.get(&path, &token).await.body;
        assert_eq!(body["permission"], permission, "{login}");
        assert_eq!(body["role_name"], role, "{login}");
        assert_eq!(body["user"]["permissions"]["push"], push, "{login}");
        let by_id = bench
            .get(&format!("/user/{}", body["user"]["id"]), &token)
            .await
            .body;
        assert_eq!(by_id["login"], login);
    }
    let path = format!("/repos/{REPOSITORY}/collaborators/nobody/permission");
    assert_eq!(bench.get(&path, &token).await.status, 404);
}
