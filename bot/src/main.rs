//! The summit service.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Turns recipe commits into builds, check runs and published packages.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The configuration; `summit.example.toml` shows every key.
    #[arg(
        long,
        value_name = "FILE",
        env = "SUMMIT_CONFIG",
        hide_env_values = true,
        default_value = "/etc/snekbook/summit.toml"
    )]
    config: PathBuf,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Sets aside a build that summit cannot read, while summit is stopped.
    SetAside {
        /// The build, as the status of summit names it under `unreadable`.
        build: api::id::BuildId,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let config: summit::Config = service::config::load(&arguments.config)?;
    if let Some(Command::SetAside { build }) = arguments.command {
        let folder = summit::set_aside(&config, build)?;
        writeln!(
            std::io::stdout(),
            "The rows of the build {build} are in {}.",
            folder.display()
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let log = config.telemetry.clone();
    Ok(service::run(&log, |supervisor| async move {
        Ok(summit::start(config, &supervisor).await?)
    }))
}
