//! The stage itself: a test that leaves something behind must fail.

use std::time::Duration;

use forge::{Content, Point};
use harness::{REPOSITORY, Recipe, STRANGER, Setup, Stage};

/// A stage that loses its patience soon.
fn hasty() -> Setup {
    Setup {
        limit: Duration::from_secs(5),
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
