//! What summit was killed with in its inbox: taken, answered, and nothing done about it yet.

use anyhow::{Context as _, Result, ensure};
use forge::{Mode, Point};
use harness::{REPOSITORY, Recipe, Setup, Stage, WRITER};
use summit::db::{Delivery, Tables};

/// Writes a delivery into the inbox of a summit that does not run, as [`Tables`] hold one between
/// the answer to GitHub and the first step of its work.
fn leave_undone(stage: &Stage, event: &forge::Event) -> Result<()> {
    let (db, tables) = Tables::open(&stage.data("summit"), &"x86_64".parse()?)?;
    let delivery = Delivery {
        event: event.event.clone().into_owned(),
        arrival: 0,
        received_at: jiff::Timestamp::now(),
        outcome: None,
    };
    let body = serde_json::from_slice(&event.body)?;
    db.write(|txn| {
        tables.bodies.put(txn, &event.guid.to_string(), &body)?;
        let arrival = tables.arrivals.next(txn)?;
        let delivery = Delivery {
            arrival,
            ..delivery.clone()
        };
        tables
            .deliveries
            .put(txn, &event.guid.to_string(), &delivery)
    })
    .map_err(|error: moss_db::Error| error.into())
}

fn held(stage: &Stage, name: &str) -> Result<forge::Event> {
    let events = stage.forge.held_webhooks();
    let found = events.into_iter().find(|event| event.event == name);
    found.with_context(|| format!("no {name} was held"))
}

#[test]
fn a_push_that_was_taken_but_not_begun_is_built() {
    Stage::play(Setup::default(), async |stage| {
        let _no_sweep = stage
            .forge
            .pause(Point::rest("GET", "/orgs/*/installation"));
        stage.summit.kill().await?;
        stage.forge.set_webhooks(Mode::Hold);
        let head = stage.push(&[Recipe::new("reed").file()]).await?;
        leave_undone(stage, &held(stage, "push")?)?;
        stage.forge.set_webhooks(Mode::Mute);
        stage.summit.start().await?;
        let runs = stage.succeeded(&head, &["reed"]).await?;
        let build = stage.build_of(&runs["reed"]).await?;
        ensure!(build.attempts == 1, "{build:?}");
        Ok(())
    });
}

#[test]
fn a_command_that_was_taken_but_not_begun_is_run() {
    Stage::play(Setup::default(), async |stage| {
        let head = stage.push(&[Recipe::new("reed").file()]).await?;
        stage.succeeded(&head, &["reed"]).await?;
        stage.summit.kill().await?;
        stage.forge.set_webhooks(Mode::Hold);
        let comment = stage
            .forge
            .comment_on_commit(REPOSITORY, &head, WRITER, "/rebuild reed")
            .await?;
        leave_undone(stage, &held(stage, "commit_comment")?)?;
        stage.forge.set_webhooks(Mode::Mute);
        stage.summit.start().await?;
        let reaction = stage.reaction(comment).await?;
        ensure!(reaction == forge::Content::Rocket, "{reaction:?}");
        stage
            .until("the second run", async |stage| {
                let runs = stage.forge.check_runs_on(REPOSITORY, &head);
                Ok((runs.len() == 2).then_some(()))
            })
            .await?;
        stage.succeeded(&head, &["reed"]).await?;
        Ok(())
    });
}
