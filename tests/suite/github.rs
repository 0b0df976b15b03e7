//! A GitHub that limits, errs and forgets.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use forge::{Conclusion, Content, Failure, Point, Sha, Subject};
use harness::stage::LIMIT;
use harness::{File, REPOSITORY, Recipe, STRANGER, Setup, Stage};

fn check_runs() -> Point {
    Point::rest("POST", "/repos/*/*/check-runs")
}

/// One check run, and it says success.
async fn one_run(stage: &mut Stage, head: &Sha) -> Result<()> {
    stage.succeeded(head, &["reed"]).await?;
    let runs = stage.recipe_runs_on(head);
    ensure!(runs.len() == 1, "{runs:#?}");
    Ok(())
}

#[test]
fn errors_are_waited_out() {
    Stage::play(Setup::default(), async |stage| {
        let points = [
            check_runs(),
            Point::rest("PATCH", "/repos/*/*/check-runs/*"),
            Point::rest("GET", "/repos/*/*/commits/*/check-runs"),
            Point::rest("POST", "/app/installations/*/access_tokens"),
            Point::upload_pack(),
        ];
        let failures = points.map(|point| (point, Failure::Status(502)));
        let head = push_despite(stage, failures).await?;
        one_run(stage, &head).await
    });
}

#[test]
fn an_effect_whose_answer_was_an_error_is_not_repeated() {
    Stage::play(Setup::default(), async |stage| {
        let failure = (check_runs().done(), Failure::Status(502));
        let head = push_despite(stage, [failure]).await?;
        one_run(stage, &head).await
    });
}

/// How long after the refused request summit wrote check runs again.
fn pause_after(stage: &Stage, status: u16) -> Result<Duration> {
    let traffic = stage.forge.traffic();
    let writes = traffic
        .iter()
        .filter(|exchange| exchange.path.contains("/check-runs") && exchange.method != "GET");
    let mut writes = writes.skip_while(|exchange| exchange.status != status);
    let refused = writes.next().context("a refused write")?;
    let next = writes.next().context("a write after it")?;
    Ok(next.at.duration_since(refused.at).unsigned_abs())
}

/// A push whose first check run meets a limit that ends in two seconds.
fn is_obeyed(limit: Failure, status: u16) {
    Stage::play(Setup::default(), async |stage| {
        let head = push_despite(stage, [(check_runs(), limit)]).await?;
        one_run(stage, &head).await?;
        let pause = pause_after(stage, status)?;
        // The time of a reset has whole seconds.
        // Without what it says, a minute would be waited.
        let obeyed = Duration::from_secs(1)..Duration::from_secs(50);
        ensure!(obeyed.contains(&pause), "{pause:?}");
        let log = stage.summit.log().lines();
        let asked = log.iter().filter(|line| line.contains("asks for a pause"));
        ensure!(asked.count() == 1, "it is in the log, once");
        Ok(())
    });
}

#[test]
fn the_secondary_limit_is_obeyed() {
    let limit = |status| Failure::SecondaryLimit {
        status,
        retry_after: Some(2),
    };
    is_obeyed(limit(403), 403);
    is_obeyed(limit(429), 429);
}

#[test]
fn the_hourly_limit_is_obeyed() {
    is_obeyed(Failure::HourlyLimit { resets_in: 2 }, 403);
}

/// Reactions, comments and what else can wait are a second apart, however many are due.
#[test]
fn answers_keep_their_distance() {
    Stage::play(Setup::default(), async |stage| {
        let head = push_despite(stage, []).await?;
        one_run(stage, &head).await?;
        let on = Subject::Commit {
            sha: head.clone(),
            path: None,
            position: None,
        };
        let mut asked = Vec::new();
        for _ in 0..3 {
            let text = "/rebuild";
            let comment = stage
                .forge
                .comment_on_commit(REPOSITORY, &head, STRANGER, text)
                .await?;
            asked.push(comment);
        }
        for comment in asked {
            ensure!(stage.reaction(comment).await? == Content::MinusOne);
            stage.read_comment(&on).await?;
        }
        // A comment can be read before the forge has noted that it answered for it.
        let times = stage
            .until("six answers", async |stage| {
                let traffic = stage.forge.traffic();
                let answers = traffic.iter().filter(|exchange| {
                    let path = exchange.path.as_str();
                    exchange.method == "POST"
                        && (path.contains("/reactions") || path.ends_with("/comments"))
                });
                let times: Vec<_> = answers.map(|exchange| exchange.at).collect();
                Ok((times.len() >= 6).then_some(times))
            })
            .await?;
        ensure!(times.len() == 6, "{times:?}");
        // Between any two there is a second when they are sent. When they arrive, the first may be late on
        // a busy machine; without the distance all would come at once.
        let apart = times[5].duration_since(times[0]).as_millis();
        ensure!(apart >= 2500, "{times:?}");
        Ok(())
    });
}

