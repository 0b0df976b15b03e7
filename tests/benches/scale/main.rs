//! What a distribution costs summit: 1,737 recipes pushed at once, pull requests with what was built
//! for them, and a long past. `cargo xtask scale` runs it.
//!
//! summit is the real binary in a process of its own, so that its processor time and its memory are
//! told apart from those of all else. The recipes are the corpus', copied under other names. The
//! builder is a stand-in that takes orders and goes from phase to phase as it is told.

#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

mod builder;
mod past;
mod recipes;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use api::id::{AttemptId, BuildId};
use forge::Sha;
use harness::figures::{self, Figures, Used};
use harness::sender::{self, Template};
use harness::{File, REPOSITORY, Setup, Stage};
use memchr::memmem;
use summit::db::Tables;
use summit::domain::build::Build;

use builder::StandIn;

/// How many recipes the organisation has.
const RECIPES: usize = 1737;
/// How many builds ended long ago.
const SETTLED: usize = 100_000;
/// How many pull requests are open, and how many recipes each changes.
const PULLS: usize = 300;
const RECIPES_OF_PULL: usize = 5;
/// How many events are measured together.
const EVENTS: u32 = 400;
/// How long summit is watched at rest.
const REST: Duration = Duration::from_secs(30);
/// How many builds are asked for again at once, and how many recipes one pull request brings.
const REBUILT: usize = 500;
/// How long webhooks come while they are built again.
const WATCHED: Duration = Duration::from_secs(5);
const LIMIT: Duration = Duration::from_secs(600);

fn main() {
    let Some(corpus) = testbed::corpus::find() else {
        println!("nothing is measured: the recipes come from the corpus");
        return;
    };
    let setup = Setup {
        limit: LIMIT,
        ..Setup::default()
    };
    let mut figures = Figures::default();
    Stage::show(setup, async |stage| {
        measure(stage, &corpus, &mut figures).await
    });
    Stage::show(setup, async |stage| {
        schedule_pull(stage, &mut figures).await
    });
    if let Err(missed) = figures.conclude() {
        panic!("{missed}");
    }
}

async fn measure(stage: &mut Stage, corpus: &std::path::Path, figures: &mut Figures) -> Result<()> {
    let stand_in = StandIn::begin().await?;
    stage.avalanche.stop().await?;

    let pid = stage.summit.pid()?;
    let bare = Used::over(pid, REST / 3).await?;
    let fresh = figures::private_memory(pid)? as f64 / 1e6;
    push_all(stage, corpus, figures).await?;
    propose_all(stage).await?;
    // With the builds of the pull requests and the past, then with ten times as many under way.
    let mut costs = Vec::new();
    for more in [0, 9_000] {
        stage.summit.stop().await?;
        let settled = if more == 0 { SETTLED } else { 0 };
        past::write(&stage.data("summit"), settled, more)?;
        stage.summit.start().await?;
        if more == 0 {
            tokio::time::sleep(REST / 2).await;
            let rest = Used::over(stage.summit.pid()?, REST).await?;
            figures.at_most("share of a core at rest, no builder", rest.share(), 0.03);
            figures.floor("of a summit that nothing was pushed to", bare.share());
        }
        stage.avalanche.stand_in(stand_in.address())?;
        let pid = stage.summit.pid()?;
        let cost = cost_of_event(stage, &stand_in, pid).await?;
        let under_way = stage.summit_status().await?.builds.values().sum::<u64>();
        let name = format!("ms of processor time for one event, {under_way} builds under way");
        figures.at_most(&name, cost.as_secs_f64() * 1000.0, 2.0);
        costs.push(cost);
        if more == 0 {
            let memory = figures::private_memory(pid)? as f64 / 1e6;
            figures.at_most("MB of private memory", memory, 150.0);
            figures.floor("of a summit that nothing was pushed to", fresh);
        }
        stage.avalanche.stand_in_leaves();
        if more == 0 {
            rebuild(stage, figures).await?;
            push_all_anew(stage, corpus, figures).await?;
        }
    }
    let growth = costs[1].as_secs_f64() / costs[0].as_secs_f64();
    figures.at_most("the same with more by that with fewer, times", growth, 1.3);
    figures.floor(
        "ms to commit one such row, alone",
        commit_alone()?.as_secs_f64() * 1000.0,
    );
    Ok(())
}

/// What it costs to commit one row of where a build stands, with nothing around it: processor time.
fn commit_alone() -> Result<Duration> {
    let folder = tempfile::tempdir()?;
    let (env, tables) = Tables::open(folder.path(), &"x86_64".parse()?)?;
    let row = "x".repeat(400);
    let used = Used::begin(std::process::id())?;
    for number in 0..EVENTS {
        let key = AttemptId::new(BuildId::new(), number + 1);
        env.write(|txn| tables.manifests.put(txn, &key, &row))?;
    }
    Ok(used.end()?.time / EVENTS)
}

