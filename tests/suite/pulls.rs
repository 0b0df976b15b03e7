//! Pull requests: built, shown, and never published.

use anyhow::{Context as _, Result, ensure};
use forge::Conclusion::{ActionRequired, Cancelled, Failure};
use forge::{Content, Mode, OpenPull, Point, Role, Sha, Subject};
use harness::stage::LIMIT;
use harness::{REPOSITORY, Recipe, STRANGER, Setup, Stage, WRITER};
use summit::domain::build::State;

#[test]
fn a_pull_request_of_a_writer_is_built_and_not_published() {
    Stage::play(Setup::default(), async |stage| {
        let base = stage.push(&[Recipe::new("drum").file()]).await?;
        stage.succeeded(&base, &["drum"]).await?;
        let reed = Recipe::new("reed").pkgconfig("reed");
        let flute = Recipe::new("flute").uses_pkgconfig("reed");
        let (number, head) = stage.propose("winds", &[flute.file(), reed.file()]).await?;
        let runs = stage.succeeded(&head, &["flute", "reed"]).await?;
        let order = stage.orders().pop().context("an order")?;
        let closure = order["closure"].to_string();
        ensure!(order["recipe"] == "flute", "{order}");
        ensure!(
            closure.contains("reed-devel") && closure.contains("/assets/"),
            "against the stone that only its builder has: {closure}"
        );
        for run in runs.values() {
            let build = stage.build_of(run).await?;
            ensure!(matches!(build.state, State::Built(_)), "{build:?}");
        }
        let names = stage.published().await?.names();
        ensure!(names == ["drum-1.0-1-1"], "{names:?}");

        // The merge is published, whether or not it is built again.
        let merged = stage.forge.merge_pull(REPOSITORY, number, WRITER).await?;
        stage.succeeded(&merged, &["flute", "reed"]).await?;
        let names = stage.published().await?.names();
        ensure!(names.len() == 4, "{names:?}");
        Ok(())
    });
}

#[test]
fn a_new_push_takes_the_place_of_what_is_under_way() {
    Stage::play(Setup::default(), async |stage| {
        stage.push(&[Recipe::new("drum").file()]).await?;
        let endless = Recipe::new("reed").build("sleep 600");
        let (number, first) = stage.propose("reed", &[endless.file()]).await?;
        stage
            .until("the first build at work", async |stage| {
                let runs = stage.runs_on(&first);
                Ok(runs
                    .get("reed")
                    .filter(|run| run.status.word() == "in_progress")
                    .map(drop))
            })
            .await?;
        let (same, second) = stage.propose("reed", &[Recipe::new("reed").file()]).await?;
        ensure!(same == number);
        stage.concluded(&first, &[("reed", Cancelled)]).await?;
        stage.succeeded(&second, &["reed"]).await?;
        Ok(())
    });
}

#[test]
fn a_closed_pull_request_is_given_up() {
    Stage::play(Setup::default(), async |stage| {
        stage.push(&[Recipe::new("drum").file()]).await?;
        let endless = Recipe::new("reed").build("sleep 600");
        let (number, head) = stage.propose("reed", &[endless.file()]).await?;
        stage
            .until("an order", async |stage| {
                let orders = stage.orders();
                Ok(orders
                    .iter()
                    .any(|order| order["recipe"] == "reed")
                    .then_some(()))
            })
            .await?;
        stage.forge.close_pull(REPOSITORY, number, WRITER).await?;
        stage.concluded(&head, &[("reed", Cancelled)]).await?;

        stage.forge.reopen_pull(REPOSITORY, number, WRITER).await?;
        stage
            .until("a second check run", async |stage| {
                let runs = stage.recipe_runs_on(&head);
                Ok((runs.len() == 2).then_some(()))
            })
            .await?;
        stage.forge.close_pull(REPOSITORY, number, WRITER).await?;
        stage.concluded(&head, &[("reed", Cancelled)]).await?;

        // Nobody would ever end what is begun now.
        let asked = stage
            .forge
            .comment_on_pull(REPOSITORY, number, WRITER, "/rebuild")?;
        ensure!(stage.reaction(asked).await? == Content::Confused);
        let answer = stage.read_comment(&Subject::Pull(number)).await?;
        ensure!(answer.contains("The pull request is closed"), "{answer}");
        ensure!(stage.created_runs() == 3, "drum's and two of reed");
        Ok(())
    });
}

/// The writer's branch `legacy`, which holds the first commit of `main` and no more.
async fn keep_legacy(stage: &Stage) -> Result<()> {
    let checkout = stage.checkout(REPOSITORY, WRITER).await?;
    checkout.switch("legacy", "main").await?;
    checkout.push("legacy").await
}

