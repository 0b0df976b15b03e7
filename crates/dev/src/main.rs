//! The whole line in one process.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser as _;
use service::Supervisor;
use snekbook_dev::data::Data;
use snekbook_dev::outcome::EndState;
use snekbook_dev::screen::{Lines, Screen};
use snekbook_dev::signals::Signals;
use snekbook_dev::{Cli, Session, logs};

/// How long tasks may take to end.
const GRACE: Duration = Duration::from_secs(20);

/// The exit status of a process that was interrupted.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    avalanche::helper::run_if_requested();
    let cli = Cli::parse();
    let screen = Screen::new();
    match run(&cli, &screen) {
        Ok(code) => code,
        Err(error) => {
            screen.say(format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli, screen: &Screen) -> anyhow::Result<ExitCode> {
    machine::check()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    // Before there is anything that an end by a signal would leave behind.
    let signals = {
        let _within = runtime.enter();
        Signals::watch().context("cannot listen to signals")?
    };
    let data = Data::open(&cli.place()?, cli.beginning())?;
    logs::begin(data.path(), cli.verbose, screen).context("cannot begin to log")?;
    service::install_tls_provider();
    let result = runtime.block_on(supervise(cli, &data, signals, screen));
    runtime.shutdown_timeout(Duration::from_secs(5));
    let closed = data.close();
    let code = result?;
    closed?;
    Ok(code)
}

/// Does the work, serves until it is told to stop, and stops everything in order.
async fn supervise(
    cli: &Cli,
    data: &Data,
    mut signals: Signals,
    screen: &Screen,
) -> anyhow::Result<ExitCode> {
    let supervisor = Supervisor::new();
    let mut lines = Lines::new(screen);
    let worked = tokio::select! {
        worked = work(cli, data, &supervisor, screen, &mut lines) => worked.map(Some),
        () = signals.next() => Ok(None),
        () = supervisor.token().cancelled_owned() => Ok(None),
    };
    let result = match worked {
        Ok(Some((session, _))) if !cli.once => {
            screen.say("Serving until Ctrl-C.");
            Ok(tokio::select! {
                never = session.watch(&mut lines) => match never {},
                () = signals.next() => ExitCode::SUCCESS,
                () = supervisor.token().cancelled_owned() => ExitCode::FAILURE,
            })
        }
        Ok(Some((_, code))) => Ok(code),
        Ok(None) if supervisor.token().is_cancelled() => Ok(ExitCode::FAILURE),
        Ok(None) => {
            screen.say("Interrupted: stopping in order.");
            Ok(ExitCode::from(INTERRUPTED))
        }
        Err(error) => Err(error),
    };
    drop(lines);
    tokio::select! {
        left = supervisor.shutdown(GRACE) => if !left.is_empty() {
            screen.say(format!("These tasks did not end in time: {}", left.join(", ")));
        },
        () = signals.next() => screen.say("Interrupted again: ending at once."),
    }
    match supervisor.find_failed() {
        Some(task) => Err(anyhow::anyhow!("the task {task} panicked")),
        None => result,
    }
}

/// Everything from the push to the end; returns the session and the status of `--once`.
async fn work(
    cli: &Cli,
    data: &Data,
    supervisor: &Supervisor,
    screen: &Screen,
    lines: &mut Lines,
) -> anyhow::Result<(Session, ExitCode)> {
    let session = Session::start(cli, data, supervisor, screen, lines).await?;
    let end = session.follow(lines).await?;
    print(cli, &end)?;
    if let Some(reason) = &end.reason {
        if let Some(log) = session.log_of_failure().await? {
            screen.say(format!("The end of the log:\n{log}"));
        }
        let what = match end.published {
            true => "What is published cannot be used",
            false => "Not everything is published",
        };
        screen.say(format!("{what}: {reason}"));
    }
    let code = match end.is_good() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    };
    Ok((session, code))
}

fn print(cli: &Cli, end: &EndState) -> anyhow::Result<()> {
    let text = if cli.json {
        let mut json = serde_json::to_string_pretty(end)?;
        json.push('\n');
        json
    } else {
        end.text()
    };
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .context("cannot print")
}
