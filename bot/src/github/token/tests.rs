use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::response::IntoResponse as _;
use http::StatusCode;
use http::header::ETAG;

use super::*;
use crate::domain::build::example::at;
use crate::github::Class;
use crate::github::double::{Asked, Double, says, suspended};

fn installation() -> InstallationId {
    InstallationId::new(5)
}

async fn ask(app: &App) -> Result<Value, Error> {
    let answer = app.as_installation::<Value>(installation(), Method::GET, "/a", None::<&()>);
    Ok(answer.await?.body)
}

async fn watch(app: &App) -> Result<Value, Error> {
    Ok(app.watch::<Value>(installation(), "/a").await?.body)
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_its_end() {
    let github = Double::start().await;
    let app = github.app();
    github.answers(|asked| (asked.what == "GET /a").then(|| says(200, &json!(1))));
    for second in [0, 3539, 3540] {
        github.set_time(second);
        ask(&app).await.unwrap();
    }
    let asked = github.take_paths();
    let token = "POST /app/installations/5/access_tokens";
    assert_eq!(asked, [token, "GET /a", "GET /a", token, "GET /a"]);
}

#[tokio::test]
async fn a_rejected_token_is_replaced_once_for_a_request() {
    let github = Double::start().await;
    let app = github.app();
    let rejected = |asked: &Asked| {
        let bad = says(401, &json!({ "message": "Bad credentials" }));
        (asked.what == "GET /a").then_some(bad)
    };
    github.answers(move |asked| rejected(asked));
    assert!(ask(&app).await.is_err());
    assert_eq!(github.take_paths().len(), 4, "two tokens were tried");
    let mut is_first = true;
    github.answers(move |asked| match std::mem::take(&mut is_first) {
        _ if asked.what != "GET /a" => None,
        true => rejected(asked),
        false => Some(says(200, &json!(1))),
    });
    assert!(watch(&app).await.is_ok());
}

/// GitHub's ETags belong to the token that got them.
#[tokio::test]
async fn a_tag_is_sent_with_its_own_token_alone() {
    let github = Double::start().await;
    let app = github.app();
    github.answers(|asked| {
        let tag = format!("\"of {}\"", asked.token);
        if asked.what != "GET /a" {
            return None;
        }
        Some(match asked.tag.as_ref() == Some(&tag) {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => ([(ETAG, tag)], "1").into_response(),
        })
    });
    for second in [0, 1, 4000, 4001] {
        github.set_time(second);
        assert_eq!(watch(&app).await.unwrap(), json!(1));
    }
    let asked = github.take_asked();
    let told = asked.iter().filter(|asked| asked.what == "GET /a");
    let told: Vec<_> = told.map(|asked| asked.tag.as_deref()).collect();
    let first = format!("\"of {}\"", asked[1].token);
    let second = format!("\"of {}\"", asked[4].token);
    assert_eq!(told, [None, Some(&*first), None, Some(&*second)]);
}

#[tokio::test]
async fn limits_of_token_requests_pause_all_others() {
    let github = Double::start().await;
    let app = github.app();
    github.answers(|asked| {
        let limit = ([("retry-after", "90")], "slow down").into_response();
        asked.what.ends_with("/access_tokens").then(|| {
            let mut limit = limit;
            *limit.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            limit
        })
    });
    assert!(matches!(ask(&app).await, Err(Error::RateLimited { .. })));
    assert_eq!(github.take_paths().len(), 1);
    assert!(matches!(
        app.find_installation("snekbook").await,
        Err(Error::RateLimited { .. })
    ));
    assert!(
        github.take_paths().is_empty(),
        "nothing is asked in a pause"
    );
}

/// The turns of a pause would be missed after it.
#[tokio::test]
async fn a_pause_takes_no_turn() {
    let github = Double::start().await;
    let app = github.app();
    github.answers(|_| {
        let limit = (
            StatusCode::FORBIDDEN,
            [("retry-after", "600")],
            "a rate limit",
        );
        Some(limit.into_response())
    });
    assert!(ask(&app).await.is_err());
    github.set_time(100);
    for _ in 0..1000 {
        let pause = app.take_turn(Class::Conclusion).unwrap_err();
        assert_eq!(pause.as_secs(), 500);
        assert!(matches!(
            app.turn(Class::Conclusion).await,
            Err(Error::RateLimited { until }) if until == at(600)
        ));
    }
    github.set_time(600);
    let free = (0..80).map(|_| app.take_turn(Class::Conclusion));
    assert!(free.collect::<Result<Vec<_>, _>>().is_ok());
}

#[tokio::test]
async fn a_suspended_installation_is_known_and_asked_nothing() {
    let github = Double::start().await;
    let app = github.app();
    let is_suspended = Arc::new(AtomicBool::new(false));
    let known = Arc::clone(&is_suspended);
    github.answers(move |asked| {
        let is_suspended = known.load(Ordering::SeqCst);
        match asked.what.as_str() {
            "GET /orgs/snekbook/installation" => Some(says(200, &json!({ "id": 5 }))),
            "GET /a" if !is_suspended => Some(says(200, &json!(1))),
            _ => is_suspended.then(suspended),
        }
    });
    assert!(ask(&app).await.is_ok());
    // A token from before is refused as well.
    is_suspended.store(true, Ordering::SeqCst);
    github.set_time(7);
    let is_told = |told: Result<Value, Error>| {
        matches!(&told, Err(Error::Suspended { since }) if *since == at(7))
            && !told.is_err_and(|error| error.is_permanent() || error.is_forbidden())
    };
    assert!(is_told(ask(&app).await));
    assert_eq!(app.suspended_since(), Some(at(7)));
    github.take_asked();
    github.set_time(8);
    assert!(is_told(ask(&app).await) && is_told(watch(&app).await));
    let repository = RepositoryId::new(1);
    assert!(app.clone_token(installation(), repository).await.is_err());
    assert!(app.take_turn(Class::Conclusion).is_err());
    assert!(app.turn(Class::Conclusion).await.is_err());
    assert!(github.take_paths().is_empty(), "GitHub would refuse it");

    assert!(app.find_installation("snekbook").await.is_err());
    is_suspended.store(false, Ordering::SeqCst);
    let found = app.find_installation("snekbook").await.unwrap();
    assert_eq!((found, app.suspended_since()), (Some(installation()), None));
    assert!(ask(&app).await.is_ok());
    assert!(app.take_turn(Class::Conclusion).is_ok());
}

/// GitHub says since when, and a process that has just started asks first.
#[tokio::test]
async fn a_suspension_is_known_from_the_installation_too() {
    let github = Double::start().await;
    let app = github.app();
    github.answers(|asked| {
        let since = json!({ "id": 5, "suspended_at": at(3) });
        asked
            .what
            .starts_with("GET /orgs/")
            .then(|| says(200, &since))
    });
    let found = app.find_installation("snekbook").await;
    assert!(matches!(found, Err(Error::Suspended { since }) if since == at(3)));
    assert_eq!(app.suspended_since(), Some(at(3)));
}
