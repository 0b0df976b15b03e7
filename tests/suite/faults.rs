//! What GitHub, or a hand that slipped, must not make summit do.

mod merging;
mod required;

use anyhow::{Result, ensure};
use harness::{Recipe, Setup, Stage};

/// Nothing that is under way ends because a name in the configuration is wrong.
#[test]
fn a_wrong_organisation_lets_go_of_nothing() {
    Stage::play(Setup::default(), async |stage| {
        let gate = stage.gate("reed");
        let reed = Recipe::new("reed").build(&gate.wait());
        let head = stage.push(&[reed.file()]).await?;
        stage
            .until("the build's order", async |stage| {
                Ok((stage.orders().len() == 1).then_some(()))
            })
            .await?;
        let about = "the App is not installed in the organisation; nothing is let go of";
        stage.expect_error(about);
        set_organisation(stage, "snekbook", "snackbook").await?;
        stage
            .until("the sweep", async |stage| {
                let lines = stage.summit.log().lines();
                Ok(lines.iter().any(|line| line.contains(about)).then_some(()))
            })
            .await?;
        set_organisation(stage, "snackbook", "snekbook").await?;
        gate.open()?;
        stage.succeeded(&head, &["reed"]).await?;
        let runs = stage.recipe_runs_on(&head);
        ensure!(runs.len() == 1, "{runs:#?}");
        Ok(())
    });
}

async fn set_organisation(stage: &mut Stage, from: &str, to: &str) -> Result<()> {
    stage.summit.stop().await?;
    let (from, to) = [from, to]
        .map(|name| format!("organisation = \"{name}\""))
        .into();
    stage.summit.configure(|text| text.replace(&from, &to))?;
    stage.summit.start().await
}
