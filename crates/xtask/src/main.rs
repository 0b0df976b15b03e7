//! Commands that are too long or too special for `cargo test`.

mod browser;
mod check;
mod faults;
mod fuzz;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;

/// Commands of the project's own. Each prints what it measured.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version)]
enum Task {
    /// Formats, lints and tests what differs from the main branch: in under two minutes where all
    /// else is compiled. Says what it leaves out.
    Check(check::Options),
    /// Walks through docs/trying.md in a real browser, by the forge's forms, and looks at each page
    /// 390 and 1280 pixels wide.
    ///
    /// Needs Chromium, Node.js 20 or newer, npm and git: installs what is missing where that takes no
    /// password, or names it. `playwright-core` is installed into `target/browser`.
    Browser(browser::Options),
    /// From git's answer to a push to the check run readable over REST: 20 pushes, release build.
    Latency,
    /// What an organisation of 1,737 recipes costs summit, with a long past and many pull requests:
    /// processor time, waits and memory, each against its target. Release build.
    Scale,
    /// What taking webhooks costs summit: how many a second, how long they wait, and memory after a million
    /// of them. Release build.
    Load,
    /// The 4,341 commits of the corpus planned one after the other: how long each takes from the mirror to
    /// its committed plan, without the sync. Release build.
    Replay,
    /// Fuzzes moss-format, seeded from the corpus: executions, coverage and memory of each target.
    ///
    /// Needs cargo-fuzz (`cargo install cargo-fuzz --locked`). Inputs that reach something new, the
    /// logs and the inputs with a fault stay in `target/fuzz`. Fails when there is a fault.
    Fuzz(fuzz::Options),
    /// The benchmarks of the libraries, each against a floor in the same run; fails where a ratio
    /// misses its target.
    Bench {
        /// Only those of these packages.
        packages: Vec<String>,
    },
    /// The suite's module `faults` with this summit and with an older one, as a table: each test has
    /// to succeed with this one, and to fail with the other for its own reason.
    Faults {
        /// The binary of the other summit.
        binary: PathBuf,
        /// Only tests whose name has this in it.
        filter: Option<String>,
    },
    /// Kills a process that writes to a database of moss-db, again and again, and looks for what
    /// it had been told was written.
    KillLoop {
        /// How often.
        #[arg(long, default_value_t = 200)]
        count: u64,
        /// Repeats an earlier run; drawn unless given.
        #[arg(long)]
        seed: Option<u64>,
    },
}

/// The packages that have benchmarks with targets.
const BENCHMARKED: [&str; 3] = ["moss-db", "moss-deps", "moss-format"];

/// The packages of the services.
const SERVICES: [&str; 3] = ["summit", "avalanche", "vessel"];

fn main() -> anyhow::Result<ExitCode> {
    match Task::parse() {
        Task::Check(options) => Ok(exit(check::run(&options)?)),
        Task::Browser(options) => Ok(exit(browser::run(&options)?)),
        Task::Latency => on_stage("latency"),
        Task::Scale => on_stage("scale"),
        Task::Load => on_stage("load"),
        Task::Replay => replay(),
        Task::Fuzz(options) => Ok(exit(fuzz::run(&options)?)),
        Task::Bench { packages } => bench(&packages),
        Task::Faults { binary, filter } => Ok(exit(faults::run(&binary, filter.as_deref())?)),
        Task::KillLoop { count, seed } => kill_loop(count, seed),
    }
}

/// Runs a benchmark that plays on the suite's stage.
fn on_stage(bench: &str) -> anyhow::Result<ExitCode> {
    // The benchmark starts the services' binaries, which lie beside it then.
    let mut build = cargo();
    build.args(["build", "--quiet", "--release"]);
    for service in SERVICES {
        build.args(["--package", service]);
    }
    if !build.status()?.success() {
        return Ok(ExitCode::FAILURE);
    }
    let mut run = cargo();
    run.args(["bench", "--quiet", "--package", "tests", "--bench", bench]);
    Ok(exit(run.status()?.success()))
}

fn bench(packages: &[String]) -> anyhow::Result<ExitCode> {
    let all = BENCHMARKED.map(str::to_owned);
    let packages = if packages.is_empty() { &all } else { packages };
    // All of them are run, and told of, also where the first misses a target.
    let mut bench = cargo();
    bench.args(["bench", "--benches", "--no-fail-fast"]);
    for package in packages {
        bench.args(["--package", package]);
    }
    Ok(exit(bench.status()?.success()))
}

fn replay() -> anyhow::Result<ExitCode> {
    let status = cargo()
        .args([
            "test",
            "--quiet",
            "--release",
            "--package",
            "summit",
            "--lib",
        ])
        .args(["--", "--ignored", "--nocapture", "look::replay::"])
        .status()?;
    Ok(exit(status.success()))
}

fn kill_loop(count: u64, seed: Option<u64>) -> anyhow::Result<ExitCode> {
    let mut environment = vec![("MOSS_DB_KILLS", count.to_string())];
    environment.extend(seed.map(|seed| ("MOSS_DB_SEED", seed.to_string())));
    let status = cargo()
        .args(["test", "--quiet", "--package", "moss-db"])
        .args(["--test", "suite", "--", "durability::kill::"])
        .envs(environment)
        .status()?;
    Ok(exit(status.success()))
}

fn exit(success: bool) -> ExitCode {
    if success {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The cargo that started this: it names itself to what it starts.
fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Build scripts look at what cargo says of a package: with what it says of this one, that of
    // `ring` would run anew, and all that stands on it be compiled again.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// What `cargo metadata` writes of the workspace. It needs neither a build nor the network.
fn metadata() -> Result<Vec<u8>> {
    let output = cargo()
        .args(["metadata", "--no-deps", "--offline"])
        .args(["--format-version", "1"])
        .output()
        .context("cannot run `cargo metadata`")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "`cargo metadata` says: {}",
        said.trim()
    );
    Ok(output.stdout)
}

/// Says one line of what was measured. Nobody may be listening any more, which is no fault.
fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_cargo_says_of_this_package_is_not_handed_on() {
        let cargo = super::cargo();
        let removed = |wanted: &str| {
            cargo
                .get_envs()
                .any(|(name, value)| name == wanted && value.is_none())
        };
        for name in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR"] {
            assert!(removed(name), "{name}");
        }
        assert!(!removed("PATH"));
    }
}
