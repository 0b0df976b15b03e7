//! The stage itself: a test that leaves something behind must fail.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use anyhow::ensure;
use axum::Router;
use axum::http::StatusCode;
use forge::{Content, Failure, Point};
use harness::hook::Hook;
use harness::openapi::OpenApi;
use harness::{REPOSITORY, Recipe, STRANGER, Setup, Stage, WRITER};
use secrecy::ExposeSecret as _;
use service::Supervisor;
use service::listen::{Config, Listener};
use url::Url;

/// A stage that loses its patience soon at the end.
fn hasty() -> Setup {
    Setup {
        end_limit: Duration::from_secs(5),
        ..Setup::default()
    }
}

#[test]
#[should_panic(expected = "nobody read these comments")]
fn a_comment_that_nobody_reads_fails_the_test() {
    Stage::play(Setup::default(), async |stage| {
        let head = stage.push(&[Recipe::new("reed").file()]).await?;
        stage.succeeded(&head, &["reed"]).await?;
        let asked = stage
            .forge
            .comment_on_commit(REPOSITORY, &head, STRANGER, "/rebuild")
            .await?;
        anyhow::ensure!(stage.reaction(asked).await? == Content::MinusOne);
        stage
            .until("the answer", async |stage| {
                Ok((stage.forge.comments(REPOSITORY).len() == 2).then_some(()))
            })
            .await
    });
}

#[test]
#[should_panic(expected = "the check run \\\"build reed\\\" is open")]
fn a_build_that_does_not_end_fails_the_test() {
    Stage::play(hasty(), async |stage| {
        let endless = Recipe::new("reed").build("sleep 600");
        let head = stage.push(&[endless.file()]).await?;
        stage
            .until("a check run", async |stage| {
                Ok((!stage.runs_on(&head).is_empty()).then_some(()))
            })
            .await
    });
}

#[test]
#[should_panic(expected = "was not released")]
fn assets_that_are_kept_fail_the_test() {
    Stage::play(hasty(), async |stage| {
        let pause = stage
            .avalanche
            .pause(Point::rest("POST", "/api/v1/attempts/*/release"));
        let head = stage.push(&[Recipe::new("reed").file()]).await?;
        stage.succeeded(&head, &["reed"]).await?;
        // Until the stage has ended.
        std::mem::forget(pause);
        Ok(())
    });
}

#[test]
#[should_panic(expected = "vessel does not run")]
fn a_service_that_is_down_at_the_end_fails_the_test() {
    Stage::play(Setup::default(), async |stage| stage.vessel.kill().await);
}

#[test]
#[should_panic(expected = "the conclusions are not")]
fn another_conclusion_than_expected_fails_the_test() {
    Stage::play(Setup::default(), async |stage| {
        let reed = Recipe::new("reed").build("exit 3");
        let head = stage.push(&[reed.file()]).await?;
        stage.succeeded(&head, &["reed"]).await?;
        Ok(())
    });
}

#[test]
#[should_panic(expected = "whoever was asked last never answered")]
fn a_question_that_is_never_answered_fails_the_test() {
    let setup = Setup {
        limit: Duration::from_secs(1),
        ..Setup::default()
    };
    Stage::play(setup, async |stage| {
        stage
            .until("an answer", async |_| {
                std::future::pending::<anyhow::Result<Option<()>>>().await
            })
            .await
    });
}

#[test]
fn a_service_that_does_not_answer_is_not_waited_for_without_end() {
    Stage::play(Setup::default(), async |stage| {
        let silence = stage.summit.pause(Point::rest("GET", "/health"));
        let begin = Instant::now();
        let answer = tokio::time::timeout(Duration::from_secs(60), stage.get("health")).await;
        ensure!(answer?.is_err(), "it did not answer");
        ensure!(begin.elapsed() >= Duration::from_secs(5), "it had its time");
        silence.resume();
        let (status, said) = stage.get("health").await?;
        ensure!(status == 200, "{status}: {said}");
        Ok(())
    });
}