/// What GitHub refuses is remembered, shown and said once; the first try that succeeds ends it.
#[test]
fn a_check_run_that_is_refused_is_explained_and_tried_again() {
    Stage::play(Setup::default(), async |stage| {
        let refusals = [422, 403].map(|status| (check_runs(), Failure::Status(status)));
        let head = push_despite(stage, refusals).await?;
        one_run(stage, &head).await?;
        let runs = stage.runs_on(&head);
        let build = stage.build_of(&runs["reed"]).await?;
        ensure!(build.shown.refused.is_none(), "{:?}", build.shown);
        let log = stage.summit.log().lines();
        let said = log
            .iter()
            .filter(|line| line.contains("GitHub refuses a check run"));
        ensure!(said.count() == 2, "each reason once");
        Ok(())
    });
}

/// A recipe with more mistakes than one request tells of, each on a line of its own.
fn riddled(count: usize) -> File {
    let mut text = Recipe::new("reed").to_string();
    text.push_str("checkdeps :\n");
    for number in 0..count {
        text.push_str(&format!("    - mistake({number}\n"));
    }
    File::new("reed/stone.yaml", text)
}

/// What the annotations of the one check run on a commit are about, in the order they came.
fn annotated_lines(stage: &Stage, head: &Sha) -> Vec<u64> {
    let runs = stage.runs_on(head);
    let annotations = runs.get("reed").map(|run| run.annotations.clone());
    let annotations = annotations.unwrap_or_default();
    annotations.iter().map(|one| one.start_line).collect()
}

#[test]
fn annotations_come_with_the_conclusion_and_none_comes_twice() {
    Stage::play(Setup::default(), async |stage| {
        // Some are sent, and summit is killed before it hears so.
        let pause = stage.forge.pause(check_runs().done());
        let head = stage.push(&[riddled(70)]).await?;
        pause.held(LIMIT).await?;
        // That was the check run of the head, which goes first. The next one is the recipe's.
        ensure!(stage.head_run(&head).is_some());
        let next = stage.forge.pause(check_runs().done());
        pause.resume();
        let pause = next;
        pause.held(LIMIT).await?;
        ensure!(
            annotated_lines(stage, &head).len() == 50,
            "with the conclusion"
        );
        stage.summit.kill().await?;
        pause.resume();
        let patch = Point::rest("PATCH", "/repos/*/*/check-runs/*");
        let pause = stage.forge.pause(patch.done());
        stage.summit.start().await?;
        pause.held(LIMIT).await?;
        stage.summit.kill().await?;
        pause.resume();
        stage.summit.start().await?;
        stage
            .concluded(&head, &[("reed", Conclusion::Failure)])
            .await?;
        stage
            .until("all annotations", async |stage| {
                Ok((annotated_lines(stage, &head).len() >= 70).then_some(()))
            })
            .await?;
        let lines = annotated_lines(stage, &head);
        let first = lines[0];
        let expected: Vec<u64> = (first..first + 70).collect();
        ensure!(lines == expected, "{lines:?}");
        Ok(())
    });
}

#[test]
fn tokens_that_end_are_replaced() {
    Stage::play(Setup::default(), async |stage| {
        let first = push_despite(stage, []).await?;
        stage.succeeded(&first, &["reed"]).await?;
        stage.forge.revoke_tokens();
        let second = stage.push(&[Recipe::new("reed").release(2).file()]).await?;
        stage.succeeded(&second, &["reed"]).await?;
        let names = stage.published().await?.names();
        ensure!(names == ["reed-1.0-2-1"], "{names:?}");
        Ok(())
    });
}

/// Pushes one recipe. The failures are summit's, not the pusher's.
async fn push_despite<const N: usize>(
    stage: &Stage,
    failures: [(Point, Failure); N],
) -> Result<Sha> {
    let files = [Recipe::new("reed").file()];
    let (checkout, head) = stage.commit(REPOSITORY, &files).await?;
    for (point, failure) in failures {
        stage.forge.fail_next(point, failure);
    }
    checkout.push("main").await?;
    Ok(head)
}
