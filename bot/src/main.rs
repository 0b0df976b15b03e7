//! The summit service.

use std::path::PathBuf;

use anyhow::Context as _;
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
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let config: summit::Config = service::config::load(&arguments.config)?;
    service::telemetry::init(&config.telemetry).context("the log filter cannot be read")?;
    service::run(|supervisor| async move { Ok(summit::start(config, &supervisor).await?) })
}
