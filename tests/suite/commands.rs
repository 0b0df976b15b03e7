//! What people may ask for in comments and with buttons.

use anyhow::{Result, ensure};
use api::id::Sha256;
use forge::Conclusion::{Cancelled, Failure, Success};
use forge::{Content, Mode, Order, Role, Sha, Subject};
use harness::{REPOSITORY, Recipe, Runs, STRANGER, Setup, Stage, WRITER};

const ARCHIVE: &[u8] = b"cane";

/// A recipe whose source is not yet what it should be.
fn early(stage: &Stage) -> Recipe {
    stage.mirror.put_upstream("cane", b"bamboo");
    Recipe::new("reed").upstream(stage.mirror.upstream("cane"), Sha256::of(ARCHIVE))
}

fn on_commit(commit: &Sha) -> Subject {
    Subject::Commit {
        sha: commit.clone(),
        path: None,
        position: None,
    }
}

/// A build that failed, for a source that is right from now on.
async fn failed_for_its_source(stage: &mut Stage) -> Result<(Sha, Runs)> {
    let head = stage.push(&[early(stage).file()]).await?;
    let runs = stage.concluded(&head, &[("reed", Failure)]).await?;
    stage.mirror.put(ARCHIVE);
    Ok((head, runs))
}

#[test]
fn a_stranger_cannot_rebuild_a_commit_and_a_writer_can() {
    Stage::play(Setup::default(), async |stage| {
        let (head, before) = failed_for_its_source(stage).await?;
        let orders = stage.orders().len();

        let asked = stage
            .forge
            .comment_on_commit(REPOSITORY, &head, STRANGER, "/rebuild")
            .await?;
        ensure!(stage.reaction(asked).await? == Content::MinusOne);
        let answer = stage.read_comment(&on_commit(&head)).await?;
        ensure!(answer.contains("stranger"), "{answer}");
        ensure!(answer.contains("write access"), "{answer}");
        ensure!(stage.orders().len() == orders, "nothing was built");

        let asked = stage
            .forge
            .comment_on_commit(REPOSITORY, &head, WRITER, "Now.\n\n/rebuild\n")
            .await?;
        ensure!(stage.reaction(asked).await? == Content::Rocket);
        let after = stage.concluded(&head, &[("reed", Success)]).await?;
        ensure!(after["reed"].id != before["reed"].id, "a run of its own");
        ensure!(stage.created_runs() == 2);
        let names = stage.published().await?.names();
        ensure!(names == ["reed-1.0-1-1"], "{names:?}");
        Ok(())
    });
}

#[test]
fn a_pull_request_is_rebuilt_for_a_writer_only() {
    Stage::play(Setup::default(), async |stage| {
        stage.push(&[Recipe::new("drum").file()]).await?;
        let (number, head) = stage.propose("reed", &[early(stage).file()]).await?;
        stage.concluded(&head, &[("reed", Failure)]).await?;
        stage.mirror.put(ARCHIVE);

        let comment = |login| {
            stage
                .forge
                .comment_on_pull(REPOSITORY, number, login, "/rebuild")
        };
        let (refused, taken) = (comment(STRANGER)?, comment(WRITER)?);
        ensure!(stage.reaction(refused).await? == Content::MinusOne);
        let answer = stage.read_comment(&Subject::Pull(number)).await?;
        ensure!(answer.contains("write access"), "{answer}");
        ensure!(stage.reaction(taken).await? == Content::Rocket);
        stage.concluded(&head, &[("reed", Success)]).await?;
        let names = stage.published().await?.names();
        ensure!(names == ["drum-1.0-1-1"], "{names:?}");
        Ok(())
    });
}

#[test]
fn what_is_no_command_is_answered_or_left_alone() {
    Stage::play(Setup::default(), async |stage| {
        let head = stage.push(&[Recipe::new("reed").file()]).await?;
        stage.succeeded(&head, &["reed"]).await?;
        for text in [
            "Shall we /rebuild this?",
            "```\n/rebuild\n```",
            "> /rebuild",
        ] {
            stage
                .forge
                .comment_on_commit(REPOSITORY, &head, STRANGER, text)
                .await?;
        }
        let asked = stage
            .forge
            .comment_on_commit(REPOSITORY, &head, WRITER, "/rebuild everything")
            .await?;
        ensure!(stage.reaction(asked).await? == Content::Confused);
        let answer = stage.read_comment(&on_commit(&head)).await?;
        ensure!(answer.contains("`everything`"), "{answer}");
        ensure!(answer.contains("`reed`"), "{answer}");
        ensure!(stage.orders().len() == 1, "nothing was built again");
        Ok(())
    });
}

