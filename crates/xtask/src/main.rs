//! Commands that are too long or too special for `cargo test`.

use std::process::{Command, ExitCode};

use clap::Parser;

/// Commands of the project's own. Each prints what it measured.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version)]
enum Task {
    /// From git's answer to a push to the check run readable over REST: 20 pushes, release build.
    Latency,
}

fn main() -> anyhow::Result<ExitCode> {
    match Task::parse() {
        Task::Latency => cargo(&[
            "bench",
            "--quiet",
            "--package",
            "tests",
            "--bench",
            "latency",
        ]),
    }
}

fn cargo(arguments: &[&str]) -> anyhow::Result<ExitCode> {
    // cargo names itself to what it starts.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo).args(arguments).status()?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