/// `/rebuild` of many builds that failed, while webhooks come.
async fn rebuild(stage: &mut Stage, figures: &mut Figures) -> Result<()> {
    stage.summit.stop().await?;
    let head = past::fail(&stage.data("summit"), REBUILT)?
        .to_string()
        .parse()?;
    stage.summit.start().await?;
    let secret = stage.webhook_secret()?;
    let body = serde_json::json!({ "ref": "refs/heads/side", "filler": "x".repeat(8000) });
    let pushes = [Template::new("push", &body.to_string(), secret.trim())];
    let (pid, address) = (stage.summit.pid()?, stage.summit.address());
    let address = address.context("summit listens")?;
    // What follows the start is over.
    tokio::time::sleep(Duration::from_secs(15)).await;
    let writer = || figures::thread_time(pid, "moss-db-writer");
    let begun = writer()?;
    let mut quiet = sender::at_a_pace(address, &pushes, 8, 200, WATCHED).await?;
    let webhooks = writer()?.saturating_sub(begun);
    let before = under_way(stage).await?;
    let busy = writer()?;
    let asked = stage
        .forge
        .comment_on_commit(REPOSITORY, &head, harness::WRITER, "/rebuild");
    asked.await?;
    let begun = Instant::now();
    let hooks = sender::at_a_pace(address, &pushes, 8, 200, WATCHED);
    let done = stage.until("the builds to be there again", async |stage| {
        let more = under_way(stage).await?.saturating_sub(before);
        Ok((more >= REBUILT as u64).then_some(more))
    });
    let (hooks, done) = tokio::join!(hooks, done);
    let (mut hooks, done) = (hooks?, done?);
    let busy = writer()?.saturating_sub(busy).saturating_sub(webhooks);
    ensure!(done == REBUILT as u64, "{done} instead of {REBUILT}");
    figures.tell(
        "s until 500 were there again, as far as lists show it",
        begun.elapsed().as_secs_f64(),
    );
    figures.at_most(
        "ms of the writer for /rebuild of 500 and what follows, without the webhooks",
        busy.as_secs_f64() * 1000.0,
        300.0,
    );
    figures.floor(
        "for as many webhooks, alone",
        webhooks.as_secs_f64() * 1000.0,
    );
    figures.at_most(
        "ms that a webhook waits at most meanwhile",
        hooks.percentile(100),
        50.0,
    );
    figures.floor("while nothing is rebuilt", quiet.percentile(100));
    Ok(())
}

async fn under_way(stage: &Stage) -> Result<u64> {
    Ok(stage.summit_status().await?.builds.values().sum())
}

/// A pull request of as many recipes as one may have, with a builder that builds each at once.
async fn schedule_pull(stage: &mut Stage, figures: &mut Figures) -> Result<()> {
    let stand_in = StandIn::begin().await?;
    stage.avalanche.stop().await?;
    stand_in.succeed_at(stage.avalanche.url());
    stage.push(&[File::new("README.md", "Recipes.")]).await?;
    let checkout = stage.checkout(REPOSITORY, harness::WRITER).await?;
    checkout.switch("many", "main").await?;
    let files: Vec<_> = (0..REBUILT)
        .map(|number| recipes::new(&format!("many-{number}")))
        .collect();
    checkout.commit(&files).await?;
    checkout.push("many").await?;
    stage.open("many", "many").await?;
    stage
        .until("all to be queued", async |stage| {
            let builds = stage.summit_status().await?.builds;
            Ok((builds.get("queued") == Some(&(REBUILT as u64))).then_some(()))
        })
        .await?;
    let used = Used::begin(stage.summit.pid()?)?;
    stage.avalanche.stand_in(stand_in.address())?;
    stage
        .until("all to be built", async |stage| {
            let builds = stage.summit_status().await?.builds;
            Ok((builds.get("built") == Some(&(REBUILT as u64))).then_some(()))
        })
        .await?;
    let each = used.end()?.time.as_secs_f64() * 1000.0 / REBUILT as f64;
    figures.tell(
        "ms of processor time for each of 500 recipes of a pull request, from queued to built",
        each,
    );
    let read = stand_in.assets_read();
    figures.floor(
        "requests for manifests when attempts succeed, one for each",
        REBUILT as f64,
    );
    let more = read.saturating_sub(REBUILT);
    figures.at_most(
        "requests for manifests while 500 recipes of a pull request are scheduled",
        more as f64,
        0.0,
    );
    ensure!(read >= REBUILT, "only {read} manifests were read");
    Ok(())
}

