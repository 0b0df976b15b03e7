//! The sandbox in which recipes run.
//!
//! Each phase of a build gets a fresh one. avalanche itself never forks: it starts its own
//! executable anew through a hidden subcommand, as an unprivileged user, with an empty environment.
//! That helper has two stages:
//!
//! ```text
//! avalanche ──► outer: user + network namespace, root there
//!                 └──► inner: brings up loopback
//!                        └──► user + mount + pid + ipc + uts namespaces: the script, user 1000
//! ```
//!
//! The helper's standard input stays open for as long as avalanche wants the script to run. When it
//! closes, also because avalanche was killed, the outer stage kills what it has started;
//! parent-death signals take the inner stage, and with process 1 of the pid namespace goes
//! everything that the script has started. The outer stage waits for that and exits last. All
//! mounts belong to the namespace and vanish with it.
//!
//! Where the host refuses namespaces the attempt fails and names the settings to change. There is
//! no way to build outside a sandbox.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::process::Child;
use tokio_util::sync::CancellationToken;

use crate::helper::{self, Helper};
use crate::log::Log;

pub mod cgroup;
pub(crate) mod inner;
pub mod limits;
mod loopback;
pub(crate) mod outer;
pub mod root;
pub mod spec;
mod syscalls;
mod watch;

use cgroup::Group;
use limits::{Excess, Resource};
use spec::{Report, Spec};
use watch::{Memory, Watch};

/// The user and group that a script sees itself as.
pub const BUILD_ID: u32 = 1000;

/// The folder of a sandbox in which its first process leaves its mark; every spec maps it writable.
pub const CONTROL: &str = "/avalanche/control";

/// What to change where the host refuses a sandbox.
pub const SETTINGS: &str = "user namespaces must be allowed: check that \
    `sysctl user.max_user_namespaces` is above 0, that `sysctl kernel.unprivileged_userns_clone` \
    (where it exists) is 1, that `sysctl kernel.apparmor_restrict_unprivileged_userns` (where it \
    exists) is 0 or an AppArmor profile allows `userns` for avalanche, and in a container that \
    /proc is not masked";

/// What a shell says of a child that `SIGXFSZ` has ended.
const FILE_TOO_LONG: i32 = 128 + 25;

/// How long the processes of a killed sandbox may take to go.
const DYING: Duration = Duration::from_secs(30);

/// Makes sandboxes.
#[derive(Debug, Clone)]
pub struct Sandbox {
    helper: Helper,
}

/// How a script ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// By itself, with this exit status.
    Ended(i32),
    /// Stopped by the caller's token.
    Stopped,
    /// It wrote more log than it may.
    LogFull,
    /// It used more of something else than it may.
    Exceeded(Excess),
}

