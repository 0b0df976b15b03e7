//! Recipes that need each other.

use anyhow::ensure;
use forge::Conclusion::Failure;
use harness::{Recipe, Setup, Stage};

fn reed(release: u64) -> Recipe {
    Recipe::new("reed").release(release)
}

fn bore(release: u64) -> Recipe {
    Recipe::new("bore").release(release)
}

#[test]
fn members_see_the_stones_of_those_before_and_are_imported_as_one() {
    Stage::play(Setup::default(), async |stage| {
        let first = stage.push(&[reed(1).file(), bore(1).file()]).await?;
        stage.succeeded(&first, &["bore", "reed"]).await?;
        let before = stage.histories().await?.len();
        let second = stage
            .push(&[reed(2).needs("bore").file(), bore(2).needs("reed").file()])
            .await?;
        let runs = stage.succeeded(&second, &["bore", "reed"]).await?;
        let histories = stage.histories().await?;
        ensure!(histories.len() == before + 1, "one history for both");
        for run in runs.values() {
            let build = stage.build_of(run).await?;
            ensure!(build.cycle.len() == 2, "{build:?}");
        }
        let orders = stage.orders();
        let (one, other) = (
            orders[2]["closure"].to_string(),
            orders[3]["closure"].to_string(),
        );
        ensure!(
            one.contains("-1.0-1-1-x86_64"),
            "of the last history: {one}"
        );
        ensure!(
            other.contains("-1.0-2-1-x86_64"),
            "of the first member: {other}"
        );
        let names = stage.published().await?.names();
        ensure!(names == ["bore-1.0-2-1", "reed-1.0-2-1"], "{names:?}");
        Ok(())
    });
}

#[test]
fn a_cycle_that_nothing_begins_is_held() {
    Stage::play(Setup::default(), async |stage| {
        let head = stage
            .push(&[reed(1).needs("bore").file(), bore(1).needs("reed").file()])
            .await?;
        stage
            .until("both to end", async |stage| {
                let runs = stage.runs_on(&head);
                let ended = runs.values().all(|run| run.status.conclusion().is_some());
                Ok((runs.len() == 2 && ended).then_some(()))
            })
            .await?;
        let runs = stage.runs_on(&head);
        let failed = runs
            .values()
            .find(|run| run.status.conclusion() == Some(Failure));
        let said = failed
            .and_then(|run| run.output.summary.clone())
            .unwrap_or_default();
        ensure!(
            said.contains("Nothing provides") && said.contains("bore") && said.contains("reed"),
            "members and what is missing: {said}"
        );
        ensure!(stage.orders().is_empty());
        Ok(())
    });
}