/// Pushes all recipes at once: until they are planned and queued, and until GitHub shows the first.
async fn push_all(
    stage: &mut Stage,
    corpus: &std::path::Path,
    figures: &mut Figures,
) -> Result<()> {
    let files = recipes::all(corpus, RECIPES)?;
    let (checkout, head) = stage.commit(REPOSITORY, &files).await?;
    checkout.push("main").await?;
    let answered = Instant::now();
    let (mut planned, mut queued, mut shown) = (None, None, None);
    while planned.is_none() || queued.is_none() || shown.is_none() {
        ensure!(answered.elapsed() < LIMIT, "not within {LIMIT:?}");
        let builds = stage.summit_status().await?.builds;
        let count = usize::try_from(builds.values().sum::<u64>())?;
        if planned.is_none() && count + recipes::UNREADABLE >= RECIPES {
            planned = Some(answered.elapsed());
        }
        if planned.is_some() && queued.is_none() && !builds.contains_key("planned") {
            queued = Some(answered.elapsed());
        }
        if shown.is_none() && !stage.forge.check_runs_on(REPOSITORY, &head).is_empty() {
            shown = Some(answered.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let seconds = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64();
    figures.tell("s from git's answer to all planned", seconds(planned));
    figures.at_most("s from git's answer to all queued", seconds(queued), 3.0);
    figures.floor(
        "s to read these recipes, alone",
        recipes::read(&files)?.as_secs_f64(),
    );
    let first = seconds(shown) - seconds(planned);
    figures.at_most("s from all planned to the first check run", first, 1.0);
    Ok(())
}

/// Pushes another release of all recipes, with the pull requests and the past that there are by now.
async fn push_all_anew(
    stage: &mut Stage,
    corpus: &std::path::Path,
    figures: &mut Figures,
) -> Result<()> {
    let files = recipes::released_anew(&recipes::all(corpus, RECIPES)?)?;
    let (checkout, head) = stage.commit(REPOSITORY, &files).await?;
    let (pushed, measured) = tokio::join!(checkout.push("main"), follow(stage, &head, figures));
    pushed?;
    measured
}

/// Measures from the webhook of a push on: git's answer comes later, once the forge has seen to all
/// pull requests. Check runs are not measured: the hour's share of new ones is used up by then.
async fn follow(stage: &Stage, head: &Sha, figures: &mut Figures) -> Result<()> {
    let begun = Instant::now();
    let text = head.to_string();
    let is_sent = |stage: &Stage| {
        let sent = stage.sent("push");
        sent.iter()
            .any(|event| memmem::find(&event.body, text.as_bytes()).is_some())
    };
    while !is_sent(stage) {
        ensure!(begun.elapsed() < LIMIT, "not within {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let told = Instant::now();
    let list = "api/v1/builds?limit=1";
    loop {
        ensure!(told.elapsed() < LIMIT, "not within {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
        // First what is cheap to ask for.
        let newest = listed(stage, list).await?;
        let planned = listed(stage, &format!("{list}&state=planned")).await?;
        let is_new = |build: &Build| build.commit.to_string() == text;
        if !newest.iter().any(is_new) || !planned.is_empty() {
            continue;
        }
        let path = format!("api/v1/builds?limit={RECIPES}");
        let all = listed(stage, &path).await?;
        if all.iter().filter(|build| is_new(build)).count() + recipes::UNREADABLE >= RECIPES {
            break;
        }
    }
    let queued = told.elapsed();
    figures.at_most(
        "s from the webhook to all queued, with all that is there",
        queued.as_secs_f64(),
        3.0,
    );
    Ok(())
}

/// A page of summit's builds.
async fn listed(stage: &Stage, path: &str) -> Result<Vec<Build>> {
    let (status, body) = stage.get(path).await?;
    ensure!(status == 200, "{path}: {status}: {body}");
    Ok(serde_json::from_str(&body)?)
}

/// Opens the pull requests, and waits until they are planned.
async fn propose_all(stage: &mut Stage) -> Result<()> {
    let before = stage.summit_status().await?.builds.values().sum::<u64>();
    let checkout = stage.checkout(REPOSITORY, harness::WRITER).await?;
    for number in 0..PULLS {
        let branch = format!("change-{number}");
        checkout.switch(&branch, "main").await?;
        let files: Vec<_> = (0..RECIPES_OF_PULL)
            .map(|of_pull| recipes::new(&format!("pull-{number}-{of_pull}")))
            .collect();
        checkout.commit(&files).await?;
        checkout.push(&branch).await?;
        stage.open(&branch, &branch).await?;
    }
    let wanted = before + u64::try_from(PULLS * RECIPES_OF_PULL)?;
    stage
        .until("all pull requests to be planned", async |stage| {
            let builds = stage.summit_status().await?.builds;
            Ok((builds.values().sum::<u64>() >= wanted).then_some(()))
        })
        .await
}

/// What summit spends on one event of one build, in all its threads.
async fn cost_of_event(stage: &mut Stage, stand_in: &StandIn, pid: u32) -> Result<Duration> {
    stage
        .until("the builder to have orders", async |_| {
            Ok(stand_in.is_full().then_some(()))
        })
        .await?;
    // What follows the start is over: the sweep, the first look at everything, the first writes.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let used = Used::begin(pid)?;
    for _ in 0..EVENTS {
        stand_in.move_one();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(used.end()?.time / EVENTS)
}