#[test]
fn the_button_of_a_check_run_builds_again() {
    Stage::play(Setup::default(), async |stage| {
        let (head, before) = failed_for_its_source(stage).await?;
        let failed = before["reed"].id;
        stage.forge.request_action(failed, WRITER, "rebuild")?;
        let after = stage.concluded(&head, &[("reed", Success)]).await?;
        ensure!(after["reed"].id != before["reed"].id);
        ensure!(after["reed"].actions.is_empty(), "it succeeded");
        // All of a commit that succeeded: with a higher build release, or the channel would refuse.
        stage.forge.rerun_suite(after["reed"].suite, WRITER).await?;
        stage
            .until("the third build", async |stage| {
                let published = stage.published().await?;
                Ok((published.names() == ["reed-1.0-1-2"]).then_some(()))
            })
            .await?;
        stage.succeeded(&head, &["reed"]).await?;
        Ok(())
    });
}

#[test]
fn a_button_pressed_by_someone_who_may_write_no_more_does_nothing() {
    Stage::play(Setup::default(), async |stage| {
        let (head, before) = failed_for_its_source(stage).await?;
        stage.delivered("push").await?;
        stage.forge.set_webhooks(Mode::Hold);
        stage.forge.rerun(before["reed"].id, WRITER)?;
        stage
            .forge
            .rerun_suite(before["reed"].suite, WRITER)
            .await?;
        stage.forge.set_role(REPOSITORY, WRITER, Role::Read)?;
        stage.forge.release_webhooks(Order::Made).await;
        stage
            .until("both presses to be refused", async |stage| {
                let asked = stage.forge.traffic();
                let asked = asked.iter().filter(|one| one.path.ends_with("/permission"));
                Ok((asked.count() == 2).then_some(()))
            })
            .await?;

        stage.forge.set_role(REPOSITORY, WRITER, Role::Write)?;
        stage.forge.rerun(before["reed"].id, WRITER)?;
        stage.concluded(&head, &[("reed", Success)]).await?;
        ensure!(stage.created_runs() == 2, "one for each build");
        Ok(())
    });
}

#[test]
fn a_build_is_cancelled_and_built_again_by_commands() {
    Stage::play(Setup::default(), async |stage| {
        let gate = stage.gate("reed");
        let reed = Recipe::new("reed").build(&gate.wait());
        let head = stage.push(&[reed.file()]).await?;
        stage
            .until("the build's order", async |stage| {
                Ok((stage.orders().len() == 1).then_some(()))
            })
            .await?;

        let said = ask(stage, &head, STRANGER, "/cancel", Content::MinusOne).await?;
        ensure!(said.contains("write access"), "{said}");
        let said = ask(stage, &head, STRANGER, "/status", Content::PlusOne).await?;
        ensure!(said.contains("1 not done"), "{said}");
        react(stage, &head, "/cancel", Content::PlusOne).await?;
        stage.concluded(&head, &[("reed", Cancelled)]).await?;
        let said = ask(stage, &head, WRITER, "/cancel", Content::Confused).await?;
        ensure!(said.contains("nothing to cancel"), "{said}");

        gate.open()?;
        react(stage, &head, "/rebuild", Content::Rocket).await?;
        stage.succeeded(&head, &["reed"]).await?;
        let said = ask(stage, &head, WRITER, "/rebuild", Content::Confused).await?;
        ensure!(said.contains("`/rebuild reed`"), "{said}");
        react(stage, &head, "/rebuild reed", Content::Rocket).await?;
        stage
            .until("the build that was named", async |stage| {
                let published = stage.published().await?;
                Ok((published.names() == ["reed-1.0-1-2"]).then_some(()))
            })
            .await?;
        stage.succeeded(&head, &["reed"]).await?;
        let said = ask(stage, &head, STRANGER, "/REBUILD", Content::Confused).await?;
        ensure!(said.contains("Did you mean `/rebuild`?"), "{said}");
        let said = ask(stage, &head, STRANGER, "/help", Content::PlusOne).await?;
        ensure!(said.contains("`/cancel [RECIPE…]`"), "{said}");
        Ok(())
    });
}

/// Comments on a commit, and waits for the reaction to it.
async fn react_to(
    stage: &mut Stage,
    head: &Sha,
    login: &str,
    text: &str,
    expected: Content,
) -> Result<()> {
    let asked = stage
        .forge
        .comment_on_commit(REPOSITORY, head, login, text)
        .await?;
    let reaction = stage.reaction(asked).await?;
    ensure!(reaction == expected, "{reaction:?} to {text}");
    Ok(())
}

/// As [`react_to`], by the writer.
async fn react(stage: &mut Stage, head: &Sha, text: &str, expected: Content) -> Result<()> {
    react_to(stage, head, WRITER, text, expected).await
}

/// As [`react_to`]; gives the comment that answers.
async fn ask(
    stage: &mut Stage,
    head: &Sha,
    login: &str,
    text: &str,
    expected: Content,
) -> Result<String> {
    react_to(stage, head, login, text, expected).await?;
    stage.read_comment(&on_commit(head)).await
}
