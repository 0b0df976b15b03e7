//! Fuzzing of moss-format: builds the targets, seeds them from the corpus, runs each for a time.

mod report;
mod sample;
mod seeds;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use report::Report;

/// Every target of the fuzz crate.
const TARGETS: [&str; 7] = [
    "container",
    "payloads",
    "manifest",
    "index",
    "unpack",
    "recipe",
    "macro_expansion",
];

const CRATE: &str = "crates/moss-format/fuzz";

/// How to fuzz.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Targets to run, all by default.
    #[arg(value_parser = TARGETS)]
    targets: Vec<String>,
    /// Seconds for each target.
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    time: u64,
    /// As CI does: 20 seconds for each target.
    #[arg(long, conflicts_with = "time")]
    short: bool,
    /// Memory that a target may take before that is a fault, in MiB.
    #[arg(long, default_value_t = 512, value_name = "MIB")]
    memory: u64,
    /// How many targets run at once.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
}

/// Builds, seeds and runs the targets, one line for each. Says whether all were without fault.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().context("finding the workspace")?;
    let folder = root.join("target/fuzz");
    build(&root, &folder)?;
    seeds::write(&folder.join("seeds"), &root)?;
    let targets: Vec<&str> = if options.targets.is_empty() {
        TARGETS.to_vec()
    } else {
        options.targets.iter().map(String::as_str).collect()
    };
    let mut clean = true;
    for group in targets.chunks(options.jobs.max(1)) {
        let reports: Vec<Result<Report>> = std::thread::scope(|scope| {
            let started = group
                .iter()
                .map(|target| scope.spawn(|| fuzz(target, &folder, options)));
            let started: Vec<_> = started.collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            started.into_iter().map(join).collect()
        });
        for report in reports {
            let report = report?;
            clean &= report.is_clean();
            crate::say(&report);
        }
    }
    Ok(clean)
}

/// The longest input that is tried: recipes up to their limit, packages as large as small real ones.
fn longest(target: &str) -> usize {
    match target {
        "recipe" | "macro_expansion" => 1 << 20,
        _ => 64 << 10,
    }
}

/// Builds with the toolchain that is there. cargo-fuzz wants a nightly one only for sanitizers,
/// which look for faults of unsafe code, and moss-format has none.
fn build(root: &Path, folder: &Path) -> Result<()> {
    let status = crate::cargo()
        .current_dir(root.join("crates/moss-format"))
        .args(["fuzz", "build", "--sanitizer", "none", "--target-dir"])
        .arg(folder)
        .status()
        .context("running cargo fuzz (cargo install cargo-fuzz --locked)")?;
    ensure!(status.success(), "building the targets of {CRATE} failed");
    Ok(())
}

/// Runs one target. What it says goes to `<target>.log`, inputs with a fault to `artifacts`, and
/// inputs that reach something new to `corpus`, from which the next run goes on.
fn fuzz(target: &str, folder: &Path, options: &Options) -> Result<Report> {
    let corpus = folder.join("corpus").join(target);
    let artifacts = folder.join("artifacts").join(target);
    for made in [&corpus, &artifacts] {
        fs::create_dir_all(made).with_context(|| format!("making {}", made.display()))?;
    }
    let log = folder.join(format!("{target}.log"));
    let out = File::create(&log).with_context(|| format!("making {}", log.display()))?;
    let seconds = if options.short { 20 } else { options.time };
    let status = Command::new(program(folder, target)?)
        .arg(format!("-max_total_time={seconds}"))
        .arg("-timeout=10")
        .arg(format!("-rss_limit_mb={}", options.memory))
        .arg(format!("-max_len={}", longest(target)))
        .arg("-print_final_stats=1")
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(&corpus)
        .arg(folder.join("seeds").join(target))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(out)
        .status()
        .with_context(|| format!("running the target {target}"))?;
    let said = fs::read(&log).with_context(|| format!("reading {}", log.display()))?;
    let said = String::from_utf8_lossy(&said);
    Ok(Report::new(target, status.success(), &said, &log))
}

/// cargo-fuzz always names the platform it builds for.
fn program(folder: &Path, target: &str) -> Result<PathBuf> {
    let platforms = fs::read_dir(folder).context("reading the folder of targets")?;
    platforms
        .filter_map(|entry| Some(entry.ok()?.path().join("release").join(target)))
        .find(|program| program.is_file())
        .with_context(|| format!("the target {target} was not built"))
}