/// The conflict that the check run of `reed` tells of, if it does.
fn conflict_of(stage: &Stage, head: &Sha) -> Result<Option<String>> {
    let runs = stage.runs_on(head);
    let output = &runs.get("reed").context("a check run")?.output;
    let title = output.title.clone().unwrap_or_default();
    let summary = output.summary.clone().unwrap_or_default();
    let paragraph = summary
        .lines()
        .find_map(|line| line.strip_prefix("**Merge conflict.** "));
    let is_titled = title.ends_with("; conflicts with main");
    ensure!(is_titled == paragraph.is_some(), "{title}: {summary}");
    Ok(paragraph.map(str::to_owned))
}

/// Waits until the check run of `reed` tells of a conflict, or of none.
async fn until_conflict(stage: &mut Stage, head: &Sha, expected: Option<&str>) -> Result<()> {
    stage
        .until("the conflict or its end in the check run", async |stage| {
            let said = conflict_of(stage, head)?;
            Ok((said.as_deref() == expected).then_some(()))
        })
        .await
}

const CONFLICT: &str = "The pull request conflicts with main in reed/stone.yaml. summit builds the head without merging it.";

#[test]
fn a_pull_request_that_goes_to_another_branch_is_planned_anew() {
    Stage::play(Setup::default(), async |stage| {
        let first = stage.push(&[Recipe::new("drum").file()]).await?;
        stage.succeeded(&first, &["drum"]).await?;
        keep_legacy(stage).await?;
        let second = stage.push(&[Recipe::new("horn").file()]).await?;
        stage.succeeded(&second, &["horn"]).await?;
        let (number, head) = stage.propose("reed", &[Recipe::new("reed").file()]).await?;
        stage.succeeded(&head, &["reed"]).await?;
        // From `legacy`, the head brings the horn too.
        stage
            .forge
            .retarget_pull(REPOSITORY, number, WRITER, "legacy")
            .await?;
        stage.succeeded(&head, &["horn", "reed"]).await?;
        // The reed was built for either.
        ensure!(stage.recipe_runs_on(&head).len() == 3);
        Ok(())
    });
}

#[test]
fn a_pull_request_that_went_elsewhere_unheard_is_found_by_the_sweep() {
    let setup = Setup {
        sweep_seconds: 1,
        ..Setup::default()
    };
    Stage::play(setup, async |stage| {
        let first = stage.push(&[Recipe::new("drum").file()]).await?;
        stage.succeeded(&first, &["drum"]).await?;
        keep_legacy(stage).await?;
        let second = stage.push(&[Recipe::new("horn").file()]).await?;
        stage.succeeded(&second, &["horn"]).await?;
        let (number, head) = stage.propose("reed", &[Recipe::new("reed").file()]).await?;
        stage.succeeded(&head, &["reed"]).await?;
        stage.forge.set_webhooks(Mode::Mute);
        stage
            .forge
            .retarget_pull(REPOSITORY, number, WRITER, "legacy")
            .await?;
        stage.succeeded(&head, &["horn", "reed"]).await?;
        // A conflict with a branch that is not published, unheard too.
        let checkout = stage.checkout(REPOSITORY, WRITER).await?;
        checkout.switch("legacy", "legacy").await?;
        let rival = Recipe::new("reed").release(9).file();
        checkout.commit(&[rival]).await?;
        checkout.push("legacy").await?;
        stage
            .until("the conflict with the branch", async |stage| {
                let runs = stage.runs_on(&head);
                let title = runs["reed"].output.title.clone().unwrap_or_default();
                Ok(title.ends_with("; conflicts with legacy").then_some(()))
            })
            .await
    });
}

#[test]
fn a_conflict_is_shown_as_long_as_there_is_one() {
    Stage::play(Setup::default(), async |stage| {
        let base = stage.push(&[Recipe::new("drum").file()]).await?;
        stage.succeeded(&base, &["drum"]).await?;
        let (_, head) = stage.propose("reed", &[Recipe::new("reed").file()]).await?;
        stage.succeeded(&head, &["reed"]).await?;
        ensure!(conflict_of(stage, &head)?.is_none());
        let rival = stage.push(&[Recipe::new("reed").release(9).file()]).await?;
        stage.succeeded(&rival, &["reed"]).await?;
        until_conflict(stage, &head, Some(CONFLICT)).await?;
        // A push that does not touch it leaves the conflict as it is.
        let other = stage.push(&[Recipe::new("horn").file()]).await?;
        stage.succeeded(&other, &["horn"]).await?;
        until_conflict(stage, &head, Some(CONFLICT)).await?;
        let same = stage.push(&[Recipe::new("reed").file()]).await?;
        stage.concluded(&same, &[("reed", Failure)]).await?;
        until_conflict(stage, &head, None).await?;
        // What is built was never another: it was built once.
        let runs = stage.recipe_runs_on(&head);
        ensure!(runs.len() == 1, "{runs:#?}");
        Ok(())
    });
}