/// Why a script could not be run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The host does not let the sandbox be made.
    #[error("the host refuses the sandbox ({detail}); {SETTINGS}")]
    Refused {
        /// What the kernel said.
        detail: String,
    },
    /// The helper could not be started or talked to.
    #[error("cannot run the sandbox's helper {executable}")]
    Helper {
        /// The executable that should have been started.
        executable: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The helper ended without saying how the script ended.
    #[error("the sandbox's helper ended without a report: {said}")]
    NoReport {
        /// What it wrote instead.
        said: String,
    },
    /// The log could not be written.
    #[error("cannot write the log")]
    Log(#[source] io::Error),
}

impl Sandbox {
    /// Sandboxes that `helper` makes.
    pub fn new(helper: Helper) -> Self {
        Self { helper }
    }

    /// Runs the script of `spec`, its output going to `log`, until it ends, `stop` is cancelled or
    /// the log is full. When this returns, nothing that the script started is left.
    pub async fn run(
        &self,
        spec: &Spec,
        log: &Log,
        stop: &CancellationToken,
    ) -> Result<Outcome, Error> {
        let (mut child, output) = self.spawn(spec).await?;
        let mut output = Receiver::from_owned_fd(output).map_err(|e| self.broken(e))?;
        let pumped = tokio::select! {
            biased;
            () = stop.cancelled() => Pumped::Stopped,
            excess = self.watch(&child, spec) => Pumped::Exceeded(excess),
            pumped = pump(&mut output, log) => pumped,
        };
        match pumped {
            Pumped::End => {}
            Pumped::Stopped | Pumped::Full | Pumped::Exceeded(_) | Pumped::Failed(_) => {
                // The outer stage then kills all that it has started, and exits as the last of them:
                // killed itself, it would leave them to die at some time after this returns.
                drop(child.stdin.take());
                let gone = async {
                    drain(&mut output).await;
                    child.wait().await
                };
                if tokio::time::timeout(DYING, gone).await.is_err() {
                    // ESRCH, when it has just ended by itself, is as good.
                    let _ = child.start_kill();
                    tracing::warn!(
                        seconds = DYING.as_secs(),
                        "a killed sandbox does not go away"
                    );
                }
            }
        }
        let said = finish(&mut child).await.map_err(|e| self.broken(e))?;
        match pumped {
            Pumped::Stopped => Ok(Outcome::Stopped),
            Pumped::Full => Ok(Outcome::LogFull),
            Pumped::Exceeded(excess) => Ok(Outcome::Exceeded(excess)),
            Pumped::Failed(error) => Err(Error::Log(error)),
            Pumped::End => self.judge(spec, said),
        }
    }

    /// What the end of a script that nobody stopped means.
    fn judge(&self, spec: &Spec, said: String) -> Result<Outcome, Error> {
        let group = self.helper.group();
        // The kernel kills the helper together with the script.
        if let Some(excess) = group.and_then(Group::find_killed) {
            return Ok(Outcome::Exceeded(excess));
        }
        match serde_json::from_str(&said) {
            Ok(Report::Ended { status: 0 }) => Ok(Outcome::Ended(0)),
            Ok(Report::Ended { status }) => {
                let excess = match status {
                    FILE_TOO_LONG => Some(Excess {
                        resource: Resource::File,
                        used: None,
                        most: spec.limits.file_bytes,
                    }),
                    _ => group.and_then(Group::find_refused),
                };
                Ok(excess.map_or(Outcome::Ended(status), Outcome::Exceeded))
            }
            Ok(Report::Refused { detail }) => Err(Error::Refused { detail }),
            Err(_) => Err(Error::NoReport { said }),
        }
    }

    async fn watch(&self, child: &Child, spec: &Spec) -> Excess {
        // None only once it was waited for, which comes later.
        let Some(helper) = child.id() else {
            return std::future::pending().await;
        };
        let memory = match self.helper.group() {
            Some(_) => Memory::Held,
            None => Memory::Measured,
        };
        Watch::new(helper, &spec.limits, memory).excess().await
    }

    async fn spawn(&self, spec: &Spec) -> Result<(Child, OwnedFd), Error> {
        let broken = |error| self.broken(error);
        let (output, output_end) = io::pipe().map_err(broken)?;
        let child = self
            .helper
            .start(helper::SANDBOX_OUTER, spec, |command| {
                command.stdout(output_end);
            })
            .await
            .map_err(broken)?;
        Ok((child, output.into()))
    }

    fn broken(&self, source: io::Error) -> Error {
        Error::Helper {
            executable: self.helper.executable().clone(),
            source,
        }
    }
}

enum Pumped {
    End,
    Stopped,
    Full,
    Exceeded(Excess),
    Failed(io::Error),
}

/// Copies output to the log until its end.
async fn pump(output: &mut Receiver, log: &Log) -> Pumped {
    let mut chunk = vec![0u8; 64 << 10];
    loop {
        let bytes = match output.read(&mut chunk).await {
            Ok(0) => return Pumped::End,
            Ok(length) => &chunk[..length],
            Err(error) => return Pumped::Failed(error),
        };
        match log.append(bytes) {
            Ok(()) => {}
            Err(crate::log::Error::Full) => return Pumped::Full,
            Err(crate::log::Error::Io(error)) => return Pumped::Failed(error),
        }
    }
}

/// The output ends when the last process that holds it is gone.
async fn drain(output: &mut Receiver) {
    let mut chunk = vec![0u8; 64 << 10];
    while matches!(output.read(&mut chunk).await, Ok(1..)) {}
}

/// Takes in the helper's last words and its exit.
async fn finish(child: &mut Child) -> io::Result<String> {
    let mut said = Vec::new();
    if let Some(errors) = child.stderr.take() {
        errors.take(64 << 10).read_to_end(&mut said).await?;
    }
    // Only now: the closing input is the sign to die.
    drop(child.stdin.take());
    child.wait().await?;
    Ok(String::from_utf8_lossy(&said).trim().to_owned())
}

/// Writes the helper's report; called in the helper.
fn report(report: &Report) -> ExitCode {
    use std::io::Write as _;
    let written = serde_json::to_vec(report)
        .map_err(io::Error::other)
        .and_then(|line| io::stderr().write_all(&line));
    if written.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The first folder on the way to `path` that the user `id` cannot pass, if there is one.
///
/// The helper must reach the work folder under its own rights.
pub fn find_barrier(path: &Path, id: u32) -> io::Result<Option<PathBuf>> {
    use std::os::unix::fs::MetadataExt as _;
    let path = path.canonicalize()?;
    let mut folders: Vec<&Path> = path.ancestors().collect();
    folders.reverse();
    for folder in folders {
        let metadata = folder.metadata()?;
        let needed = match (metadata.uid() == id, metadata.gid() == id) {
            (true, _) => 0o100,
            (false, true) => 0o010,
            (false, false) => 0o001,
        };
        if metadata.mode() & needed == 0 {
            return Ok(Some(folder.to_owned()));
        }
    }
    Ok(None)
}
