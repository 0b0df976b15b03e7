//! What summit takes, what it refuses, and what it makes good.

use anyhow::{Context as _, ensure};
use forge::{Content, Mode};
use harness::hook::Hook;
use harness::{REPOSITORY, Recipe, Setup, Stage, WRITER};

/// GitHub's cap on a webhook's body.
const CAP: usize = 25 << 20;

const GUID: &str = "72d3162e-cc78-11e3-81ab-4c9367dc0958";

#[test]
fn what_github_did_not_send_is_refused() {
    Stage::play(Setup::default(), async |stage| {
        let secret = stage.webhook_secret()?;
        let hook = || Hook::unsigned(GUID, "push", "{}");
        let large = vec![b' '; CAP + 1];
        let cases = [
            ("no signature", hook(), 401, "unauthenticated"),
            (
                "another's",
                hook().signed("guessed"),
                401,
                "unauthenticated",
            ),
            (
                "of another body",
                hook().header(
                    "x-hub-signature-256",
                    "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
                ),
                401,
                "unauthenticated",
            ),
            (
                "no hexadecimal",
                hook().header("x-hub-signature-256", "sha256=secret"),
                401,
                "unauthenticated",
            ),
            (
                "only the old signature",
                hook().header("x-hub-signature", "sha1=0"),
                401,
                "unauthenticated",
            ),
            (
                "no JSON",
                Hook::unsigned(GUID, "push", "push").signed(&secret),
                400,
                "malformed",
            ),
            (
                "no GUID",
                hook().without("x-github-delivery").signed(&secret),
                400,
                "malformed",
            ),
            (
                "no event",
                hook().without("x-github-event").signed(&secret),
                400,
                "malformed",
            ),
            (
                "too large",
                Hook::unsigned(GUID, "push", large).signed(&secret),
                413,
                "too-large",
            ),
            (
                "unknown",
                Hook::unsigned(GUID, "sponsorship", "{}").signed(&secret),
                202,
                "not known",
            ),
        ];
        for (name, hook, status, word) in cases {
            let answer = stage.send(hook).await?;
            ensure!(answer.status.as_u16() == status, "{name}: {answer:?}");
            ensure!(answer.body.contains(word), "{name}: {answer:?}");
        }
        stage.summit.stop().await?;
        let inbox = stage.inbox()?;
        ensure!(inbox.is_empty(), "{inbox:?}");
        stage.summit.start().await
    });
}

#[test]
fn a_delivery_is_done_once() {
    Stage::play(Setup::default(), async |stage| {
        stage.forge.set_webhooks(Mode::Double);
        let head = stage.push(&[Recipe::new("reed").file()]).await?;
        stage.succeeded(&head, &["reed"]).await?;
        stage.forge.set_webhooks(Mode::Deliver);
        let pushes = stage.delivered("push").await?;
        ensure!(pushes == 2, "it was doubled");
        let push = stage
            .forge
            .deliveries()
            .into_iter()
            .find(|row| row.event == "push")
            .context("a push")?;
        stage.forge.redeliver(push.id)?;
        stage
            .until("the redelivery", async |stage| {
                let rows = stage.forge.deliveries();
                let again = rows.iter().filter(|row| row.guid == push.guid).count();
                Ok((again == 3).then_some(()))
            })
            .await?;
        stage.delivered("push").await?;

        // What it would have done is done after it, so its end shows that nothing came of it.
        let next = stage.push(&[Recipe::new("drum").file()]).await?;
        stage.succeeded(&next, &["drum"]).await?;
        let runs = stage.runs_on(&head);
        ensure!(runs.len() == 1 && stage.created_runs() == 2, "{runs:?}");
        ensure!(stage.orders().len() == 2);
        Ok(())
    });
}

#[test]
fn a_webhook_that_never_comes_is_made_good() {
    let setup = Setup {
        sweep_seconds: 1,
        ..Setup::default()
    };
    Stage::play(setup, async |stage| {
        stage.forge.set_webhooks(Mode::Mute);
        let head = stage.push(&[Recipe::new("reed").file()]).await?;
        stage.succeeded(&head, &["reed"]).await?;
        let (_, proposed) = stage.propose("drum", &[Recipe::new("drum").file()]).await?;
        stage.succeeded(&proposed, &["drum"]).await?;
        ensure!(stage.sent("push").is_empty(), "none was sent");
        Ok(())
    });
}

#[test]
fn a_webhook_that_was_not_taken_is_asked_for_again() {
    let setup = Setup {
        sweep_seconds: 1,
        ..Setup::default()
    };
    Stage::play(setup, async |stage| {
        let head = stage.push(&[Recipe::new("reed").file()]).await?;
        stage.succeeded(&head, &["reed"]).await?;
        // Nothing but its delivery tells of a comment.
        stage.forge.set_webhooks(Mode::Lose);
        let comment = stage
            .forge
            .comment_on_commit(REPOSITORY, &head, WRITER, "/rebuild")
            .await?;
        stage.forge.set_webhooks(Mode::Deliver);
        let reaction = stage.reaction(comment).await?;
        ensure!(reaction == Content::Rocket, "{reaction:?}");
        stage
            .until("the second build", async |stage| {
                let published = stage.published().await?;
                Ok((published.names() == ["reed-1.0-1-2"]).then_some(()))
            })
            .await
    });
}
