//! The programs of binutils that packaging calls, and how they are run.
//!
//! What a build leaves behind is hostile input, and binutils was not written for that. The
//! packager therefore never names a program's surroundings: it puts copies of the files into an
//! empty folder, names them by plain file names, and leaves the running to an implementation of
//! [`Tools`]. The builder runs them in the sandbox with only that folder; [`HostTools`] runs them
//! on the host and is meant for tests and for trees that one trusts.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use thiserror::Error;

/// How much of a program's stderr is kept, in bytes, counted from its end.
const STDERR_LIMIT: u64 = 8 << 10;

/// A program that packaging calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Program {
    /// Splits debug information and links it to its program.
    Objcopy,
    /// Removes symbols and debug information.
    Strip,
}

impl Program {
    /// The file name of the program in GNU binutils.
    pub fn name(self) -> &'static str {
        match self {
            Self::Objcopy => "objcopy",
            Self::Strip => "strip",
        }
    }
}

/// Runs the programs of binutils.
pub trait Tools {
    /// Runs `program` with `folder` as its working directory and returns when it has ended.
    ///
    /// `arguments` are options and names of files in `folder`; they hold no other path. The
    /// program may write nowhere else. An implementation ends a program that runs too long
    /// together with everything it started.
    ///
    /// # Errors
    /// The program could not be started, ended with a failure, or ran out of time.
    fn run(&self, program: Program, arguments: &[&str], folder: &Path) -> Result<(), ToolError>;
}

/// Why a program gave no result.
#[derive(Debug, Error)]
pub enum ToolError {
    /// It could not be started or waited for.
    #[error("cannot run {program}")]
    Start {
        /// The program's name.
        program: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It ran and reported a failure. Binutils does so for machines it was not built for.
    #[error("{program} failed ({status}): {stderr}")]
    Failed {
        /// The program's name.
        program: String,
        /// Its exit status, in words.
        status: String,
        /// The end of what it wrote to stderr.
        stderr: String,
    },
    /// It was still running at the limit and was killed with its process group.
    #[error("{program} was killed after {} s: {stderr}", limit.as_secs())]
    TimedOut {
        /// The program's name.
        program: String,
        /// The limit.
        limit: Duration,
        /// The end of what it wrote to stderr.
        stderr: String,
    },
}

/// Runs the host's binutils directly, without a sandbox.
#[derive(Debug, Clone)]
pub struct HostTools {
    folder: Option<PathBuf>,
    limit: Duration,
}

impl HostTools {
    /// Programs found through `PATH`, each ended after `limit`.
    pub fn new(limit: Duration) -> Self {
        Self {
            folder: None,
            limit,
        }
    }

    /// The same, but with programs taken from `folder`.
    pub fn from_folder(folder: PathBuf, limit: Duration) -> Self {
        Self {
            folder: Some(folder),
            limit,
        }
    }
}

impl Tools for HostTools {
    fn run(&self, program: Program, arguments: &[&str], folder: &Path) -> Result<(), ToolError> {
        let name = program.name();
        let start = |source| ToolError::Start {
            program: name.to_owned(),
            source,
        };
        let mut stderr = tempfile::tempfile().map_err(start)?;
        let path = match &self.folder {
            Some(folder) => folder.join(name),
            None => PathBuf::from(name),
        };
        let child = Command::new(path)
            .args(arguments)
            .current_dir(folder)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr.try_clone().map_err(start)?)
            .process_group(0)
            .spawn()
            .map_err(start)?;
        let ended = wait(child, self.limit).map_err(start)?;
        let stderr = tail(&mut stderr).map_err(start)?;
        match ended {
            Ended::Exited(status) if status.success() => Ok(()),
            Ended::Exited(status) => Err(ToolError::Failed {
                program: name.to_owned(),
                status: status.to_string(),
                stderr,
            }),
            Ended::Killed => Err(ToolError::TimedOut {
                program: name.to_owned(),
                limit: self.limit,
                stderr,
            }),
        }
    }
}

enum Ended {
    Exited(ExitStatus),
    Killed,
}

/// Waits for the child at most `limit`, then kills its process group.
///
/// A thread watches the child without reaping it (`WNOWAIT`), so the process id cannot be given
/// to another process before the group has been killed.
fn wait(mut child: Child, limit: Duration) -> io::Result<Ended> {
    let pid = Pid::from_child(&child);
    let (ended, ends) = mpsc::sync_channel(1);
    let watch = std::thread::spawn(move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(rustix::io::Errno::INTR) = rustix::process::waitid(WaitId::Pid(pid), options)
        {
        }
        // The receiver may have given up at the limit.
        let _ = ended.send(());
    });
    let in_time = ends.recv_timeout(limit).is_ok();
    // Also after a regular end: nothing that the program started may outlive it. The group is
    // gone when it started nothing, so a failure here says nothing.
    let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    let status = child.wait()?;
    let _ = watch.join();
    Ok(if in_time {
        Ended::Exited(status)
    } else {
        Ended::Killed
    })
}

fn tail(file: &mut File) -> io::Result<String> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(STDERR_LIMIT)))?;
    let mut bytes = Vec::new();
    file.take(STDERR_LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn fake(script: &str) -> (tempfile::TempDir, HostTools) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("strip");
        testbed::program::write(&path, &format!("#!/bin/sh\n{script}\n"));
        let tools = HostTools::from_folder(folder.path().to_owned(), Duration::from_secs(20));
        (folder, tools)
    }

    #[test]
    fn runs_in_the_folder_with_its_arguments() {
        let (folder, tools) = fake("printf '%s,' \"$@\" > seen");
        tools
            .run(Program::Strip, &["-g", "a b"], folder.path())
            .unwrap();
        assert_eq!(
            std::fs::read_to_string(folder.path().join("seen")).unwrap(),
            "-g,a b,"
        );
    }

    #[test]
    fn a_failure_keeps_status_and_stderr() {
        let (folder, tools) = fake("echo 'file format not recognized' >&2; exit 3");
        let error = tools.run(Program::Strip, &[], folder.path()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "strip failed (exit status: 3): file format not recognized"
        );
    }

    #[test]
    fn a_missing_program_is_named() {
        let (folder, tools) = fake("exit 0");
        let error = tools.run(Program::Objcopy, &[], folder.path()).unwrap_err();
        assert!(matches!(error, ToolError::Start { .. }));
        assert_eq!(error.to_string(), "cannot run objcopy");
    }

    #[test]
    fn at_the_limit_the_whole_group_is_killed() {
        let (folder, _) = fake("echo started >&2; (sleep 600 & echo $! > grandchild; wait)");
        let tools = HostTools::from_folder(folder.path().to_owned(), Duration::from_secs(6));
        let error = tools.run(Program::Strip, &[], folder.path()).unwrap_err();
        assert!(
            matches!(&error, ToolError::TimedOut { stderr, .. } if stderr == "started"),
            "{error}"
        );
        let pid = std::fs::read_to_string(folder.path().join("grandchild")).unwrap();
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        let begun = Instant::now();
        while alive(pid) {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "the grandchild is still alive"
            );
            std::thread::yield_now();
        }
    }

    /// Whether the process still runs; one that waits to be reaped by init does not.
    fn alive(pid: Pid) -> bool {
        match std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())) {
            Ok(stat) => !stat
                .rsplit(')')
                .next()
                .unwrap_or_default()
                .trim()
                .starts_with('Z'),
            Err(_) => false,
        }
    }
}
