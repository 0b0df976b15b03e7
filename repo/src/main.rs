//! The vessel binary: reads the configuration and runs the service.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// The repository manager: takes stones into channels and serves them to moss clients.
#[derive(Debug, Parser)]
#[command(name = "vessel", version)]
struct Arguments {
    /// The configuration; `vessel.example.toml` shows every key.
    #[arg(
        long,
        value_name = "FILE",
        env = "VESSEL_CONFIG",
        hide_env_values = true,
        default_value = "/etc/snekbook/vessel.toml"
    )]
    config: PathBuf,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let config: vessel::Config = service::config::load(&arguments.config)?;
    let log = config.log.clone();
    Ok(service::run(&log, |supervisor| async move {
        Ok(vessel::start(config, &supervisor).await?)
    }))
}