#[test]
#[should_panic(expected = "these failures were armed and met nobody")]
fn a_failure_that_nobody_meets_fails_the_test() {
    Stage::play(Setup::default(), async |stage| {
        let point = Point::rest("DELETE", "/repos/*/*");
        stage.forge.fail_next(point, Failure::Status(503));
        Ok(())
    });
}

#[test]
#[should_panic(expected = "a secret in the log of summit")]
fn a_secret_in_a_log_fails_the_test() {
    Stage::play(Setup::default(), async |stage| {
        // summit logs the name of an event that it does not know.
        let secret = stage.webhook_secret()?;
        let guid = "72d3162e-cc78-11e3-81ab-4c9367dc0958";
        let hook = Hook::unsigned(guid, "ghs_16C7e42F292c6912E7710c838347Ae178B4a", "{}");
        let answer = stage.send(hook.signed(&secret)).await?;
        ensure!(answer.status == StatusCode::ACCEPTED, "{answer:?}");
        Ok(())
    });
}

#[test]
#[should_panic(expected = "a secret in /")]
fn a_secret_in_a_file_fails_the_test() {
    Stage::play(Setup::default(), async |stage| {
        let leak = stage.data("vessel").join("leak");
        std::fs::write(leak, "Authorization: bearer eyJ0eXAiOiJKV1QiLCJh")?;
        Ok(())
    });
}

#[test]
#[should_panic(expected = "the services report faults")]
fn a_fault_that_a_service_reports_fails_the_test() {
    Stage::play(Setup::default(), async |stage| {
        // vessel cannot make its folder there, until it can.
        let staging = stage.data("vessel").join("staging");
        std::fs::remove_dir_all(&staging)?;
        std::fs::write(&staging, "in the way")?;
        let head = stage.push(&[Recipe::new("reed").file()]).await?;
        stage
            .until("a fault", async |stage| {
                Ok((!stage.vessel.log().errors().is_empty()).then_some(()))
            })
            .await?;
        std::fs::remove_file(&staging)?;
        std::fs::create_dir(&staging)?;
        stage.succeeded(&head, &["reed"]).await?;
        Ok(())
    });
}

#[test]
#[should_panic(expected = "is open")]
fn a_delivery_of_which_nothing_comes_fails_the_test() {
    Stage::play(hasty(), async |stage| {
        // Takes webhooks as summit does, and forgets them.
        let supervisor = Supervisor::new();
        let listener = Listener::bind(&Config::loopback()).await?;
        let url = format!("http://{}/webhook", listener.address());
        let router = Router::new().fallback(async || StatusCode::OK);
        listener.serve(&supervisor, "a bin", router);
        stage.forge.set_webhook_url(Some(Url::parse(&url)?));
        stage.push(&[Recipe::new("reed").file()]).await?;
        stage.delivered("push").await?;
        Ok(())
    });
}

/// Only where GitHub's description is: not a `should_panic`, which cannot be skipped.
#[test]
fn a_request_that_github_does_not_know_fails_the_test() -> anyhow::Result<()> {
    if OpenApi::find()?.is_none() {
        return Ok(());
    }
    let play = || {
        Stage::play(Setup::default(), async |stage| {
            let token = stage.forge.mint_token(WRITER)?;
            let url = format!("{}/repos/{REPOSITORY}/recipes", stage.forge.api_url());
            let request = testbed::http::client().get(url);
            let answer = request.bearer_auth(token.expose_secret()).send().await?;
            ensure!(answer.status() == StatusCode::NOT_FOUND, "{answer:?}");
            Ok(())
        });
    };
    let panic = catch_unwind(AssertUnwindSafe(play)).expect_err("it is judged");
    let said = panic.downcast_ref::<String>().cloned().unwrap_or_default();
    ensure!(said.contains("GitHub would not say so"), "{said}");
    ensure!(said.contains("GitHub has no such call"), "{said}");
    Ok(())
}
