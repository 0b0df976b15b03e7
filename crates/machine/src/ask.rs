//! Running a program for its answer.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

/// How long a program may take. Those asked here need milliseconds.
const LIMIT: Duration = Duration::from_secs(30);

/// The most bytes that are read of what a program says.
const MOST: u64 = 64 << 10;

/// Why a program gave no answer. Only the first says that the machine lacks the program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unheard {
    /// It is not there.
    #[error("there is no such program")]
    Absent,
    /// It is there and cannot be started.
    #[error("it cannot be started: {0}")]
    Start(io::Error),
    /// It did not end in time.
    #[error("it took more than {} s: {said}", limit.as_secs())]
    Late {
        /// How long it was given.
        limit: Duration,
        /// What it wrote to its standard error.
        said: String,
    },
    /// What it says cannot be kept or read.
    #[error("what it says cannot be read: {0}")]
    Words(#[from] io::Error),
}

/// What `command` says.
///
/// # Errors
/// When it is not there, cannot be started, takes too long, or cannot be heard.
pub(crate) fn ask(command: &mut Command) -> Result<Output, Unheard> {
    ask_within(command, LIMIT)
}

fn ask_within(command: &mut Command, limit: Duration) -> Result<Output, Unheard> {
    // Files and no pipes: whoever keeps a pipe open would have to be waited for.
    let (output, errors) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let started = command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(errors.try_clone()?)
        .process_group(0)
        .spawn();
    let mut child = started.map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            Unheard::Absent
        } else {
            Unheard::Start(error)
        }
    })?;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (ended, end) = mpsc::channel::<()>();
    let (status, is_late) = std::thread::scope(|scope| {
        let watch = scope.spawn(move || {
            let is_late = matches!(end.recv_timeout(limit), Err(RecvTimeoutError::Timeout));
            if let (true, Some(group)) = (is_late, group) {
                // It may have ended just now.
                let _ = kill_process_group(group, Signal::KILL);
            }
            is_late
        });
        let status = child.wait();
        drop(ended);
        let is_late = watch
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (status, is_late)
    });
    let stderr = said(errors)?;
    if is_late {
        let said = String::from_utf8_lossy(&stderr).trim().to_owned();
        return Err(Unheard::Late { limit, said });
    }
    Ok(Output {
        status: status?,
        stdout: said(output)?,
        stderr,
    })
}

fn said(mut file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_is_heard() {
        let output = ask(&mut shell("echo out; echo err >&2; exit 3")).unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(
            (&output.stdout[..], &output.stderr[..]),
            (&b"out\n"[..], &b"err\n"[..])
        );
    }

    /// Nor is one waited for that left the group and holds what it was given to write to.
    #[test]
    fn a_program_that_hangs_is_killed_and_its_words_are_kept() {
        let mut command = shell("echo so far >&2; setsid sleep 30 & sleep 600");
        let error = ask_within(&mut command, Duration::from_millis(500)).unwrap_err();
        assert!(matches!(error, Unheard::Late { .. }), "{error}");
        assert!(error.to_string().ends_with(": so far"), "{error}");
    }

    #[test]
    fn a_program_that_is_not_there_is_told_from_one_that_cannot_be_started() {
        let error = ask(&mut Command::new("/nowhere/program")).unwrap_err();
        assert!(matches!(error, Unheard::Absent), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        std::fs::write(&program, "").unwrap();
        let error = ask(&mut Command::new(&program)).unwrap_err();
        assert!(matches!(error, Unheard::Start(_)), "{error}");
    }
}
