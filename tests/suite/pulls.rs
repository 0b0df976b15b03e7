//! Pull requests: built, shown, and never published.

use anyhow::{Context as _, ensure};
use forge::Conclusion::{ActionRequired, Cancelled};
use forge::{Content, OpenPull, Point, Role, Subject};
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
                let runs = stage.forge.check_runs_on(REPOSITORY, &head);
                Ok((runs.len() == 2).then_some(()))
            })
            .await?;
        stage.forge.close_pull(REPOSITORY, number, WRITER).await?;
        stage.concluded(&head, &[("reed", Cancelled)]).await?;
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
        let runs = stage.concluded(&head, &[("reed", ActionRequired)]).await?;
        let said = runs["reed"].output.summary.clone().unwrap_or_default();
        ensure!(said.contains("stranger has no write access"), "{said}");
        ensure!(stage.orders().len() == 1, "only the base was built");
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
        let runs = stage.concluded(&head, &[("reed", ActionRequired)]).await?;
        for open in [true, false] {
            if !open {
                stage.forge.close_pull(REPOSITORY, number, STRANGER).await?;
                stage.concluded(&head, &[("reed", Cancelled)]).await?;
            }
            let asked = stage
                .forge
                .comment_on_pull(REPOSITORY, number, WRITER, "/rebuild")?;
            ensure!(stage.reaction(asked).await? == Content::Confused);
            let answer = stage.read_comment(&Subject::Pull(number)).await?;
            ensure!(answer.contains("stranger has no write access"), "{answer}");
        }
        stage.forge.rerun(runs["reed"].id, WRITER)?;
        stage.forge.rerun_suite(runs["reed"].suite, WRITER).await?;
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
        };
        let number = stage.forge.open_pull(open).await?;
        stage.concluded(&head, &[("reed", ActionRequired)]).await?;
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
