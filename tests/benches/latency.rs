//! How long a packager waits: from git's answer to a push to the check run readable over the
//! forge's REST API. `cargo xtask latency` runs it.
//!
//! On the suite's stage: every service is its real binary in a process of its own, and the push is
//! real git's. Twenty pushes, one after the other, each with its build left to finish before the
//! next, so that the machine is idle but for what is measured. Printed beside it is the floor: one
//! REST request that finds the check run there.

#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use harness::{REPOSITORY, Recipe, Setup, Stage, WRITER};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap};
use secrecy::ExposeSecret as _;

const PUSHES: usize = 20;
/// What the 95th percentile has to stay under on an idle machine.
const TARGET: Duration = Duration::from_millis(300);
const LIMIT: Duration = Duration::from_secs(60);

fn main() {
    Stage::play(Setup::default(), async |stage| measure(stage).await);
}

async fn measure(stage: &mut Stage) -> anyhow::Result<()> {
    let http = client(stage)?;
    let mut waits = Vec::with_capacity(PUSHES);
    let mut floors = Vec::with_capacity(PUSHES);
    for release in 1..=PUSHES {
        let recipe = Recipe::new("sample").release(u64::try_from(release)?);
        let (checkout, head) = stage.commit(REPOSITORY, &[recipe.file()]).await?;
        let url = format!(
            "{}/repos/{REPOSITORY}/commits/{head}/check-runs",
            stage.forge.api_url(),
        );
        checkout.push("main").await?;
        let answered = Instant::now();
        wait_for(&http, &url, answered).await?;
        waits.push(answered.elapsed());
        let asked = Instant::now();
        wait_for(&http, &url, asked).await?;
        floors.push(asked.elapsed());
        stage.succeeded(&head, &["sample"]).await?;
    }
    println!("{PUSHES} pushes, in milliseconds      min  median     p95     max");
    println!("git's answer to readable check run {}", figures(&mut waits));
    println!(
        "one request that finds it there    {}",
        figures(&mut floors)
    );
    // Sorted by now.
    let p95 = waits[(PUSHES * 95).div_ceil(100) - 1];
    ensure!(
        p95 < TARGET,
        "the 95th percentile {p95:?} is not under {TARGET:?}"
    );
    Ok(())
}

/// Speaks to the forge as a person does.
fn client(stage: &Stage) -> anyhow::Result<reqwest::Client> {
    let token = stage.forge.mint_token(WRITER)?;
    let mut headers = HeaderMap::new();
    let bearer = format!("Bearer {}", token.expose_secret());
    headers.insert(AUTHORIZATION, bearer.parse()?);
    headers.insert(ACCEPT, "application/vnd.github+json".parse()?);
    Ok(reqwest::Client::builder()
        .user_agent("latency")
        .default_headers(headers)
        .no_proxy()
        .build()?)
}

/// Asks until a check run is there.
async fn wait_for(http: &reqwest::Client, url: &str, since: Instant) -> anyhow::Result<()> {
    loop {
        let answer = http.get(url).send().await?.error_for_status()?;
        let answer: serde_json::Value = answer.json().await?;
        let runs = answer["check_runs"]
            .as_array()
            .context("no list of check runs")?;
        if !runs.is_empty() {
            return Ok(());
        }
        if since.elapsed() > LIMIT {
            bail!("no check run after {LIMIT:?}: {answer:#}");
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Minimum, median, 95th percentile by nearest rank, maximum.
fn figures(times: &mut [Duration]) -> String {
    times.sort();
    let rank = |percent: usize| {
        let position = (times.len() * percent).div_ceil(100).max(1);
        times[position - 1].as_secs_f64() * 1000.0
    };
    format!(
        "{:8.1}{:8.1}{:8.1}{:8.1}",
        rank(0),
        rank(50),
        rank(95),
        rank(100)
    )
}
