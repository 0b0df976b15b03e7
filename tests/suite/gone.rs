//! Repositories that go, with and without a word, and that come back.

use anyhow::{Context as _, Result, ensure};
use forge::{Mode, Sha};
use harness::{Recipe, Setup, Stage, WRITER};
use serde_json::Value;

const OTHER: &str = "snekbook/other";

/// What summit tells of a build.
async fn told(stage: &Stage, build: &str) -> Result<Value> {
    let (status, json) = stage.get(&format!("api/v1/builds/{build}")).await?;
    ensure!(status == 200, "{status}: {json}");
    Ok(serde_json::from_str(&json)?)
}

/// Pushes a build without an end to the other repository, and gives its id once a builder has it.
async fn occupy(stage: &mut Stage) -> Result<String> {
    stage.create_repository(OTHER).await?;
    let endless = Recipe::new("drum").build("sleep 600");
    let head = stage.push_to(OTHER, &[endless.file()]).await?;
    stage
        .until("the first build at work", async |stage| {
            let runs = stage.runs_on(&head);
            let run = runs.get("drum");
            let run = run.filter(|run| run.status.word() == "in_progress");
            Ok(run.and_then(|run| run.external_id.clone()))
        })
        .await
}

/// Waits until a build is given up because its repository is gone.
async fn given_up(stage: &mut Stage, build: &str) -> Result<()> {
    let end = stage
        .until("the end of the build", async |stage| {
            let told = told(stage, build).await?;
            let is_settled = told["state"]["state"] == "cancelled";
            Ok(is_settled.then_some(told))
        })
        .await?;
    ensure!(end["state"]["by"]["by"] == "repository-gone", "{end}");
    let (_, page) = stage.get(&format!("builds/{build}")).await?;
    ensure!(page.contains("repository"), "{page}");
    Ok(())
}

/// Pushes to the repository that stays; there is one slot, so that another build would be in the
/// way.
async fn gets_the_slot(stage: &mut Stage) -> Result<Sha> {
    let head = stage.push(&[Recipe::new("reed").file()]).await?;
    stage.succeeded(&head, &["reed"]).await?;
    let names = stage.published().await?.names();
    ensure!(names == ["reed-1.0-1-1"], "{names:?}");
    Ok(head)
}

#[test]
fn the_builds_of_a_deleted_repository_are_given_up() {
    Stage::play(Setup::default(), async |stage| {
        let build = occupy(stage).await?;
        stage.forge.delete_repository(OTHER, WRITER).await?;
        given_up(stage, &build).await?;
        stage.delivered("repository").await?;
        gets_the_slot(stage).await?;
        Ok(())
    });
}

#[test]
fn a_repository_that_goes_without_a_word_is_missed() {
    let setup = Setup {
        sweep_seconds: 1,
        ..Setup::default()
    };
    Stage::play(setup, async |stage| {
        let build = occupy(stage).await?;
        stage.forge.set_webhooks(Mode::Mute);
        stage.forge.delete_repository(OTHER, WRITER).await?;
        stage.forge.set_webhooks(Mode::Deliver);
        given_up(stage, &build).await?;
        ensure!(stage.sent("repository").is_empty(), "nothing was said");
        gets_the_slot(stage).await?;
        Ok(())
    });
}

#[test]
fn a_repository_that_comes_back_is_planned_anew_and_nothing_is_published_twice() {
    Stage::play(Setup::default(), async |stage| {
        stage.create_repository(OTHER).await?;
        let first = stage.push_to(OTHER, &[Recipe::new("reed").file()]).await?;
        stage.succeeded(&first, &["reed"]).await?;
        let endless = Recipe::new("drum").build("sleep 600");
        let second = stage.push_to(OTHER, &[endless.file()]).await?;
        let build = stage
            .until("a build at work", async |stage| {
                let runs = stage.runs_on(&second);
                let run = runs.get("drum");
                let run = run.filter(|run| run.status.word() == "in_progress");
                Ok(run.and_then(|run| run.external_id.clone()))
            })
            .await?;
        stage.forge.remove_app(OTHER, WRITER)?;
        given_up(stage, &build).await?;
        // Nobody tells summit of this one.
        let third = stage.push_to(OTHER, &[Recipe::new("drum").file()]).await?;
        stage.forge.put_app_back(OTHER, WRITER)?;

        let runs = stage
            .until("the end of the new build", async |stage| {
                let runs = stage.runs_on(&third);
                let run = runs.get("drum");
                let ended = run.and_then(|run| run.status.conclusion());
                Ok(ended.map(|_| runs))
            })
            .await?;
        let drum = runs["drum"].status.conclusion();
        ensure!(drum == Some(forge::Conclusion::Success), "{drum:?}");
        let published = stage.published().await?.names();
        ensure!(
            published == ["drum-1.0-1-1", "reed-1.0-1-1"],
            "{published:?}"
        );
        let histories = stage.histories().await?.len();
        ensure!(histories == 2, "{histories}: each was published once");
        stage.delivered("installation_repositories").await?;
        let anew = runs["drum"].external_id.clone().context("a build")?;
        ensure!(anew != build, "it is another build");
        Ok(())
    });
}
