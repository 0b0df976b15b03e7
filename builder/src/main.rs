//! The avalanche binary.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use avalanche::Config;
use clap::Parser;

/// The build agent: takes build orders, builds recipes in a sandbox, serves the assets.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The configuration; `avalanche.example.toml` shows every key.
    #[arg(
        long,
        value_name = "FILE",
        env = "AVALANCHE_CONFIG",
        hide_env_values = true,
        default_value = "/etc/snekbook/avalanche.toml"
    )]
    config: PathBuf,
}

fn main() -> anyhow::Result<ExitCode> {
    avalanche::helper::run_if_requested();
    let arguments = Arguments::parse();
    let config: Config = service::config::load(&arguments.config)?;
    let log = config.telemetry.clone();
    Ok(service::run(&log, |supervisor| async move {
        avalanche::start(config, &supervisor)
            .await
            .context("cannot start")
    }))
}
