//! What a branch rule can require.

use anyhow::{Result, ensure};
use forge::Conclusion::{Failure, Success};
use forge::{OpenPull, Point};
use harness::stage::LIMIT;
use harness::{File, REPOSITORY, Recipe, STRANGER, Setup, Stage, WRITER};

/// The check that rules require.
const CHECK: &str = "snekbook";

fn readme(text: &str) -> File {
    File::new("README.md", text)
}

async fn merged(stage: &Stage, number: u64) -> Result<()> {
    stage.forge.merge_pull(REPOSITORY, number, WRITER).await?;
    Ok(())
}

async fn is_blocked(stage: &Stage, number: u64) -> Result<()> {
    let merged = stage.forge.merge_pull(REPOSITORY, number, WRITER).await;
    let refused = merged.err().map(|error| error.to_string());
    let said = refused.unwrap_or_default();
    ensure!(said.contains(CHECK), "the merge is not refused: {said}");
    Ok(())
}

/// The required check is missing at first, and comes although there is nothing to build.
#[test]
fn a_pull_request_without_recipes_merges_under_a_rule() {
    Stage::play(Setup::default(), async |stage| {
        let base = stage.push(&[Recipe::new("drum").file()]).await?;
        stage.succeeded(&base, &["drum"]).await?;
        stage.forge.require_checks(REPOSITORY, "main", &[CHECK])?;
        let pause = stage
            .forge
            .pause(Point::rest("POST", "/repos/*/*/check-runs"));
        let (number, head) = stage.propose("text", &[readme("A text.")]).await?;
        pause.held(LIMIT).await?;
        is_blocked(stage, number).await?;
        pause.resume();
        stage.verdict(&head, Success).await?;
        ensure!(stage.runs_on(&head).is_empty(), "there is no recipe");
        merged(stage, number).await?;
        let head = stage.head().await?;
        stage.verdict(&head, Success).await?;
        Ok(())
    });
}

/// So many recipes have no check runs of their own, but for those that fail.
#[test]
fn a_pull_request_with_thirty_recipes_merges_once_all_are_built() {
    Stage::play(Setup::default(), async |stage| {
        stage.forge.require_checks(REPOSITORY, "main", &[CHECK])?;
        let base = stage.push(&[readme("Recipes.")]).await?;
        stage.verdict(&base, Success).await?;
        let mut files: Vec<File> = (1..30)
            .map(|number| Recipe::new(&format!("reed{number}")).file())
            .collect();
        files.push(Recipe::new("drum").build("exit 1").file());
        let (number, head) = stage.propose("many", &files).await?;
        let run = stage.verdict(&head, Failure).await?;
        let title = run.output.title.unwrap_or_default();
        ensure!(title == "1 of 30 recipes failed", "{title}");
        let runs = stage.runs_on(&head);
        ensure!(runs.keys().eq(["drum"]), "{:?}", runs.keys());
        is_blocked(stage, number).await?;
        let (_, head) = stage.propose("many", &[Recipe::new("drum").file()]).await?;
        stage.verdict(&head, Success).await?;
        merged(stage, number).await?;
        let head = stage.head().await?;
        stage.verdict(&head, Success).await?;
        let published = stage.published().await?.names().len();
        ensure!(published == 30, "{published}");
        Ok(())
    });
}

/// Nobody but the writer can push to the writer's fork.
#[test]
fn the_pull_request_of_a_writers_own_fork_is_built() {
    Stage::play(Setup::default(), async |stage| {
        let base = stage.push(&[Recipe::new("drum").file()]).await?;
        stage.succeeded(&base, &["drum"]).await?;
        stage.forge.require_checks(REPOSITORY, "main", &[CHECK])?;
        let fork = stage.forge.fork(REPOSITORY, WRITER).await?.to_string();
        let reed = Recipe::new("reed").file();
        let (number, head) = stage.propose_as(WRITER, &fork, "reed", &[reed]).await?;
        stage.succeeded(&head, &["reed"]).await?;
        merged(stage, number).await?;
        let head = stage.head().await?;
        stage.succeeded(&head, &["reed"]).await?;
        Ok(())
    });
}

/// Whoever opens a pull request, the owner of the fork can push to it at any time.
#[test]
fn a_writer_vouches_for_nobody_elses_fork() {
    Stage::play(Setup::default(), async |stage| {
        let base = stage.push(&[Recipe::new("drum").file()]).await?;
        stage.succeeded(&base, &["drum"]).await?;
        let fork = stage.forge.fork(REPOSITORY, STRANGER).await?.to_string();
        let checkout = stage.checkout(&fork, STRANGER).await?;
        checkout.switch("reed", "main").await?;
        let head = checkout.commit(&[Recipe::new("reed").file()]).await?;
        checkout.push("reed").await?;
        let open = OpenPull {
            repository: REPOSITORY,
            author: WRITER,
            head: &format!("{STRANGER}:reed"),
            base: "main",
            title: "reed",
            body: None,
            draft: false,
        };
        stage.forge.open_pull(open).await?;
        let run = stage
            .verdict(&head, forge::Conclusion::ActionRequired)
            .await?;
        let said = run.output.summary.unwrap_or_default();
        ensure!(said.contains("lies in a fork of stranger"), "{said}");
        ensure!(stage.orders().len() == 1, "only the base was built");
        Ok(())
    });
}

/// GitHub says of an App that it has no role. The configuration gives it one.
#[test]
fn a_branch_of_a_named_bot_is_built() {
    Stage::play(Setup::default(), async |stage| {
        let base = stage.push(&[Recipe::new("drum").file()]).await?;
        stage.succeeded(&base, &["drum"]).await?;
        let bot = stage.forge.create_bot("renovate")?;
        stage
            .forge
            .set_role(REPOSITORY, "renovate[bot]", forge::Role::Write)?;
        let reed = Recipe::new("reed").file();
        let (number, head) = stage
            .propose_as("renovate[bot]", REPOSITORY, "reed", &[reed])
            .await?;
        let run = stage
            .verdict(&head, forge::Conclusion::ActionRequired)
            .await?;
        let said = run.output.summary.unwrap_or_default();
        ensure!(said.contains("is an App"), "{said}");
        stage.summit.stop().await?;
        stage.summit.configure(|text| {
            let id = bot.number();
            format!(
                "{text}\n[[github.bots]]\nlogin = \"renovate[bot]\"\nid = {id}\nrole = \"write\"\n"
            )
        })?;
        stage.summit.start().await?;
        stage.succeeded(&head, &["reed"]).await?;
        stage.forge.require_checks(REPOSITORY, "main", &[CHECK])?;
        merged(stage, number).await?;
        let head = stage.head().await?;
        stage.succeeded(&head, &["reed"]).await?;
        Ok(())
    });
}
