//! Commits per second: one sync each, against many callers that share one.
//!
//! Run by `cargo bench -p moss-db` or, with the other benchmarks, by `cargo xtask bench`. The files
//! lie below `target`, which has to be on a disk: a sync of memory costs nothing, and then there is
//! nothing to share.

#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput};
use moss_db::{Environment, Error, Migration, Opener, Options, Schema, Table};
use testbed::Ratio;
use testbed::ratio::{Target, conclude};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// Commits with a sync each, in one turn.
const ALONE: u32 = 16;
/// Changes that each of the waiting callers submits in one turn, one after the other.
const EACH: u32 = 4;
/// How many callers wait, and how many times as many commits per second there have to be.
const CALLERS: [(u32, Target); 2] = [(64, Target::AtLeast(8.0)), (512, Target::Told)];
/// The size of a row in bytes: a build of summit's is about as long.
const ROW: usize = 700;

struct Tables {
    rows: Table<u64, String>,
}

impl Schema for Tables {
    const NAME: &'static str = "commits";
    const MIGRATIONS: &'static [Migration] = &[];

    fn declare(opener: &mut Opener) -> Self {
        Self {
            rows: opener.table("rows"),
        }
    }
}

fn main() -> ExitCode {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("target is writable");
    let file_system = testbed::disk::file_system(folder.path());
    let file_system = file_system.as_deref().unwrap_or("unknown");
    println!(
        "the database lies on {file_system}: {}",
        folder.path().display()
    );
    if matches!(file_system, "tmpfs" | "ramfs") {
        println!("that is no disk; set CARGO_TARGET_DIR to a folder on one");
        return ExitCode::FAILURE;
    }
    let mut criterion = Criterion::default()
        .sample_size(20)
        .measurement_time(Duration::from_secs(10))
        .configure_from_args();
    let ratios =
        CALLERS.map(|(callers, target)| compare(&mut criterion, folder.path(), callers, target));
    criterion.final_summary();
    conclude(&ratios)
}

/// Measures `callers` that wait, by turns with one that does not share.
fn compare(criterion: &mut Criterion, folder: &Path, callers: u32, target: Target) -> Ratio {
    let runtime = Runtime::new().expect("the runtime starts");
    let folder = folder.join(callers.to_string());
    let (environment, tables) =
        Environment::open::<Tables>(&folder, &Options::default()).expect("a fresh folder opens");
    let name =
        format!("commits per second with {callers} callers waiting, by those with one sync each");
    let mut ratio = Ratio::new(name, target).per_unit(ALONE, callers * EACH);
    let mut group = criterion.benchmark_group("commits");
    group.throughput(Throughput::Elements((callers * EACH).into()));
    group.sampling_mode(SamplingMode::Flat);
    group.bench_function(format!("{callers} callers waiting"), |bencher| {
        bencher.iter_custom(|turns| {
            ratio.measure(
                turns,
                || alone(&environment, &tables.rows),
                || together(&runtime, &environment, &tables.rows, callers),
            )
        });
    });
    group.finish();
    ratio
}

/// The time of commits that have their syncs for themselves.
fn alone(environment: &Environment, rows: &Table<u64, String>) -> Duration {
    let row = "x".repeat(ROW);
    let start = Instant::now();
    for number in 0..ALONE {
        let put = environment.write(|txn| rows.put(txn, &u64::from(number), &row));
        put.expect("the disk takes a row");
    }
    start.elapsed()
}

/// The time of commits where `callers` wait for theirs at any moment.
fn together(
    runtime: &Runtime,
    environment: &Environment,
    rows: &Table<u64, String>,
    callers: u32,
) -> Duration {
    let start = Instant::now();
    runtime.block_on(async {
        let mut waiting = JoinSet::new();
        for caller in 0..u64::from(callers) {
            let (environment, rows) = (environment.clone(), rows.clone());
            waiting.spawn(async move {
                for _ in 0..EACH {
                    let (rows, row) = (rows.clone(), "x".repeat(ROW));
                    let put = environment.submit(move |txn| rows.put(txn, &caller, &row));
                    put.await?;
                }
                Ok::<_, Error>(())
            });
        }
        for submitted in waiting.join_all().await {
            submitted.expect("the disk takes a row");
        }
    });
    start.elapsed()
}
