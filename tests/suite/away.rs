//! Services that are away for a while: what people see meanwhile, and that all goes on.

use anyhow::{Context as _, Result, ensure};
use forge::Conclusion::Failure;
use forge::{CheckRun, Sha};
use harness::{File, Recipe, Setup, Stage, WRITER};

fn summary(run: &CheckRun) -> String {
    run.output.summary.clone().unwrap_or_default()
}

/// Waits until the check run of a recipe waits for a builder, and the recipe's page says why none
/// gets it.
async fn waits(stage: &mut Stage, head: &Sha, recipe: &str, why: &str) -> Result<()> {
    let what = format!("that {recipe} waits for a builder, and its page says {why:?}");
    stage
        .until(&what, async |stage| {
            let runs = stage.runs_on(head);
            let waiting = runs.get(recipe).filter(|run| {
                run.status.conclusion().is_none() && summary(run).contains("waiting for a builder")
            });
            let Some(run) = waiting else {
                return Ok(None);
            };
            let build = stage.build_of(run).await?;
            let (_, page) = stage.get(&format!("builds/{}", build.id)).await?;
            Ok(page.contains(why).then_some(()))
        })
        .await
}

#[test]
fn pushes_are_planned_while_vessel_is_away() {
    Stage::play(Setup::default(), async |stage| {
        let first = stage.push(&[Recipe::new("reed").file()]).await?;
        stage.succeeded(&first, &["reed"]).await?;
        stage.vessel.stop().await?;
        let second = stage.push(&[Recipe::new("reed").release(2).file()]).await?;
        waits(stage, &second, "reed", "vessel has not answered since").await?;
        // The channel's last state is known to a new process as well: the same release again is
        // nothing to build, although nobody can ask for it now.
        stage.summit.kill().await?;
        stage.summit.start().await?;
        let bore = Recipe::new("bore");
        let third = stage
            .push(&[bore.file(), File::new("bore/notes", "new")])
            .await?;
        waits(stage, &third, "bore", "vessel has not answered since").await?;

        stage.vessel.start().await?;
        stage.succeeded(&second, &["reed"]).await?;
        stage.succeeded(&third, &["bore"]).await?;
        let names = stage.published().await?.names();
        ensure!(names == ["bore-1.0-1-1", "reed-1.0-2-1"], "{names:?}");
        Ok(())
    });
}

/// A look that cannot be done leaves nothing on GitHub that could say why: summit's page does.
#[test]
fn what_is_not_planned_yet_is_told() {
    Stage::play(Setup::default(), async |stage| {
        stage.vessel.stop().await?;
        let head = stage.push(&[Recipe::new("reed").file()]).await?;
        stage
            .until("the reason on summit's page", async |stage| {
                let (_, page) = stage.get("/").await?;
                let said =
                    page.contains("Not planned yet") && page.contains("cannot fetch the index");
                Ok(said.then_some(()))
            })
            .await?;
        stage.vessel.start().await?;
        stage.succeeded(&head, &["reed"]).await?;
        let (_, page) = stage.get("/").await?;
        ensure!(!page.contains("Not planned yet"), "{page}");
        Ok(())
    });
}

#[test]
fn a_button_that_begins_nothing_is_answered_on_its_check_run() {
    Stage::play(Setup::default(), async |stage| {
        let broken = File::new("reed/stone.yaml", "name: reed\nversion: [\n");
        let head = stage.push(&[broken]).await?;
        let runs = stage.concluded(&head, &[("reed", Failure)]).await?;
        stage.forge.rerun(runs["reed"].id, WRITER)?;
        stage
            .until("the answer in the summary", async |stage| {
                let runs = stage.runs_on(&head);
                let run = runs.get("reed").context("it is there")?;
                let said = summary(run).contains("would give the same result");
                Ok(said.then_some(()))
            })
            .await?;
        let runs = stage.concluded(&head, &[("reed", Failure)]).await?;
        ensure!(stage.recipe_runs_on(&head).len() == 1);
        ensure!(summary(&runs["reed"]).contains("Not rebuilt"));
        Ok(())
    });
}
