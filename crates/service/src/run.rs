//! The life of a service's process.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::{Supervisor, telemetry};

/// How long tasks may take to end.
const GRACE: Duration = Duration::from_secs(20);

/// Begins to log, starts a service with `start` and keeps it until a SIGINT or SIGTERM, or the panic of
/// a task; then shuts it down in order. An error ends the service. The process says so in the form of
/// its log.
pub fn run<R, F>(log: &telemetry::Config, start: impl FnOnce(Supervisor) -> F) -> ExitCode
where
    F: Future<Output = anyhow::Result<R>>,
{
    let result = match telemetry::init(log) {
        Ok(()) => keep_running(start),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            telemetry::tell_end(log.format, &error);
            ExitCode::FAILURE
        }
    }
}

fn keep_running<R, F>(start: impl FnOnce(Supervisor) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<R>>,
{
    crate::install_tls_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    let result = runtime.block_on(async {
        let supervisor = Supervisor::new();
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to SIGINT")?;
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen to SIGTERM")?;
        let _running = start(supervisor.clone()).await?;
        tokio::select! {
            _ = interrupt.recv() => tracing::info!("SIGINT: shutting down"),
            _ = terminate.recv() => tracing::info!("SIGTERM: shutting down"),
            () = supervisor.token().cancelled_owned() => {}
        }
        let left = supervisor.shutdown(GRACE).await;
        if !left.is_empty() {
            tracing::warn!(tasks = ?left, "these tasks did not end in time");
        }
        match supervisor.find_failed() {
            Some(task) => Err(anyhow::anyhow!("the task {task} panicked")),
            None => Ok(()),
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    result
}
