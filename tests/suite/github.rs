//! A GitHub that limits, errs and forgets.

use anyhow::{Result, ensure};
use forge::{Failure, Point, Sha};
use harness::{REPOSITORY, Recipe, Setup, Stage};

fn check_runs() -> Point {
    Point::rest("POST", "/repos/*/*/check-runs")
}

/// One check run, and it says success.
async fn one_run(stage: &mut Stage, head: &Sha) -> Result<()> {
    stage.succeeded(head, &["reed"]).await?;
    let runs = stage.forge.check_runs_on(REPOSITORY, head);
    ensure!(runs.len() == 1, "{runs:#?}");
    Ok(())
}

#[test]
fn errors_are_waited_out() {
    Stage::play(Setup::default(), async |stage| {
        let points = [
            check_runs(),
            Point::rest("PATCH", "/repos/*/*/check-runs/*"),
            Point::rest("GET", "/repos/*/*/commits/*/check-runs"),
            Point::rest("POST", "/app/installations/*/access_tokens"),
            Point::upload_pack(),
        ];
        let failures = points.map(|point| (point, Failure::Status(502)));
        let head = push_despite(stage, failures).await?;
        one_run(stage, &head).await
    });
}

#[test]
fn an_effect_whose_answer_was_an_error_is_not_repeated() {
    Stage::play(Setup::default(), async |stage| {
        let failure = (check_runs().done(), Failure::Status(502));
        let head = push_despite(stage, [failure]).await?;
        one_run(stage, &head).await
    });
}

#[test]
fn the_secondary_limit_is_obeyed() {
    Stage::play(Setup::default(), async |stage| {
        let limit = Failure::SecondaryLimit {
            status: 403,
            retry_after: 2,
        };
        let head = push_despite(stage, [(check_runs(), limit)]).await?;
        one_run(stage, &head).await?;
        let log = stage.summit.log().lines();
        let asked = log.iter().any(|line| line.contains("asks for a pause"));
        ensure!(asked, "it is in the log");
        Ok(())
    });
}

#[test]
fn tokens_that_end_are_replaced() {
    Stage::play(Setup::default(), async |stage| {
        let first = push_despite(stage, []).await?;
        stage.succeeded(&first, &["reed"]).await?;
        stage.forge.revoke_tokens();
        let second = stage.push(&[Recipe::new("reed").release(2).file()]).await?;
        stage.succeeded(&second, &["reed"]).await?;
        let names = stage.published().await?.names();
        ensure!(names == ["reed-1.0-2-1"], "{names:?}");
        Ok(())
    });
}

/// Pushes one recipe. The failures are summit's, not the pusher's.
async fn push_despite<const N: usize>(
    stage: &Stage,
    failures: [(Point, Failure); N],
) -> Result<Sha> {
    let files = [Recipe::new("reed").file()];
    let (checkout, head) = stage.commit(REPOSITORY, &files).await?;
    for (point, failure) in failures {
        stage.forge.fail_next(point, failure);
    }
    checkout.push("main").await?;
    Ok(head)
}
