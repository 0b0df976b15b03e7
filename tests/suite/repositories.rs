//! Branches and repositories: what is looked at, from where to where.

use anyhow::{Context as _, ensure};
use forge::Conclusion::{Cancelled, Success};
use forge::{Mode, Order};
use harness::{REPOSITORY, Recipe, Setup, Stage, WRITER};

#[test]
fn only_the_end_of_two_quick_pushes_counts() {
    Stage::play(Setup::default(), async |stage| {
        stage.forge.set_webhooks(Mode::Hold);
        stage
            .push(&[Recipe::new("reed").file(), Recipe::new("drum").file()])
            .await?;
        let second = stage.push(&[Recipe::new("reed").release(2).file()]).await?;
        // The newer webhook overtakes the older.
        stage.forge.release_webhooks(Order::Reversed).await;
        stage.succeeded(&second, &["drum", "reed"]).await?;
        let names = stage.published().await?.names();
        ensure!(names == ["drum-1.0-1-1", "reed-1.0-2-1"], "{names:?}");
        ensure!(stage.orders().len() == 2, "the first push was not built");
        Ok(())
    });
}

#[test]
fn a_newer_push_replaces_a_build_under_way() {
    Stage::play(Setup::default(), async |stage| {
        let endless = Recipe::new("reed").build("sleep 600");
        let first = stage.push(&[endless.file()]).await?;
        stage
            .until("the first build at work", async |stage| {
                let runs = stage.runs_on(&first);
                Ok(runs
                    .get("reed")
                    .filter(|run| run.status.word() == "in_progress")
                    .map(drop))
            })
            .await?;
        let second = stage.push(&[Recipe::new("reed").file()]).await?;
        stage.concluded(&first, &[("reed", Cancelled)]).await?;
        stage.concluded(&second, &[("reed", Success)]).await?;
        let names = stage.published().await?.names();
        ensure!(names == ["reed-1.0-1-1"], "{names:?}");
        Ok(())
    });
}

#[test]
fn a_force_push_is_compared_with_what_was_planned() {
    Stage::play(Setup::default(), async |stage| {
        let first = stage.push(&[Recipe::new("drum").file()]).await?;
        stage.succeeded(&first, &["drum"]).await?;
        let second = stage.push(&[Recipe::new("reed").file()]).await?;
        stage.succeeded(&second, &["reed"]).await?;

        let checkout = stage.checkout(REPOSITORY, WRITER).await?;
        checkout.reset(&first).await?;
        let third = checkout
            .commit(&[Recipe::new("drum").release(2).file()])
            .await?;
        ensure!(checkout.push("main").await.is_err(), "git refuses it");
        checkout.push_forced("main").await?;
        stage.succeeded(&third, &["drum"]).await?;
        let names = stage.published().await?.names();
        ensure!(names == ["drum-1.0-2-1", "reed-1.0-1-1"], "{names:?}");
        Ok(())
    });
}

#[test]
fn other_branches_and_other_files_are_not_built() {
    Stage::play(Setup::default(), async |stage| {
        let first = stage
            .push(&[
                Recipe::new("drum").file(),
                harness::File::new("README.md", "Recipes."),
            ])
            .await?;
        stage.succeeded(&first, &["drum"]).await?;
        let checkout = stage.checkout(REPOSITORY, WRITER).await?;
        checkout.switch("feature", "main").await?;
        let feature = checkout.commit(&[Recipe::new("reed").file()]).await?;
        checkout.push("feature").await?;
        let text = stage
            .push(&[harness::File::new("README.md", "More recipes.")])
            .await?;
        stage.delivered("push").await?;
        let next = stage.push(&[Recipe::new("horn").file()]).await?;
        stage.succeeded(&next, &["horn"]).await?;
        ensure!(stage.runs_on(&feature).is_empty() && stage.runs_on(&text).is_empty());
        Ok(())
    });
}

#[test]
fn several_repositories_make_one_channel() {
    Stage::play(Setup::default(), async |stage| {
        stage.create_repository("snekbook/reed").await?;
        // Waits for what another repository brings.
        let flute = Recipe::new("flute").uses_pkgconfig("reed");
        let first = stage.push(&[flute.file_in("f/flute")]).await?;
        stage
            .concluded(&first, &[("flute", forge::Conclusion::Failure)])
            .await?;
        // A repository of one recipe, at its root.
        let reed = Recipe::new("reed").pkgconfig("reed");
        let second = stage.push_to("snekbook/reed", &[reed.file_in("")]).await?;
        stage.succeeded(&second, &["reed"]).await?;
        stage.succeeded(&first, &["flute"]).await?;
        let names = stage.published().await?.names();
        ensure!(
            names == ["flute-1.0-1-1", "reed-1.0-1-1", "reed-devel-1.0-1-1"],
            "{names:?}"
        );
        Ok(())
    });
}

#[test]
fn a_repository_never_seen_builds_what_the_channel_lacks() {
    Stage::play(Setup::default(), async |stage| {
        let first = stage.push(&[Recipe::new("reed").file()]).await?;
        stage.succeeded(&first, &["reed"]).await?;
        stage.create_repository("snekbook/more").await?;
        let head = stage
            .push_to(
                "snekbook/more",
                &[Recipe::new("reed").file(), Recipe::new("drum").file()],
            )
            .await?;
        stage.succeeded(&head, &["drum"]).await?;
        ensure!(stage.orders().len() == 2, "the reed is there");
        Ok(())
    });
}

/// A webhook from before a change of the default branch comes after it: only what is published now
/// counts, and GitHub alone says what that is.
#[test]
fn an_old_webhook_does_not_bring_an_old_default_branch_back() {
    Stage::play(Setup::default(), async |stage| {
        let first = stage.push(&[Recipe::new("reed").file()]).await?;
        stage.succeeded(&first, &["reed"]).await?;
        let checkout = stage.checkout(REPOSITORY, WRITER).await?;
        checkout.switch("trunk", "main").await?;
        checkout.push("trunk").await?;

        stage.forge.set_webhooks(Mode::Lose);
        let old = stage.push(&[Recipe::new("drum").file()]).await?;
        stage.forge.set_webhooks(Mode::Deliver);
        let late = stage.forge.deliveries().into_iter();
        let late = late
            .filter(|row| row.event == "push")
            .max_by_key(|row| row.id);
        let late = late.context("the push")?;
        let trunk = "trunk".parse()?;
        stage
            .forge
            .set_default_branch(REPOSITORY, WRITER, trunk)
            .await?;
        stage
            .until("a look at the new default branch", async |stage| {
                let traffic = stage.forge.traffic();
                let mut asked = traffic.iter().map(|exchange| exchange.path.as_str());
                Ok(asked
                    .any(|path| path.ends_with("/branches/trunk"))
                    .then_some(()))
            })
            .await?;
        stage.forge.redeliver(late.id)?;
        stage
            .until("the late webhook", async |stage| {
                let rows = stage.forge.deliveries();
                let mut again = rows.iter().filter(|row| row.guid == late.guid);
                Ok(again.any(|row| row.outcome.is_success()).then_some(()))
            })
            .await?;

        let checkout = stage.checkout(REPOSITORY, WRITER).await?;
        checkout.switch("trunk", "main").await?;
        let new = checkout.commit(&[Recipe::new("horn").file()]).await?;
        checkout.push("trunk").await?;
        stage.succeeded(&new, &["horn"]).await?;
        let names = stage.published().await?.names();
        ensure!(names == ["horn-1.0-1-1", "reed-1.0-1-1"], "{names:?}");
        ensure!(stage.runs_on(&old).is_empty(), "main is not published");
        Ok(())
    });
}