#[test]
fn nothing_of_a_stranger_runs() {
    Stage::play(Setup::default(), async |stage| {
        let base = stage.push(&[Recipe::new("drum").file()]).await?;
        stage.succeeded(&base, &["drum"]).await?;
        let fork = stage.forge.fork(REPOSITORY, STRANGER).await?.to_string();
        let reed = Recipe::new("reed").file();
        let (_, head) = stage.propose_as(STRANGER, &fork, "reed", &[reed]).await?;
        let run = stage.verdict(&head, ActionRequired).await?;
        let said = run.output.summary.unwrap_or_default();
        ensure!(said.contains("stranger has no write access"), "{said}");
        ensure!(said.contains("1 recipe waits for approval: reed"), "{said}");
        ensure!(stage.orders().len() == 1, "only the base was built");
        Ok(())
    });
}

/// A pull request can stand for more folders than anyone could look at.
#[test]
fn a_pull_request_that_changes_too_much_is_told_so() {
    Stage::play(Setup::default(), async |stage| {
        let base = stage.push(&[Recipe::new("drum").file()]).await?;
        stage.succeeded(&base, &["drum"]).await?;
        let many: Vec<_> = (0..501)
            .map(|number| Recipe::new(&format!("reed{number}")).file())
            .collect();
        let (_, head) = stage.propose("many", &many).await?;
        let run = stage.verdict(&head, Failure).await?;
        let said = run.output.summary.unwrap_or_default();
        ensure!(
            said.contains("changes 501 recipes, and the limit is 500"),
            "{said}"
        );
        // With less it is planned, and what was said of the head before is over.
        let (_, head) = stage.propose("few", &many[..1]).await?;
        stage.succeeded(&head, &["reed0"]).await?;
        Ok(())
    });
}

#[test]
fn a_writer_who_rebuilds_approves_nothing() {
    Stage::play(Setup::default(), async |stage| {
        let base = stage.push(&[Recipe::new("drum").file()]).await?;
        stage.succeeded(&base, &["drum"]).await?;
        let fork = stage.forge.fork(REPOSITORY, STRANGER).await?.to_string();
        let reed = Recipe::new("reed").file();
        let (number, head) = stage.propose_as(STRANGER, &fork, "reed", &[reed]).await?;
        let run = stage.verdict(&head, ActionRequired).await?;
        for open in [true, false] {
            if !open {
                stage.forge.close_pull(REPOSITORY, number, STRANGER).await?;
            }
            let asked = stage
                .forge
                .comment_on_pull(REPOSITORY, number, WRITER, "/rebuild")?;
            ensure!(stage.reaction(asked).await? == Content::Confused);
            let answer = stage.read_comment(&Subject::Pull(number)).await?;
            ensure!(answer.contains("stranger has no write access"), "{answer}");
        }
        stage.forge.rerun(run.id, WRITER)?;
        stage.forge.rerun_suite(run.suite, WRITER).await?;
        stage.delivered("check_suite").await?;
        // Its end shows that nothing came of all that.
        let next = stage.push(&[Recipe::new("horn").file()]).await?;
        stage.succeeded(&next, &["horn"]).await?;
        ensure!(stage.orders().len() == 2, "only the branch was built");
        Ok(())
    });
}

#[test]
fn a_pull_request_runs_once_its_author_may_write() {
    Stage::play(Setup::default(), async |stage| {
        let base = stage.push(&[Recipe::new("drum").file()]).await?;
        stage.succeeded(&base, &["drum"]).await?;
        let checkout = stage.checkout(REPOSITORY, WRITER).await?;
        checkout.switch("reed", "main").await?;
        let head = checkout.commit(&[Recipe::new("reed").file()]).await?;
        checkout.push("reed").await?;
        let open = OpenPull {
            repository: REPOSITORY,
            author: STRANGER,
            head: "reed",
            base: "main",
            title: "reed",
            body: None,
            draft: false,
        };
        let number = stage.forge.open_pull(open).await?;
        stage.verdict(&head, ActionRequired).await?;
        stage.forge.set_role(REPOSITORY, STRANGER, Role::Write)?;
        stage
            .forge
            .rename_pull(REPOSITORY, number, STRANGER, "A better reed")
            .await?;
        stage.succeeded(&head, &["reed"]).await?;
        Ok(())
    });
}

#[test]
fn a_pull_request_that_is_closed_before_it_was_looked_at_is_left_alone() {
    Stage::play(Setup::default(), async |stage| {
        stage.push(&[Recipe::new("drum").file()]).await?;
        let base = stage.head().await?;
        stage.succeeded(&base, &["drum"]).await?;
        let pause = stage.forge.pause(Point::rest("GET", "/repos/*/*/pulls/*"));
        let (number, head) = stage.propose("reed", &[Recipe::new("reed").file()]).await?;
        pause.held(LIMIT).await?;
        stage.forge.close_pull(REPOSITORY, number, WRITER).await?;
        pause.resume();
        stage.delivered("pull_request").await?;
        // Its end shows that nothing came of the pull request.
        let next = stage.push(&[Recipe::new("horn").file()]).await?;
        stage.succeeded(&next, &["horn"]).await?;
        ensure!(stage.runs_on(&head).is_empty());
        Ok(())
    });
}
