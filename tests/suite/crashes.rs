//! Services that are killed at named points. Nothing is lost, and nothing is done twice.

use anyhow::{Context as _, Result, ensure};
use api::attempt::Phase;
use forge::{Pause, Point, Sha};
use harness::hook::Hook;
use harness::stage::LIMIT;
use harness::{REPOSITORY, Recipe, Setup, Stage, WRITER};
use summit::domain::build::{Progress, State};

/// Kills summit once a request is held, and starts it again.
async fn kill_summit_at(stage: &mut Stage, pause: Pause) -> Result<()> {
    pause
        .held(LIMIT)
        .await
        .context("summit did not get there")?;
    stage.summit.kill().await?;
    pause.resume();
    stage.summit.start().await
}

/// Pushes a recipe with summit killed at a point, and looks that all came out as if it had not been.
fn survive(point: impl FnOnce(&Stage) -> Pause) {
    Stage::play(Setup::default(), async |stage| {
        // What a sweep would find must not be what saves it.
        let _no_sweep = stage
            .forge
            .pause(Point::rest("GET", "/orgs/*/installation"));
        // A host is only asked for what no stone provides.
        let files = [Recipe::new("reed").needs("binary(sh)").file()];
        let (checkout, head) = stage.commit(REPOSITORY, &files).await?;
        let pause = point(stage);
        checkout.push("main").await?;
        stage.delivered("push").await?;
        kill_summit_at(stage, pause).await?;
        stage.succeeded(&head, &["reed"]).await?;
        once(stage, &head).await
    });
}

/// One build, one check run, one publication.
async fn once(stage: &Stage, head: &Sha) -> Result<()> {
    let runs = stage.recipe_runs_on(head);
    ensure!(runs.len() == 1, "one check run: {runs:#?}");
    let build = stage.build_of(&runs[0]).await?;
    ensure!(build.attempts == 1, "one attempt: {build:?}");
    let names = stage.published().await?.names();
    ensure!(names == ["reed-1.0-1-1"], "{names:?}");
    let histories = stage.histories().await?;
    ensure!(histories.len() == 1, "one publication: {histories:?}");
    Ok(())
}

/// An answer is a promise: what it was given for is on the disk by then, not a little later.
#[test]
fn summit_killed_at_the_moment_of_its_answer() {
    Stage::play(Setup::default(), async |stage| {
        let secret = stage.webhook_secret()?;
        for round in 0..10 {
            let guid = format!("72d3162e-cc78-11e3-81ab-4c9367dc{round:04}");
            let hook = Hook::unsigned(&guid, "push", "{}").signed(&secret);
            let answer = stage.send(hook).await?;
            stage.summit.kill().await?;
            ensure!(answer.status == 200, "{answer:?}");
            let kept = stage.kept_deliveries()?;
            ensure!(
                kept.iter().any(|(known, _)| *known == guid),
                "{guid} was answered and is lost"
            );
            stage.summit.start().await?;
        }
        Ok(())
    });
}

#[test]
fn summit_killed_after_the_answer_to_the_webhook() {
    survive(|stage| stage.forge.pause(Point::upload_pack()));
}

/// A command is stored with the answer to its webhook, and nothing else tells of it.
#[test]
fn summit_killed_when_a_command_is_taken_but_not_run() {
    Stage::play(Setup::default(), async |stage| {
        let head = stage.push(&[Recipe::new("reed").file()]).await?;
        stage.succeeded(&head, &["reed"]).await?;
        let role = Point::rest("GET", "/repos/*/*/collaborators/*/permission");
        let pause = stage.forge.pause(role);
        let comment = stage
            .forge
            .comment_on_commit(REPOSITORY, &head, WRITER, "/rebuild reed")
            .await?;
        stage.delivered("commit_comment").await?;
        kill_summit_at(stage, pause).await?;
        let reaction = stage.reaction(comment).await?;
        ensure!(reaction == forge::Content::Rocket, "{reaction:?}");
        stage
            .until("the second build", async |stage| {
                let published = stage.published().await?;
                Ok((published.names() == ["reed-1.0-1-2"]).then_some(()))
            })
            .await?;
        let runs = stage.recipe_runs_on(&head);
        ensure!(runs.len() == 2, "one for each build: {runs:#?}");
        Ok(())
    });
}

