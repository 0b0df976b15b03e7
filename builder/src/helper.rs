//! The hidden subcommands through which the executable starts itself anew.
//!
//! What must fork, what reads hostile bytes and what must be killable with all that it holds runs
//! in a process of its own, as an unprivileged user and with an empty environment: the sandbox's
//! two stages, git clones, the unpacking of archives. A binary that contains avalanche calls
//! [`run_if_requested`] before anything else.
//!
//! A helper reads its job as one line of JSON from its standard input, which stays open as a
//! lifeline: when it closes, the helper exits. So helpers end with avalanche however that ends.

use std::io::{self, BufRead as _, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::sandbox::cgroup::Group;

/// The first stage of the sandbox.
pub(crate) const SANDBOX_OUTER: &str = "__avalanche-sandbox";
/// The second stage of the sandbox.
pub(crate) const SANDBOX_INNER: &str = "__avalanche-sandbox-inner";
/// A git clone.
pub(crate) const GIT: &str = "__avalanche-git";
/// The unpacking of archives and stones.
pub(crate) const UNPACK: &str = "__avalanche-unpack";

/// The most bytes of a helper's answer, and of what it writes to its standard error.
const MAX_ANSWER: u64 = 8 << 20;

/// The most bytes of the latter that an error repeats: its end.
const MAX_SAID: usize = 4 << 10;

/// Becomes the helper that the command line asks for, and exits; returns if it asks for none.
///
/// Must be called first in `main`, before any thread is started: the sandbox forks.
pub fn run_if_requested() {
    let Some(name) = std::env::args().nth(1) else {
        return;
    };
    let code = match name.as_str() {
        SANDBOX_OUTER => crate::sandbox::outer::run(),
        SANDBOX_INNER => crate::sandbox::inner::run(),
        GIT => answer(crate::git::child::run),
        UNPACK => answer(crate::unpack::child::run),
        _ => return,
    };
    // `std::process::exit` takes a number; both codes that helpers use have one.
    std::process::exit(i32::from(code != ExitCode::SUCCESS));
}

/// As which user of the host helpers run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// As avalanche itself, which is not root.
    Own,
    /// As this user and group, which need no name; avalanche is root and steps down.
    Dropped {
        /// The number of both.
        id: u32,
    },
}

/// Starts helpers.
#[derive(Debug, Clone)]
pub struct Helper {
    executable: PathBuf,
    identity: Identity,
    group: Option<Arc<Group>>,
}

