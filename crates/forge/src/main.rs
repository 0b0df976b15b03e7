//! The forge as a program: `forge --config FILE`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// A GitHub-compatible forge for one machine.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The configuration; `forge.example.toml` shows every key.
    #[arg(
        long,
        value_name = "FILE",
        env = "FORGE_CONFIG",
        hide_env_values = true,
        default_value = "/etc/snekbook/forge.toml"
    )]
    config: PathBuf,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let config: forge::Config = service::config::load(&arguments.config)?;
    let log = config.log.clone();
    Ok(service::run(&log, |supervisor| async move {
        let running = forge::start(config, &supervisor).await?;
        tracing::info!(address = %running.address, url = %running.forge.url(), "the forge is open");
        Ok(running)
    }))
}
