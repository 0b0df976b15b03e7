//! What taking webhooks costs: pushes of 8 to 20 KB, signed beforehand, to the real binary in a process
//! of its own. `cargo xtask load` runs it.
//!
//! The senders share the machine with summit. The floor is the same router with the commit left out: of
//! an event that summit does not know, a delivery is verified and answered, and nothing is written.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use harness::figures::{self, Figures, Used};
use harness::sender::{self, Sent, Template};
use harness::{REPOSITORY, Recipe, Setup, Stage};

/// The sizes of the bodies, in bytes.
const SIZES: [usize; 4] = [8_000, 12_000, 16_000, 20_000];
/// How many connections send at once.
const CONNECTIONS: usize = 64;
/// How long each throughput is measured.
const WINDOW: Duration = Duration::from_secs(10);
/// The pace at which waits are measured, a second.
const PACE: u32 = 2_000;
/// How many deliveries summit has in the end.
const TOTAL: u64 = 1_000_000;
const LIMIT: Duration = Duration::from_secs(600);

fn main() {
    let setup = Setup {
        limit: LIMIT,
        ..Setup::default()
    };
    Stage::show(setup, async |stage| measure(stage).await);
}

async fn measure(stage: &mut Stage) -> Result<()> {
    let mut figures = Figures::default();
    let [pushes, unheard] = templates(stage).await?;
    // What a line writes to its log for each delivery is not what is measured here.
    stage.summit.stop().await?;
    stage.summit.configure(|text| {
        text.replace("filter = \"info\"", "filter = \"warn,summit::start=info\"")
    })?;
    stage.summit.start().await?;
    let address = stage.summit.address().context("summit listens")?;
    let pid = stage.summit.pid()?;
    let fresh = figures::private_memory(pid)? as f64 / 1e6;

    let warm = sender::for_a_while(address, &pushes, CONNECTIONS, WINDOW / 2).await?;
    let used = Used::begin(pid)?;
    let bare = sender::for_a_while(address, &unheard, CONNECTIONS, WINDOW).await?;
    let floor = used.end()?.time;
    let used = Used::begin(pid)?;
    let taken = sender::for_a_while(address, &pushes, CONNECTIONS, WINDOW).await?;
    let time = used.end()?.time;
    figures.at_least("webhooks a second taken", taken.a_second(), 10_000.0);
    figures.tell("a second with the commit left out", bare.a_second());
    figures.tell("the one by the other", taken.a_second() / bare.a_second());
    figures.tell("µs of summit's processor time for each", each(time, &taken));
    figures.tell("the same with the commit left out", each(floor, &bare));

    let mut paced = sender::at_a_pace(address, &pushes, CONNECTIONS, PACE, WINDOW).await?;
    figures.at_most(
        "ms that 99 of 100 wait at most, at 2,000 a second",
        paced.percentile(99),
        20.0,
    );
    figures.tell("ms that half of them wait at most", paced.percentile(50));

    let begun = Instant::now();
    let mut count = warm.count + taken.count + paced.count;
    while count < TOTAL {
        count += sender::for_a_while(address, &pushes, CONNECTIONS, WINDOW)
            .await?
            .count;
    }
    figures.tell(
        "s until the million was there",
        begun.elapsed().as_secs_f64(),
    );
    let memory = figures::private_memory(pid)? as f64 / 1e6;
    figures.at_most("MB of private memory after a million", memory, 120.0);
    figures.tell("MB of a summit that has just started", fresh);
    figures.conclude()
}

fn each(time: Duration, sent: &Sent) -> f64 {
    time.as_secs_f64() * 1e6 / sent.count as f64
}

/// A real push to a branch that is not published, with more commits until it has each of the sizes; and
/// the same as an event that nobody knows.
async fn templates(stage: &mut Stage) -> Result<[Vec<Template>; 2]> {
    let main = stage.push(&[Recipe::new("sample").file()]).await?;
    stage.succeeded(&main, &["sample"]).await?;
    let checkout = stage.checkout(REPOSITORY, harness::WRITER).await?;
    checkout.switch("side", "main").await?;
    checkout.commit(&[Recipe::new("other").file()]).await?;
    checkout.push("side").await?;
    let secret = stage.webhook_secret()?;
    let body = stage
        .until("the push", async |stage| {
            let sent = stage.sent("push");
            Ok(sent
                .last()
                .filter(|_| sent.len() == 2)
                .map(|event| event.body.clone()))
        })
        .await?;
    let push: serde_json::Value = serde_json::from_slice(&body)?;
    let commit = push["commits"][0].clone();
    let mut templates = [Vec::new(), Vec::new()];
    for size in SIZES {
        let mut push = push.clone();
        let commits = push["commits"]
            .as_array_mut()
            .context("a push has commits")?;
        let mut length = body.len();
        while length < size {
            commits.push(commit.clone());
            length += commit.to_string().len() + 1;
        }
        for (templates, event) in templates.iter_mut().zip(["push", "unheard"]) {
            templates.push(Template::new(event, &push.to_string(), secret.trim()));
        }
    }
    Ok(templates)
}
