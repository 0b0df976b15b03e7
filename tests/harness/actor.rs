//! An actor on the stage: a service, as a process that comes and goes behind a gateway that stays.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use forge::{Pause, Point};
use service::Supervisor;
use url::Url;

use crate::gateway::{Gateway, Passed};
use crate::process::{Log, Process, Start};

/// A service that can be stopped, killed and started again on the same folder and address.
#[derive(Debug)]
pub struct Actor {
    start: Start,
    gateway: Gateway,
    log: Log,
    process: Option<Process>,
    address: Option<SocketAddr>,
    supervisor: Supervisor,
}

impl Actor {
    /// A service that is not started yet.
    pub(crate) fn new(start: Start, gateway: Gateway, supervisor: Supervisor) -> Self {
        Self {
            start,
            gateway,
            log: Log::default(),
            process: None,
            address: None,
            supervisor,
        }
    }

    /// The service's name.
    pub fn name(&self) -> &'static str {
        self.start.name
    }

    /// Changes its configuration for the next start.
    ///
    /// # Errors
    /// When it runs, or the file cannot be changed.
    pub fn configure(&self, change: impl FnOnce(String) -> String) -> Result<()> {
        if self.is_up() {
            bail!("{} runs", self.name());
        }
        let text = std::fs::read_to_string(&self.start.config)?;
        std::fs::write(&self.start.config, change(text))?;
        Ok(())
    }

    /// Where it is found, also after a restart.
    pub fn url(&self) -> Url {
        self.gateway.url()
    }

    /// What it wrote.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Holds requests to it for as long as the [`Pause`] lives.
    #[must_use = "dropping the pause ends it"]
    pub fn pause(&self, point: Point) -> Pause {
        self.gateway.pause(point)
    }

    /// The requests that it answered, oldest first.
    pub fn passed(&self) -> Vec<Passed> {
        self.gateway.passed()
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// When it runs already or does not come up.
    pub async fn start(&mut self) -> Result<()> {
        if self.process.is_some() {
            bail!("{} runs already", self.name());
        }
        let (process, address) = Process::start(&self.start, &self.log, &self.supervisor).await?;
        self.process = Some(process);
        self.address = Some(address);
        self.gateway.lead_to(Some(address));
        Ok(())
    }

    /// Kills it with SIGKILL.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self) -> Result<()> {
        self.take()?.kill().await
    }

    /// Ends it with SIGTERM.
    ///
    /// # Errors
    /// When it does not run, or does not end well.
    pub async fn stop(&mut self) -> Result<()> {
        let process = self.take()?;
        process.stop().await
    }

    /// Where its process itself listens, without the gateway; none before it was started.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Its process' id.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pid(&self) -> Result<u32> {
        let process = self.process.as_ref();
        let pid = process.and_then(Process::pid);
        pid.with_context(|| format!("{} does not run", self.name()))
    }

    /// Has another service answer in its place, while it does not run.
    ///
    /// # Errors
    /// When it runs.
    pub fn stand_in(&self, address: SocketAddr) -> Result<()> {
        if self.is_up() {
            bail!("{} runs", self.name());
        }
        self.gateway.lead_to(Some(address));
        Ok(())
    }

    /// Ends what [`Self::stand_in`] began.
    pub fn stand_in_leaves(&self) {
        self.gateway.lead_to(None);
    }

    fn take(&mut self) -> Result<Process> {
        self.gateway.lead_to(None);
        self.process
            .take()
            .with_context(|| format!("{} does not run", self.start.name))
    }

    /// Fails if it ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        if let Some(status) = process.find_end()? {
            bail!("{} ended by itself with {status}", self.start.name);
        }
        Ok(())
    }

    /// Whether a process runs.
    pub(crate) fn is_up(&self) -> bool {
        self.process.is_some()
    }
}
