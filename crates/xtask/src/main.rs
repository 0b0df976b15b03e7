//! Commands that are too long or too special for `cargo test`.

mod fuzz;

use std::io::Write as _;
use std::process::{Command, ExitCode};

use clap::Parser;

/// Commands of the project's own. Each prints what it measured.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version)]
enum Task {
    /// From git's answer to a push to the check run readable over REST: 20 pushes, release build.
    Latency,
    /// Fuzzes moss-format, seeded from the corpus: executions, coverage and memory of each target.
    ///
    /// Needs cargo-fuzz (`cargo install cargo-fuzz --locked`). Inputs that reach something new, the
    /// logs and the inputs with a fault stay in `target/fuzz`. Fails when there is a fault.
    Fuzz(fuzz::Options),
}

fn main() -> anyhow::Result<ExitCode> {
    match Task::parse() {
        Task::Latency => {
            let latency = [
                "bench",
                "--quiet",
                "--package",
                "tests",
                "--bench",
                "latency",
            ];
            Ok(exit(cargo().args(latency).status()?.success()))
        }
        Task::Fuzz(options) => Ok(exit(fuzz::run(&options)?)),
    }
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
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Says one line of what was measured. Nobody may be listening any more, which is no fault.
fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