/// Why a helper did not bring an answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It could not be started or talked to.
    #[error("cannot run the helper {executable}")]
    Broken {
        /// The executable that should have been started.
        executable: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// It did the job as far as it could, and says why it could not do it all.
    #[error("{0}")]
    Failed(String),
    /// It ended without an answer.
    #[error("a helper ended without an answer: {said}")]
    NoAnswer {
        /// What it wrote to its standard error instead.
        said: String,
    },
    /// It took longer than it may.
    #[error("a helper was killed after {} s; its last words: {said}", after.as_secs())]
    TimedOut {
        /// How long it ran.
        after: Duration,
        /// What it wrote to its standard error until then.
        said: String,
    },
    /// The caller wanted it no more.
    #[error("a helper was stopped")]
    Stopped,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer<T> {
    Done(T),
    Failed(String),
}

impl Helper {
    /// Helpers of `executable`, run as `identity`.
    pub fn new(executable: PathBuf, identity: Identity) -> Self {
        Self {
            executable,
            identity,
            group: None,
        }
    }

    /// The same, in a control group.
    #[must_use]
    pub fn within(self, group: Option<Arc<Group>>) -> Self {
        Self { group, ..self }
    }

    /// The control group that they run in.
    pub(crate) fn group(&self) -> Option<&Group> {
        self.group.as_deref()
    }

    /// As which user of the host they run.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The executable.
    pub fn executable(&self) -> &PathBuf {
        &self.executable
    }

    /// Starts the helper `name` and hands it `job`. `configure` gives it its standard output.
    pub(crate) async fn start(
        &self,
        name: &str,
        job: &impl Serialize,
        configure: impl FnOnce(&mut Command),
    ) -> io::Result<Child> {
        // Started through a descriptor, so that the unprivileged user needs no way to the file.
        let executable = std::fs::File::open(&self.executable)?;
        let mut command = Command::new(format!("/proc/self/fd/{}", executable.as_raw_fd()));
        command
            .arg0("avalanche")
            .arg(name)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        match self.identity {
            Identity::Own => {}
            // The standard library also drops the supplementary groups.
            Identity::Dropped { id } => {
                command.uid(id).gid(id);
            }
        }
        configure(&mut command);
        let mut child = command.spawn()?;
        // The command may hold the writing end of a pipe, which must not outlive the child's.
        drop(command);
        // Before it has its job, so that nothing it does is outside.
        if let (Some(group), Some(process)) = (&self.group, child.id()) {
            group.take(process)?;
        }
        let mut line = serde_json::to_vec(job).map_err(io::Error::other)?;
        line.push(b'\n');
        if let Some(input) = child.stdin.as_mut() {
            // When the helper could not even read it, its answer or the lack of one tells more.
            let _ = input.write_all(&line).await;
        }
        Ok(child)
    }

    /// Has the helper `name` do `job` and returns its answer.
    pub(crate) async fn call<R: DeserializeOwned>(
        &self,
        name: &str,
        job: &impl Serialize,
        environment: &[(&str, &str)],
        limit: Duration,
        stop: &CancellationToken,
    ) -> Result<R, CallError> {
        let broken = |source| CallError::Broken {
            executable: self.executable.clone(),
            source,
        };
        let mut child = self
            .start(name, job, |command| {
                command
                    .stdout(Stdio::piped())
                    .envs(environment.iter().copied());
            })
            .await
            .map_err(broken)?;
        let mut heard = Heard::default();
        let talk = heard.listen(&mut child);
        tokio::select! {
            biased;
            () = stop.cancelled() => {
                let _ = child.kill().await;
                return Err(CallError::Stopped);
            }
            ended = tokio::time::timeout(limit, talk) => match ended {
                Ok(read) => read.map_err(broken)?,
                Err(_) => {
                    let _ = child.kill().await;
                    return Err(CallError::TimedOut {
                        after: limit,
                        said: heard.last_words(),
                    });
                }
            },
        }
        match serde_json::from_slice(&heard.answer) {
            Ok(Answer::Done(value)) => Ok(value),
            Ok(Answer::Failed(message)) => Err(CallError::Failed(message)),
            Err(_) => Err(CallError::NoAnswer {
                said: heard.last_words(),
            }),
        }
    }
}

/// What a child has written so far.
#[derive(Default)]
struct Heard {
    answer: Vec<u8>,
    said: Vec<u8>,
}

impl Heard {
    /// Reads all that the child writes, and waits for its end.
    async fn listen(&mut self, child: &mut Child) -> io::Result<()> {
        let (output, errors) = (child.stdout.take(), child.stderr.take());
        tokio::try_join!(read(output, &mut self.answer), read(errors, &mut self.said))?;
        drop(child.stdin.take());
        child.wait().await.map(drop)
    }

    /// The end of what it wrote to its standard error.
    fn last_words(&self) -> String {
        let from = self.said.len().saturating_sub(MAX_SAID);
        let end = self.said.get(from..).unwrap_or_default();
        String::from_utf8_lossy(end).trim().to_owned()
    }
}

async fn read(from: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) -> io::Result<()> {
    match from {
        Some(from) => from.take(MAX_ANSWER).read_to_end(into).await.map(drop),
        None => Ok(()),
    }
}

/// In the helper: does the job of the standard input and writes the answer.
fn answer<J: DeserializeOwned, R: Serialize>(run: impl FnOnce(J) -> Result<R, String>) -> ExitCode {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let answer = match read_job() {
        Ok((job, _)) => {
            hold_lifeline(|| std::process::exit(1));
            match run(job) {
                Ok(value) => Answer::Done(value),
                Err(message) => Answer::Failed(message),
            }
        }
        Err(message) => Answer::Failed(message),
    };
    let written = serde_json::to_vec(&answer)
        .map_err(io::Error::other)
        .and_then(|bytes| io::stdout().write_all(&bytes));
    if written.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// In the helper: reads the job, and its line as it came.
pub(crate) fn read_job<J: DeserializeOwned>() -> Result<(J, String), String> {
    let mut line = String::new();
    // A byte at a time, as nothing after the line may be swallowed.
    io::BufReader::with_capacity(1, io::stdin())
        .read_line(&mut line)
        .map_err(|error| format!("cannot read the job: {error}"))?;
    // The error of serde_json does not quote the input: a job may hold a secret.
    let job = serde_json::from_str(&line)
        .map_err(|error| format!("cannot read the job at column {}", error.column()))?;
    Ok((job, line))
}

/// In the helper: does `end` when the standard input closes.
pub(crate) fn hold_lifeline(end: impl FnOnce() + Send + 'static) {
    std::thread::spawn(|| {
        let mut rest = [0u8; 64];
        while matches!(io::stdin().read(&mut rest), Ok(1..)) {}
        end();
    });
}
