//! What summit takes, what it refuses, and what it makes good.

use anyhow::{Context as _, ensure};
use forge::{Content, Mode};
use harness::hook::Hook;
use harness::{REPOSITORY, Recipe, Setup, Stage, WRITER};

/// GitHub's cap on a webhook's body.
const CAP: usize = 25 << 20;

const GUID: &str = "72d3162e-cc78-11e3-81ab-4c9367dc0958";

/// A webhook that is not taken, what is answered to it, and what summit says of it in its log.
struct Refused {
    name: &'static str,
    hook: Hook,
    status: u16,
    answer: &'static str,
    log: &'static str,
}

fn badly_signed(guid: &str) -> Vec<Refused> {
    let hook = || Hook::unsigned(guid, "push", "{}");
    let of_another = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    [
        ("no signature", hook()),
        ("another's", hook().signed("guessed")),
        (
            "of another body",
            hook().header("x-hub-signature-256", of_another),
        ),
        (
            "no hexadecimal",
            hook().header("x-hub-signature-256", "sha256=secret"),
        ),
        (
            "only the old signature",
            hook().header("x-hub-signature", "sha1=0"),
        ),
    ]
    .map(|(name, hook)| Refused {
        name,
        hook,
        status: 401,
        answer: "unauthenticated",
        log: "a webhook was refused: ",
    })
    .into()
}

fn badly_made(guid: &str, secret: &str) -> [Refused; 3] {
    [
        Refused {
            name: "no JSON",
            hook: Hook::unsigned(guid, "push", "push").signed(secret),
            status: 400,
            answer: "malformed",
            log: "a webhook is no JSON",
        },
        Refused {
            name: "too large",
            hook: Hook::unsigned(guid, "push", vec![b' '; CAP + 1]).signed(secret),
            status: 413,
            answer: "too-large",
            log: "a webhook's body was not read: ",
        },
        Refused {
            name: "unknown",
            hook: Hook::unsigned(guid, "sponsorship", "{}").signed(secret),
            status: 202,
            answer: "not known",
            log: "a webhook of an unknown event",
        },
    ]
}

#[test]
fn what_github_did_not_send_is_refused_and_logged() {
    Stage::play(Setup::default(), async |stage| {
        let secret = stage.webhook_secret()?;
        let mut cases = badly_signed(GUID);
        cases.extend(badly_made(GUID, &secret));
        for (number, case) in cases.into_iter().enumerate() {
            let name = case.name;
            // Each has its own, by which it is found in the log.
            let guid = format!("{}{number:02}", &GUID[..GUID.len() - 2]);
            let answer = stage
                .send(case.hook.header("x-github-delivery", &guid))
                .await?;
            ensure!(answer.status.as_u16() == case.status, "{name}: {answer:?}");
            ensure!(answer.body.contains(case.answer), "{name}: {answer:?}");
            let about = format!("\"delivery.id\":\"{guid}\"");
            let what = format!("a log line on {name}: {:?} with {about}", case.log);
            stage
                .until(&what, async |stage| {
                    let lines = stage.summit.log().lines();
                    let mut lines = lines.iter().filter(|line| line.contains(case.log));
                    Ok(lines.find(|line| line.contains(&about)).map(drop))
                })
                .await?;
        }
        for header in ["x-github-delivery", "x-github-event"] {
            let hook = Hook::unsigned(GUID, "push", "{}").without(header);
            let answer = stage.send(hook.signed(&secret)).await?;
            ensure!(answer.status.as_u16() == 400, "{header}: {answer:?}");
            ensure!(answer.body.contains("malformed"), "{header}: {answer:?}");
            let about = format!("\"header\":\"{header}\"");
            stage
                .until("a log line on a missing header", async |stage| {
                    let lines = stage.summit.log().lines();
                    let mut lines = lines.iter().filter(|line| line.contains(&about));
                    Ok(lines
                        .find(|line| line.contains("a webhook lacks a header"))
                        .map(drop))
                })
                .await?;
        }
        stage.summit.stop().await?;
        let kept = stage.kept_deliveries()?;
        ensure!(kept.is_empty(), "{kept:?}");
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
            .comment_on_commit(REPOSITORY, &head, WRITER, "/rebuild reed")
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
