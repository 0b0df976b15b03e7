//! A service in a process of its own: started from its real binary, stopped as systemd would, or
//! killed as the kernel would.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use service::Supervisor;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::watch;

/// How long a service may take to answer after its start, or to end after it was told to.
const LIMIT: Duration = Duration::from_secs(30);

/// So many lines of a log are kept.
const KEPT: usize = 4000;

/// What the processes of one service wrote, one after the other.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<VecDeque<String>>>);

impl Log {
    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: String) {
        let mut lines = self.lock();
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// All lines kept.
    pub fn lines(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }

    /// The lines that report a fault of the service itself, and those that are no strict JSON.
    pub fn errors(&self) -> Vec<String> {
        let is_error = |line: &&String| match testbed::json::parse(line) {
            Ok(line) => line["level"] == "ERROR",
            Err(_) => true,
        };
        self.lock().iter().filter(is_error).cloned().collect()
    }

    /// The last lines, made short for people.
    pub fn tail(&self, count: usize) -> Vec<String> {
        let lines = self.lock();
        let skipped = lines.len().saturating_sub(count);
        lines.iter().skip(skipped).map(|line| plain(line)).collect()
    }
}

/// A JSON line as text: level, message, fields.
fn plain(line: &str) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_str(line) else {
        return line.to_owned();
    };
    let text = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut out = format!("{:5} {}", text("level"), text("message"));
    for (key, value) in &fields {
        match key.as_str() {
            "timestamp" | "level" | "message" | "target" | "span" | "spans" => {}
            key => {
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                out.push_str(&format!(" {key}={value}"));
            }
        }
    }
    out
}

/// What is started.
#[derive(Debug, Clone)]
pub struct Start {
    /// The service's name.
    pub name: &'static str,
    /// Its binary.
    pub program: PathBuf,
    /// Its configuration, which asks for a log in JSON.
    pub config: PathBuf,
    /// The variables that it sees, beside the path.
    pub environment: Vec<(String, String)>,
}

/// A process at work. It is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
}

impl Process {
    /// Starts a process and waits until it says where it listens.
    ///
    /// # Errors
    /// When it ends or does not say so in time; the error holds what it wrote.
    pub async fn start(
        start: &Start,
        log: &Log,
        supervisor: &Supervisor,
    ) -> Result<(Self, SocketAddr)> {
        let mut child = command(start)
            .spawn()
            .with_context(|| format!("cannot start {}", start.program.display()))?;
        let stderr = child.stderr.take().context("it was piped")?;
        let (sender, mut receiver) = watch::channel(None);
        supervisor.spawn_until_shutdown("log of a service", read(stderr, log.clone(), sender));
        let mut process = Self {
            name: start.name,
            child,
        };
        let up = async {
            tokio::select! {
                address = receiver.wait_for(Option::is_some) => address.ok().and_then(|a| *a),
                _ = process.child.wait() => None,
            }
        };
        match tokio::time::timeout(LIMIT, up).await {
            Ok(Some(address)) => Ok((process, address)),
            Ok(None) | Err(_) => {
                let said = log.tail(30).join("\n");
                bail!("{} did not come up; it wrote:\n{said}", start.name)
            }
        }
    }

    /// Its id; none once it has ended.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends it as the kernel would: at once, with no chance to tidy up.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn kill(mut self) -> Result<()> {
        let name = self.name;
        self.child
            .kill()
            .await
            .with_context(|| format!("cannot kill {name}"))
    }

    /// Ends it as an administrator would.
    ///
    /// # Errors
    /// When it does not end in time, or not well.
    pub async fn stop(mut self) -> Result<()> {
        let name = self.name;
        let pid = self
            .child
            .id()
            .and_then(|id| Pid::from_raw(id.try_into().ok()?));
        let pid = pid.with_context(|| format!("{name} has ended already"))?;
        kill_process(pid, Signal::TERM).with_context(|| format!("cannot signal {name}"))?;
        let status = tokio::time::timeout(LIMIT, self.child.wait()).await;
        let status = status.with_context(|| format!("{name} does not end"))??;
        ensure!(status.success(), "{name} ended with {status}");
        Ok(())
    }

    /// How it ended, if it did.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn find_end(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }
}

fn command(start: &Start) -> Command {
    let mut command = Command::new(&start.program);
    command
        .arg("--config")
        .arg(&start.config)
        .env_clear()
        .env("PATH", path())
        .env("RUST_BACKTRACE", "1")
        .envs(start.environment.iter().map(|(key, value)| (key, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Where programs are looked for: the one variable that children inherit.
pub(crate) fn path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_else(|| Path::new("/usr/bin:/bin").into())
}

/// Reads the log to its end; tells the address when it comes by.
async fn read(stderr: ChildStderr, log: Log, address: watch::Sender<Option<SocketAddr>>) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(found) = find_address(&line) {
            address.send_replace(Some(found));
        }
        log.push(line);
    }
}

/// The address in the line that says that a service is up.
fn find_address(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    line.get("message")?.as_str()?.strip_suffix(" is up")?;
    line.get("address")?.as_str()?.parse().ok()
}