#[test]
fn summit_killed_when_planned_but_not_shown() {
    survive(|stage| {
        stage
            .forge
            .pause(Point::rest("POST", "/repos/*/*/check-runs"))
    });
}

#[test]
fn summit_killed_when_shown_but_not_remembered() {
    survive(|stage| {
        stage
            .forge
            .pause(Point::rest("POST", "/repos/*/*/check-runs").done())
    });
}

#[test]
fn summit_killed_when_it_reads_the_channel() {
    survive(|stage| stage.vessel.pause(Point::rest("GET", "/main/stream/**")));
}

#[test]
fn summit_killed_when_it_asks_what_the_host_supplies() {
    survive(|stage| {
        stage
            .avalanche
            .pause(Point::rest("POST", "/api/v1/host/lookup"))
    });
}

#[test]
fn summit_killed_before_the_conclusion_is_shown() {
    survive(|stage| {
        stage
            .forge
            .pause(Point::rest("PATCH", "/repos/*/*/check-runs/*").done())
    });
}

#[test]
fn summit_killed_when_dispatched_but_not_heard() {
    survive(|stage| {
        stage
            .avalanche
            .pause(Point::rest("PUT", "/api/v1/attempts/*"))
    });
}

#[test]
fn summit_killed_when_dispatched_but_not_acknowledged() {
    survive(|stage| {
        stage
            .avalanche
            .pause(Point::rest("PUT", "/api/v1/attempts/*").done())
    });
}

#[test]
fn summit_killed_when_an_import_is_ordered_but_not_heard() {
    survive(|stage| stage.vessel.pause(Point::rest("PUT", "/api/v1/imports/*")));
}

#[test]
fn summit_killed_when_an_import_is_ordered_but_not_acknowledged() {
    survive(|stage| {
        stage
            .vessel
            .pause(Point::rest("PUT", "/api/v1/imports/*").done())
    });
}

#[test]
fn summit_killed_when_published_but_not_released() {
    survive(|stage| {
        stage
            .avalanche
            .pause(Point::rest("POST", "/api/v1/attempts/*/release"))
    });
}

#[test]
fn summit_killed_again_and_again() {
    Stage::play(Setup::default(), async |stage| {
        let _no_sweep = stage
            .forge
            .pause(Point::rest("GET", "/orgs/*/installation"));
        let files = [Recipe::new("reed").file()];
        let (checkout, head) = stage.commit(REPOSITORY, &files).await?;
        let runs = Point::rest("POST", "/repos/*/*/check-runs");
        let attempts = Point::rest("PUT", "/api/v1/attempts/*");
        let imports = Point::rest("PUT", "/api/v1/imports/*");
        // All are armed before anything can pass them: check runs are shown beside the rest.
        let points = [
            stage.forge.pause(Point::upload_pack()),
            stage.forge.pause(runs.clone()),
            stage.forge.pause(runs.done()),
            stage.avalanche.pause(attempts.clone()),
            stage.avalanche.pause(attempts.done()),
            stage.vessel.pause(imports.clone()),
            stage.vessel.pause(imports.done()),
        ];
        checkout.push("main").await?;
        stage.delivered("push").await?;
        for (step, pause) in points.into_iter().enumerate() {
            pause
                .held(LIMIT)
                .await
                .with_context(|| format!("step {step}"))?;
            stage.summit.kill().await?;
            pause.resume();
            stage.summit.start().await?;
        }
        stage.succeeded(&head, &["reed"]).await?;
        once(stage, &head).await
    });
}

/// Waits until a recipe's build script is at work.
async fn building(stage: &mut Stage, head: &Sha) -> Result<()> {
    stage
        .until("the build script at work", async |stage| {
            let runs = stage.runs_on(head);
            let Some(run) = runs.get("reed") else {
                return Ok(None);
            };
            let build = stage.build_of(run).await?;
            let State::Building {
                progress: Progress::Running { phase, .. },
                ..
            } = build.state
            else {
                return Ok(None);
            };
            Ok((phase == Phase::Build).then_some(()))
        })
        .await
}

