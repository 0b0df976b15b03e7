//! How long a packager waits: from git's answer to a push to the check run readable over the
//! forge's REST API. `cargo xtask latency` runs it.
//!
//! Twenty pushes, one after the other, each with its build left to finish before the next, so that
//! the machine is idle but for what is measured. Printed beside it is the floor: one REST request
//! that finds the check run there.

#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use forge::Role;
use secrecy::ExposeSecret as _;
use service::Supervisor;
use snekbook_dev::Line;
use snekbook_dev::line::Options;

const PUSHES: usize = 20;
const REPOSITORY: &str = "snekbook/recipes";
/// What the 95th percentile has to stay under on an idle machine.
const TARGET: Duration = Duration::from_millis(300);
const LIMIT: Duration = Duration::from_secs(60);

fn main() -> anyhow::Result<()> {
    avalanche::helper::run_if_requested();
    service::install_tls_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let supervisor = Supervisor::new();
    let line = Line::start(&Options::new(folder.path().join("line")), &supervisor).await?;
    line.forge.create_user("packager")?;
    line.forge.create_repository(REPOSITORY).await?;
    line.forge.set_role(REPOSITORY, "packager", Role::Write)?;
    let checkout = folder.path().join("checkout");
    let remote = line.forge.push_url(REPOSITORY, "packager")?;
    git(
        &[
            "init",
            "--quiet",
            "--initial-branch=main",
            &checkout.to_string_lossy(),
        ],
        None,
    )?;
    let token = line.forge.mint_token("packager")?;
    let http = reqwest::Client::builder()
        .default_headers(
            [(
                reqwest::header::AUTHORIZATION,
                format!("Bearer {}", token.expose_secret()).parse()?,
            )]
            .into_iter()
            .collect(),
        )
        .build()?;
    let mut waits = Vec::with_capacity(PUSHES);
    let mut floors = Vec::with_capacity(PUSHES);
    for number in 1..=PUSHES {
        write_recipe(&checkout, number)?;
        git(&["add", "."], Some(&checkout))?;
        let message = format!("sample: Release {number}");
        git(
            &["commit", "--quiet", "--message", &message],
            Some(&checkout),
        )?;
        let head = git(&["rev-parse", "HEAD"], Some(&checkout))?;
        let url = format!(
            "{}/repos/{REPOSITORY}/commits/{}/check-runs",
            line.forge.api_url(),
            head.trim()
        );
        git(&["push", "--quiet", &remote, "main"], Some(&checkout))?;
        let answered = Instant::now();
        wait_for(&http, &url, "", answered).await?;
        waits.push(answered.elapsed());
        let asked = Instant::now();
        wait_for(&http, &url, "", asked).await?;
        floors.push(asked.elapsed());
        wait_for(&http, &url, "success", Instant::now()).await?;
    }
    println!("{PUSHES} pushes, in milliseconds      min  median     p95     max");
    println!("git's answer to readable check run {}", figures(&mut waits));
    println!(
        "one request that finds it there    {}",
        figures(&mut floors)
    );
    // Sorted by now.
    let p95 = waits[(PUSHES * 95).div_ceil(100) - 1];
    let left = supervisor.shutdown(Duration::from_secs(10)).await;
    ensure!(left.is_empty(), "these tasks did not end: {left:?}");
    ensure!(
        p95 < TARGET,
        "the 95th percentile {p95:?} is not under {TARGET:?}"
    );
    Ok(())
}

/// Asks until a check run is there, and has the conclusion if one is named.
async fn wait_for(
    http: &reqwest::Client,
    url: &str,
    conclusion: &str,
    since: Instant,
) -> anyhow::Result<()> {
    loop {
        let answer = http
            .get(url)
            .send()
            .await?
            .error_for_status()?
            .bytes()
            .await?;
        let answer: serde_json::Value = serde_json::from_slice(&answer)?;
        let runs = answer["check_runs"]
            .as_array()
            .context("no list of check runs")?;
        match runs.first() {
            Some(run) if conclusion.is_empty() || run["conclusion"] == conclusion => return Ok(()),
            Some(run) if run["status"] == "completed" => {
                bail!("the build ended otherwise: {run:#}")
            }
            _ if since.elapsed() > LIMIT => bail!("no check run after {LIMIT:?}: {answer:#}"),
            _ => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

fn write_recipe(checkout: &std::path::Path, release: usize) -> anyhow::Result<()> {
    let folder = checkout.join("s/sample");
    std::fs::create_dir_all(&folder)?;
    let recipe = format!(
        "name        : sample\nversion     : \"1.0\"\nrelease     : {release}\n\
         homepage    : https://example.org\nsummary     : A sample\ndescription : A sample\n\
         license     : MPL-2.0\n\
         install     : |\n    install -dm00755 %(installroot)/usr/share/sample\n    \
         echo {release} > %(installroot)/usr/share/sample/release\n"
    );
    Ok(std::fs::write(folder.join("stone.yaml"), recipe)?)
}

fn git(arguments: &[&str], folder: Option<&std::path::Path>) -> anyhow::Result<String> {
    let mut command = testbed::git();
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    let name = "packager";
    let output = command
        .args(arguments)
        .env("GIT_AUTHOR_NAME", name)
        .env("GIT_AUTHOR_EMAIL", "packager@example.org")
        .env("GIT_COMMITTER_NAME", name)
        .env("GIT_COMMITTER_EMAIL", "packager@example.org")
        .output()
        .context("git cannot be started")?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "git {} failed: {stderr}",
        arguments[0]
    );
    Ok(String::from_utf8(output.stdout)?)
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
