//! What a long past and a busy present leave in summit's database.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use api::attempt::{Asset, AssetKind};
use api::id::{BuildId, CommitSha, Sha256};
use jiff::Timestamp;
use summit::db::{Tables, Write};
use summit::domain::build::{Build, Failure, FailureKind, Plan, Stage, State, Success};

/// How many rows one transaction writes.
const BATCH: usize = 2000;

/// Writes into the database of a summit that does not run: `settled` builds that were published, the
/// builds of pull requests as built, and `more` builds that wait like those that there are.
pub(crate) fn write(folder: &Path, settled: usize, more: usize) -> Result<()> {
    let (env, tables) = Tables::open(folder, &"x86_64".parse()?)?;
    let (present, _) = env.read(|txn| tables.builds_under_way(txn))?;
    let pulled = present
        .iter()
        .filter(|build| !build.target.is_published() && build.state.stage() != Stage::Built);
    // Check runs that are still to be written must not be among what is measured.
    let waiting = present.iter().filter(|build| !build.is_shown());
    let waiting = waiting.cloned().map(|mut build| {
        build.shown.seq = build.seq;
        build
    });
    let mut rows: Vec<Build> = waiting.chain(pulled.map(built)).collect();
    let mut patterns = present
        .iter()
        .filter(|build| build.target.is_published())
        .cycle();
    for number in 0..settled {
        let pattern = patterns.next().context("there are builds of a branch")?;
        rows.push(published(pattern, number)?);
    }
    for number in 0..more {
        let pattern = patterns.next().context("there are builds of a branch")?;
        rows.push(Build {
            after: Vec::new(),
            behind: Vec::new(),
            cycle: Vec::new(),
            state: State::Queued {
                since: pattern.created_at,
                reason: None,
            },
            ..renamed(pattern, &format!("more-{number}"))?
        });
    }
    for part in rows.chunks(BATCH) {
        env.write(|txn| {
            let mut txn = Write::new(txn);
            for build in part {
                tables.put_build(&mut txn, build)?;
            }
            Ok::<_, moss_db::Error>(())
        })?;
    }
    Ok(())
}

/// Lets so many builds of branches that wait have failed, in the database of a summit that does not run.
/// Returns the head of one of them.
pub(crate) fn fail(folder: &Path, count: usize) -> Result<CommitSha> {
    let (env, tables) = Tables::open(folder, &"x86_64".parse()?)?;
    let (present, _) = env.read(|txn| tables.builds_under_way(txn))?;
    let is_planned =
        |build: &&Build| build.target.is_published() && build.folder.as_str().len() > 5;
    let waits = present.iter().filter(is_planned).filter(|build| {
        build.state.stage() != Stage::Building && !build.folder.as_str().starts_with("bulk/")
    });
    let failed: Vec<&Build> = waits.take(count).collect();
    ensure!(failed.len() == count, "only {} builds wait", failed.len());
    env.write(|txn| {
        let mut txn = Write::new(txn);
        for build in &failed {
            let state = State::Failed(Failure {
                kind: FailureKind::Attempt,
                phase: None,
                message: "it did not work".to_owned(),
                annotations: Vec::new(),
                at: Timestamp::now(),
            });
            let mut build = Build::clone(build);
            build.state = state;
            build.seq += 1;
            build.shown.seq = build.seq;
            tables.put_build(&mut txn, &build)?;
        }
        Ok::<_, moss_db::Error>(())
    })?;
    Ok(failed[0].commit)
}

/// A build of a pull request whose stones a builder keeps.
fn built(build: &Build) -> Build {
    let mut build = build.clone();
    let asset = |kind, file_name: String| Asset {
        kind,
        sha256: Sha256::of(file_name.as_bytes()),
        uri: format!("http://127.0.0.1:9/{file_name}")
            .parse()
            .expect("a valid URI"),
        file_name: file_name.parse().expect("a valid file name"),
        size: 4096,
    };
    let stone = format!(
        "{}-{}-{}-1-x86_64.stone",
        build.recipe, build.version, build.release
    );
    build.attempts = 1;
    build.state = State::Built(Success {
        builder: "avalanche".parse().expect("a valid name"),
        assets: vec![
            asset(AssetKind::Stone, stone),
            asset(AssetKind::Manifest, "manifest.x86_64.bin".to_owned()),
        ],
        host: Sha256::of(b"host"),
        at: Timestamp::now(),
        released_at: None,
    });
    build.seq += 1;
    build.shown.seq = build.seq;
    build
}

fn published(pattern: &Build, number: usize) -> Result<Build> {
    let mut build = renamed(pattern, &format!("past-{}", number % 2000))?;
    build.after.clear();
    build.behind.clear();
    build.cycle.clear();
    build.state = State::Published {
        history: "20261122-214502-0123456789ab".parse()?,
        at: Timestamp::now(),
    };
    Ok(build)
}

fn renamed(pattern: &Build, name: &str) -> Result<Build> {
    let mut build = pattern.clone();
    build.id = BuildId::new();
    build.plan = Arc::new(Plan {
        recipe: name.parse()?,
        folder: format!("bulk/{name}").parse()?,
        ..Plan::clone(&pattern.plan)
    });
    build.seq += 1;
    build.shown.seq = build.seq;
    Ok(build)
}