#[test]
fn summit_stopped_while_a_build_runs() {
    Stage::play(Setup::default(), async |stage| {
        let gate = stage.gate("reed");
        let recipe = Recipe::new("reed").build(&gate.wait());
        let head = stage.push(&[recipe.file()]).await?;
        building(stage, &head).await?;
        stage.summit.stop().await?;
        stage.summit.start().await?;
        gate.open()?;
        stage.succeeded(&head, &["reed"]).await?;
        once(stage, &head).await
    });
}

#[test]
fn summit_away_for_longer_than_the_lease() {
    let setup = Setup {
        lease_seconds: 10,
        ..Setup::default()
    };
    Stage::play(setup, async |stage| {
        let gate = stage.gate("reed");
        let recipe = Recipe::new("reed").build(&gate.wait());
        let head = stage.push(&[recipe.file()]).await?;
        building(stage, &head).await?;
        stage.summit.kill().await?;
        stage
            .until("the end of the attempt", async |stage| {
                let mut lines = stage.avalanche.log().lines().into_iter();
                Ok(lines.any(|line| line.contains("expired")).then_some(()))
            })
            .await?;
        gate.open()?;
        stage.summit.start().await?;
        let runs = stage.succeeded(&head, &["reed"]).await?;
        let build = stage.build_of(&runs["reed"]).await?;
        ensure!(build.attempts == 2, "the first expired: {build:?}");
        ensure!(stage.recipe_runs_on(&head).len() == 1);
        Ok(())
    });
}

#[test]
fn avalanche_and_vessel_away_for_a_while() {
    Stage::play(Setup::default(), async |stage| {
        stage.avalanche.stop().await?;
        let head = stage.push(&[Recipe::new("reed").file()]).await?;
        stage
            .until("the reason why it waits", async |stage| {
                let standstill = stage.summit_status().await?.standstill;
                let mut reasons = standstill.values().map(|known| known.reason.as_str());
                Ok(reasons
                    .any(|said| said.starts_with("no builder can be reached"))
                    .then_some(()))
            })
            .await?;
        let pause = stage.vessel.pause(Point::rest("PUT", "/api/v1/imports/*"));
        stage.avalanche.start().await?;
        pause.held(LIMIT).await.context("no import was ordered")?;
        stage.vessel.stop().await?;
        pause.resume();
        stage.vessel.start().await?;
        stage.succeeded(&head, &["reed"]).await?;
        once(stage, &head).await
    });
}

#[test]
fn avalanche_killed_while_it_builds() {
    Stage::play(Setup::default(), async |stage| {
        let gate = stage.gate("reed");
        let recipe = Recipe::new("reed").build(&gate.wait());
        let head = stage.push(&[recipe.file()]).await?;
        building(stage, &head).await?;
        stage.avalanche.kill().await?;
        gate.open()?;
        stage.avalanche.start().await?;
        let runs = stage.succeeded(&head, &["reed"]).await?;
        let build = stage.build_of(&runs["reed"]).await?;
        ensure!(build.attempts == 2, "the first was lost: {build:?}");
        ensure!(stage.recipe_runs_on(&head).len() == 1);
        ensure!(stage.histories().await?.len() == 1);
        Ok(())
    });
}

#[test]
fn vessel_killed_while_it_fetches() {
    Stage::play(Setup::default(), async |stage| {
        let pause = stage.avalanche.pause(Point::rest("GET", "/assets/**"));
        let head = stage.push(&[Recipe::new("reed").file()]).await?;
        pause.held(LIMIT).await.context("no stone was fetched")?;
        stage.vessel.kill().await?;
        pause.resume();
        stage.vessel.start().await?;
        stage.succeeded(&head, &["reed"]).await?;
        once(stage, &head).await
    });
}

#[test]
fn vessel_killed_when_published_but_not_told() {
    Stage::play(Setup::default(), async |stage| {
        let pause = stage
            .vessel
            .pause(Point::rest("GET", "/api/v1/imports/*").done());
        let head = stage.push(&[Recipe::new("reed").file()]).await?;
        pause.held(LIMIT).await.context("no import was followed")?;
        stage
            .until("the publication", async |stage| {
                Ok((!stage.published().await?.names().is_empty()).then_some(()))
            })
            .await?;
        stage.vessel.kill().await?;
        pause.resume();
        stage.vessel.start().await?;
        stage.succeeded(&head, &["reed"]).await?;
        once(stage, &head).await
    });
}
