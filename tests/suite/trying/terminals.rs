//! The person's two terminals.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::page::has;

/// How long anything may take: builds, and the end of the line.
const LIMIT: Duration = Duration::from_secs(300);

/// What stands for cargo: the programs are built, and a test must not wait for another build.
const CARGO: &str = r#"#!/bin/sh
set -eu
[ "$1" = run ] && shift
program=snekbook-dev
while [ $# -gt 0 ]; do
    case "$1" in
        --quiet) shift ;;
        --manifest-path) [ -f "$2" ] && shift 2 ;;
        --package) program=$2 && shift 2 ;;
        --) shift && break ;;
        *) echo "no such option: $1" >&2 && exit 2 ;;
    esac
done
exec "$PROGRAMS/$program" "$@"
"#;

/// The machine of a newcomer: a home without anything, and the project's folder.
#[derive(Debug)]
pub(super) struct Machine {
    home: tempfile::TempDir,
    programs: PathBuf,
}

impl Machine {
    /// A new one.
    pub(super) fn new() -> Result<Self> {
        let home = tempfile::tempdir()?;
        // Builds run as another user, who has to pass.
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o711))?;
        let line = harness::program::find("snekbook-dev")?;
        harness::program::find("stone")?;
        let folder = home.path().join("bin");
        std::fs::create_dir(&folder)?;
        let cargo = folder.join("cargo");
        testbed::program::write(&cargo, CARGO);
        let programs = line.parent().context("a program lies in a folder")?;
        Ok(Self {
            programs: programs.to_owned(),
            home,
        })
    }

    /// A shell in the project's folder, in a process group of its own, as a terminal has it.
    fn shell(&self) -> Command {
        let mut shell = Command::new("sh");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders = vec![self.home.path().join("bin")];
        folders.extend(std::env::split_paths(&path));
        shell
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .env("HOME", self.home.path())
            .env("PATH", std::env::join_paths(folders).unwrap_or(path))
            .env("PROGRAMS", &self.programs)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env_remove("XDG_DATA_HOME")
            .process_group(0)
            .kill_on_drop(true)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        shell
    }
}

/// The first terminal.
#[derive(Debug)]
pub(super) struct Line {
    child: Child,
    stderr: Lines<BufReader<ChildStderr>>,
    stdout: Lines<BufReader<ChildStdout>>,
    said: Vec<String>,
}

impl Line {
    /// Types `script`.
    pub(super) fn start(machine: &Machine, script: &str) -> Result<Self> {
        let mut child = machine
            .shell()
            .args(["-euc", script])
            .stdin(Stdio::null())
            .spawn()?;
        Ok(Self {
            stderr: BufReader::new(child.stderr.take().context("it is piped")?).lines(),
            stdout: BufReader::new(child.stdout.take().context("it is piped")?).lines(),
            child,
            said: Vec::new(),
        })
    }

    /// Waits for lines that have what is wanted, one after the other.
    pub(super) async fn hear(&mut self, wanted: &[String]) -> Result<()> {
        for wanted in wanted {
            let heard = tokio::time::timeout(LIMIT, self.hear_one(wanted)).await;
            heard.with_context(|| format!("{wanted:?} was not said in {LIMIT:?}"))??;
        }
        Ok(())
    }

    async fn hear_one(&mut self, wanted: &str) -> Result<()> {
        loop {
            let line = tokio::select! {
                line = self.stderr.next_line() => line?,
                Ok(Some(line)) = self.stdout.next_line() => Some(line),
            };
            let Some(line) = line else {
                bail!("it ended without {wanted:?}");
            };
            let is_wanted = has(&line, wanted);
            self.said.push(line);
            if is_wanted {
                return Ok(());
            }
        }
    }

    /// All that was said.
    pub(super) fn said(&self) -> String {
        self.said.join("\n")
    }

    /// Presses Ctrl-C, which reaches all that runs in the terminal, and waits for the end.
    pub(super) async fn stop(mut self) -> Result<()> {
        let id = self.child.id().context("it ended by itself")?;
        let group = Pid::from_raw(i32::try_from(id)?).context("a process has a number")?;
        kill_process_group(group, Signal::INT)?;
        let rest = async {
            while let Some(line) = self.stderr.next_line().await? {
                self.said.push(line);
            }
            self.child.wait().await
        };
        let status = tokio::time::timeout(LIMIT, rest).await??;
        // The terminal's shell is interrupted with the line, and may end by that.
        let is_well = status.success() || status.signal() == Some(Signal::INT.as_raw());
        ensure!(is_well, "the line ended with {status}");
        let fault = self.said.iter().find(|line| {
            let words = ["error: ", "panicked at", "did not end in time"];
            words.iter().any(|word| line.contains(word))
        });
        ensure!(fault.is_none(), "the line ended with {fault:?}");
        Ok(())
    }
}

/// Closes the terminal, and with it all that runs there.
impl Drop for Line {
    fn drop(&mut self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(Pid::from_raw) {
            // It may have ended just now.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// The second terminal: one shell for the whole page, which ends at the first command that fails.
#[derive(Debug)]
pub(super) struct Shell {
    child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    output: String,
}

/// What the shell says when a block is done.
const DONE: &str = "-- done with the block --";

impl Shell {
    /// Opens it.
    pub(super) fn start(machine: &Machine) -> Result<Self> {
        let mut child = machine
            .shell()
            .args(["-euc", "exec 2>&1; exec sh -eu"])
            .stdin(Stdio::piped())
            .spawn()?;
        Ok(Self {
            stdin: child.stdin.take().context("it is piped")?,
            stdout: BufReader::new(child.stdout.take().context("it is piped")?).lines(),
            child,
            output: String::new(),
        })
    }

    /// Types `script`, and waits until it is done.
    pub(super) async fn run(&mut self, script: &str) -> Result<()> {
        self.output.clear();
        let typed = format!("{script}\necho '{DONE}'\n");
        self.stdin.write_all(typed.as_bytes()).await?;
        let read = async {
            while let Some(line) = self.stdout.next_line().await? {
                if line == DONE {
                    return Ok(true);
                }
                self.output.push_str(&line);
                self.output.push('\n');
            }
            std::io::Result::Ok(false)
        };
        let is_done = tokio::time::timeout(LIMIT, read).await;
        let is_done = is_done.with_context(|| format!("it takes too long:\n{}", self.output))??;
        if !is_done {
            let status = self.child.wait().await?;
            bail!("the shell ended with {status}:\n{}", self.output);
        }
        Ok(())
    }

    /// What the last block said.
    pub(super) fn output(&self) -> &str {
        &self.output
    }

    /// The address that the last block showed.
    pub(super) fn url(&self) -> Result<String> {
        let mut lines = self.output.lines();
        let url = lines.find(|line| line.starts_with("http://"));
        Ok(url.context("the last block shows no address")?.to_owned())
    }

    /// What `text` is with its variables filled in.
    pub(super) async fn expand(&mut self, text: &str) -> Result<String> {
        let kept = std::mem::take(&mut self.output);
        self.run(&format!("echo \"{text}\"")).await?;
        let expanded = std::mem::replace(&mut self.output, kept);
        let expanded = expanded.trim().to_owned();
        ensure!(!expanded.is_empty(), "{text} is empty");
        Ok(expanded)
    }
}
