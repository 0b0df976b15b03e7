//! The helper's first stage: a user namespace in which it is root, and a network of its own.
//!
//! It lives in the host's other namespaces, reads the [`Spec`] as one line from its standard
//! input, and then keeps that input open as a lifeline: when it ends, because avalanche let go of
//! it or died in whatever way, this process kills everything below, waits for it, and exits.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use hakoniwa::{Container, Namespace, Stdio};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, wait};

use super::spec::{Network, Report, Spec};
use super::watch;
use crate::helper;

/// How often the stage looks for what outlived its parent.
const AGAIN: Duration = Duration::from_millis(50);

/// Runs the stage; the exit status says only whether a report was written.
pub(crate) fn run() -> ExitCode {
    // A session of its own: no controlling terminal, and Ctrl-C on avalanche's does not reach it.
    // It fails only for the leader of a process group, which a spawned child is not.
    let _ = rustix::process::setsid();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    // So that no process of the sandbox can outlive this one unseen.
    if let Err(error) = set_child_subreaper(Some(rustix::process::getpid())) {
        return super::report(&Report::Refused {
            detail: format!("no subreaper: {error}"),
        });
    }
    // When memory runs out, a build goes before all else. Raising one's own is always allowed.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    match stage() {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(report)) => super::report(&report),
        Err(error) => super::report(&Report::Refused { detail: error }),
    }
}

/// Returns a report if the second stage did not make one.
fn stage() -> Result<Option<Report>, String> {
    let (spec, line): (Spec, String) = helper::read_job()?;
    let mut container = Container::empty();
    container.unshare(Namespace::User).uidmap(0).gidmap(0);
    match spec.network {
        Network::Loopback => {
            container.unshare(Namespace::Network);
        }
        Network::Host => {}
    }
    let mut command = container.command("/proc/self/exe");
    command.arg(helper::SANDBOX_INNER).stdin(Stdio::piped());
    // Forks, so it must come before the thread below.
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let mut to_child = child
        .stdin
        .take()
        .ok_or("the second stage has no standard input")?;
    // When the second stage could not start, its status says so better than a broken pipe does.
    let _ = to_child.write_all(line.as_bytes());
    drop(to_child);

    let first = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    helper::hold_lifeline(move || {
        // What it has started follows it, by parent-death signals.
        let _ = first.map(|first| kill_process(first, Signal::KILL));
        // But for what it was just starting, which had not asked for that signal yet. This thread
        // ends with the process, once nothing is left.
        loop {
            std::thread::sleep(AGAIN);
            for id in watch::descendants(std::process::id()) {
                let _ = kill_process(id, Signal::KILL);
            }
        }
    });

    let status = child.wait().map_err(|error| error.to_string());
    // After a kill the orphans come here to die; process 1 of the sandbox is the last, and it has
    // an end only when all others in its namespace have.
    while wait(WaitOptions::empty()).is_ok() {}
    let status = status?;
    Ok(if status.success() {
        None
    } else {
        Some(Report::Refused {
            detail: status.reason,
        })
    })
}
