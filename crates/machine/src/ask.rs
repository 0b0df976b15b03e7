//! Running a program for its answer.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

/// How long a program may take. Those asked here need milliseconds.
const LIMIT: Duration = Duration::from_secs(30);

/// What `command` says, or what it said until it was killed for taking too long.
pub(crate) fn ask(command: &mut Command) -> io::Result<Output> {
    ask_within(command, LIMIT)
}

fn ask_within(command: &mut Command, limit: Duration) -> io::Result<Output> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (ended, end) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if let (Err(RecvTimeoutError::Timeout), Some(group)) = (end.recv_timeout(limit), group)
            {
                // It may have ended just now.
                let _ = kill_process_group(group, Signal::KILL);
            }
        });
        let output = child.wait_with_output();
        drop(ended);
        output
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_is_killed_with_its_children_and_its_words_are_kept() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo so far >&2; sleep 600 & wait"]);
        let output = ask_within(&mut command, Duration::from_millis(300)).unwrap();
        assert!(!output.status.success());
        assert_eq!(output.stderr, b"so far\n");
    }
}
