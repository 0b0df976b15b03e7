//! binutils in the sandbox: what a build has made is read by nothing outside of one.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::scripts::{self, SCRATCH};
use super::workspace::Workspace;
use crate::log::Log;
use crate::package::{Program, ToolError, Tools};
use crate::sandbox::limits::Limits;
use crate::sandbox::root::HostPaths;
use crate::sandbox::spec::{Entry, Network};
use crate::sandbox::{Outcome, Sandbox};

/// How long one program may run.
const LIMIT: Duration = Duration::from_secs(600);
/// How many processes and threads one program may have.
const PROCESSES: u64 = 64;
/// How much of a program's output is kept, in bytes.
const OUTPUT: u64 = 16 << 10;

/// Runs binutils in fresh sandboxes of one attempt. Called from threads that may block.
pub(super) struct SandboxedTools<'a> {
    pub(super) sandbox: &'a Sandbox,
    pub(super) workspace: &'a Workspace,
    pub(super) host: &'a HostPaths,
    pub(super) runtime: Handle,
    pub(super) stop: CancellationToken,
    pub(super) limits: &'a Limits,
    pub(super) calls: AtomicU32,
}

impl Tools for SandboxedTools<'_> {
    fn run(&self, program: Program, arguments: &[&str], folder: &Path) -> Result<(), ToolError> {
        let start = |source| ToolError::Start {
            program: program.name().to_owned(),
            source,
        };
        let name = format!("tool-{}", self.calls.fetch_add(1, Ordering::Relaxed));
        self.hand_over(folder).map_err(start)?;
        let outcome = self.run_script(&name, &script(program, arguments), folder);
        let output = fs::read(self.workspace.path(&format!("{name}.log"))).unwrap_or_default();
        self.clean_up(&name);
        let stderr = String::from_utf8_lossy(&output).trim().to_owned();
        let failed = |status: String| {
            Err(ToolError::Failed {
                program: program.name().to_owned(),
                status,
                stderr: stderr.clone(),
            })
        };
        match outcome.map_err(start)? {
            Outcome::Ended(0) => Ok(()),
            Outcome::Ended(status) => failed(format!("exit status: {status}")),
            Outcome::LogFull => failed("it wrote too much".to_owned()),
            Outcome::Exceeded(excess) => failed(excess.to_string()),
            Outcome::Stopped => Err(ToolError::TimedOut {
                program: program.name().to_owned(),
                limit: LIMIT,
                stderr,
            }),
        }
    }
}

impl SandboxedTools<'_> {
    fn run_script(&self, name: &str, script: &str, folder: &Path) -> io::Result<Outcome> {
        self.workspace
            .write(&format!("scripts/{name}"), script.as_bytes())?;
        let limits = Limits {
            processes: PROCESSES,
            ..self.limits.clone()
        };
        let mut spec = scripts::spec(self.workspace, self.host, Network::Loopback, name, &limits)?;
        spec.entries.push(Entry::Writable {
            host: folder.to_owned(),
            inside: SCRATCH.to_owned(),
        });
        SCRATCH.clone_into(&mut spec.folder);
        let log = Log::create(&self.workspace.path(&format!("{name}.log")), OUTPUT)?;
        let stop = self.stop.child_token();
        self.runtime.block_on(async {
            let run = self.sandbox.run(&spec, &log, &stop);
            tokio::pin!(run);
            let outcome = tokio::select! {
                outcome = &mut run => outcome,
                () = tokio::time::sleep(LIMIT) => {
                    stop.cancel();
                    run.await
                }
            };
            outcome.map_err(io::Error::other)
        })
    }

    /// The folder and its files were made by avalanche; the programs run as the builds' user.
    fn hand_over(&self, folder: &Path) -> io::Result<()> {
        self.workspace.give(folder)?;
        for entry in fs::read_dir(folder)? {
            self.workspace.give(&entry?.path())?;
        }
        Ok(())
    }

    fn clean_up(&self, name: &str) {
        // What stays goes with the workspace.
        for folder in ["control", "root"] {
            let _ = super::workspace::remove(&self.workspace.path(&format!("{folder}-{name}")));
        }
        let _ = fs::remove_file(self.workspace.path(&format!("{name}.log")));
        let _ = fs::remove_file(self.workspace.path(&format!("scripts/{name}")));
    }
}

fn script(program: Program, arguments: &[&str]) -> String {
    let mut script = format!("export LC_ALL=C\nexec {}", program.name());
    for argument in arguments {
        script.push_str(" '");
        script.push_str(&argument.replace('\'', r"'\''"));
        script.push('\'');
    }
    script.push('\n');
    script
}
