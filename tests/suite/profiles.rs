//! Several profiles: each recipe is built for every one of them.

use anyhow::{Result, ensure};
use forge::Conclusion::Success;
use harness::{REPOSITORY, Recipe, Setup, Stage, WRITER};

/// A profile that no builder of the stage builds for.
const NEW: &str = "x86_64_v3";

/// Gives summit one profile more.
async fn add_profile(stage: &mut Stage) -> Result<()> {
    stage.summit.stop().await?;
    let table = |name: &str| format!("\n[[profiles]]\nname = \"{name}\"\n");
    stage
        .summit
        .configure(|text| format!("{text}{}{}", table("x86_64"), table(NEW)))?;
    stage.summit.start().await
}

#[test]
fn a_profile_more_is_built_for_and_holds_up_no_other() {
    Stage::play(Setup::default(), async |stage| {
        let first = stage.push(&[Recipe::new("reed").file()]).await?;
        stage.succeeded(&first, &["reed"]).await?;
        add_profile(stage).await?;
        let [reed, horn] = ["reed", "horn"].map(|name| format!("{name} ({NEW})"));
        stage
            .until("what the new profile lacks", async |stage| {
                let queued = stage.runs_on(&first).contains_key(&reed);
                Ok(queued.then_some(()))
            })
            .await?;
        let head = stage.push(&[Recipe::new("horn").file()]).await?;
        stage
            .until("why nothing is built for it", async |stage| {
                let standstill = stage.summit_status().await?.standstill;
                let known = standstill.get(&NEW.parse()?);
                let said = known.is_some_and(|known| known.reason.contains("other architectures"));
                Ok((said && standstill.len() == 1).then_some(()))
            })
            .await?;
        stage
            .until("what is built for the old one", async |stage| {
                let runs = stage.runs_on(&head);
                let run = runs.get("horn (x86_64)");
                let conclusion = run.and_then(|run| run.status.conclusion());
                ensure!(conclusion.is_none_or(|found| found == Success), "{run:?}");
                Ok((conclusion.is_some() && runs.contains_key(&horn)).then_some(()))
            })
            .await?;
        let names = stage.published().await?.names();
        ensure!(names == ["horn-1.0-1-1", "reed-1.0-1-1"], "{names:?}");
        ensure!(
            stage.orders().len() == 2,
            "one for each, and reed not again"
        );
        for commit in [&first, &head] {
            let comment = stage
                .forge
                .comment_on_commit(REPOSITORY, commit, WRITER, "/cancel");
            let comment = comment.await?;
            stage.reaction(comment).await?;
        }
        Ok(())
    });
}
