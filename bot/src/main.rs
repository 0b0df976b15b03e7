//! The summit service.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use summit::operate::{Ask, Form, Which, operate};

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
    /// Lists GitHub's deliveries that could not be read: GUID, event, time and reason.
    Deliveries {
        /// Writes JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        summit: Address,
    },
    /// Reads deliveries again that could not be read.
    Replay {
        /// The deliveries, by GUID.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        guid: Vec<String>,
        /// Reads all of them again.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        summit: Address,
    },
    /// Lets go of repositories that are gone for good: ends their builds and frees their names.
    LetGo {
        /// The repositories, `owner/name`, as the status of summit names them under `missing`.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        repository: Vec<String>,
        /// Lets go of all that the status names.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        summit: Address,
    },
}

/// Where the running summit is.
#[derive(Debug, clap::Args)]
struct Address {
    /// summit's URL, if it is neither `public_url` nor the listener's address.
    #[arg(long, value_name = "URL")]
    url: Option<url::Url>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let config: summit::Config = service::config::load(&arguments.config)?;
    let which = |names, all| match all {
        true => Which::All,
        false => Which::Named(names),
    };
    match arguments.command {
        None => {
            let log = config.telemetry.clone();
            return Ok(service::run(&log, |supervisor| async move {
                Ok(summit::start(config, &supervisor).await?)
            }));
        }
        Some(Command::SetAside { build }) => {
            let folder = summit::set_aside(&config, build)?;
            let folder = folder.display();
            writeln!(
                std::io::stdout(),
                "The rows of the build {build} are in {folder}."
            )?;
        }
        Some(Command::Deliveries { json, summit }) => {
            let form = match json {
                true => Form::Json,
                false => Form::Text,
            };
            ask(&config, summit, Ask::Deliveries { form })?;
        }
        Some(Command::Replay { guid, all, summit }) => {
            ask(&config, summit, Ask::Replay(which(guid, all)))?;
        }
        Some(Command::LetGo {
            repository,
            all,
            summit,
        }) => ask(&config, summit, Ask::LetGo(which(repository, all)))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks the running summit.
fn ask(config: &summit::Config, address: Address, ask: Ask) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    let mut out = std::io::stdout();
    Ok(runtime.block_on(operate(config, address.url, ask, &mut out))?)
}
