//! The helper's first stage: a user namespace in which it is root, and a network of its own.
//!
//! It lives in the host's other namespaces, reads the [`Spec`] as one line from its standard
//! input, and then keeps that input open as a lifeline: when it ends, because avalanche let go of
//! it or died in whatever way, this process exits, and the kernel takes everything below with it.

use std::io::{self, BufRead as _, Read as _, Write as _};
use std::process::ExitCode;

use hakoniwa::{Container, Namespace, Stdio};

use super::spec::{Network, Report, Spec};

/// Runs the stage; the exit status says only whether a report was written.
pub(crate) fn run() -> ExitCode {
    // A session of its own: no controlling terminal, and Ctrl-C on avalanche's does not reach it.
    // It fails only for the leader of a process group, which a spawned child is not.
    let _ = rustix::process::setsid();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    match stage() {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(report)) => super::report(&report),
        Err(error) => super::report(&Report::Refused { detail: error }),
    }
}

/// Returns a report if the second stage did not make one.
fn stage() -> Result<Option<Report>, String> {
    let mut line = String::new();
    let mut input = io::BufReader::with_capacity(1, io::stdin());
    input
        .read_line(&mut line)
        .map_err(|error| format!("cannot read the spec: {error}"))?;
    let spec: Spec =
        serde_json::from_str(&line).map_err(|error| format!("cannot read the spec: {error}"))?;

    let mut container = Container::empty();
    container.unshare(Namespace::User).uidmap(0).gidmap(0);
    match spec.network {
        Network::Loopback => {
            container.unshare(Namespace::Network);
        }
        Network::Host => {}
    }
    let mut command = container.command("/proc/self/exe");
    command
        .arg(crate::helper::SANDBOX_INNER)
        .stdin(Stdio::piped());
    // Forks, so it must come before the thread below.
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let mut to_child = child
        .stdin
        .take()
        .ok_or("the second stage has no standard input")?;
    // When the second stage could not start, its status says so better than a broken pipe does.
    let _ = to_child.write_all(line.as_bytes());
    drop(to_child);

    std::thread::spawn(|| {
        let mut rest = [0u8; 64];
        while matches!(io::stdin().read(&mut rest), Ok(1..)) {}
        std::process::exit(1);
    });

    let status = child.wait().map_err(|error| error.to_string())?;
    Ok(if status.success() {
        None
    } else {
        Some(Report::Refused {
            detail: status.reason,
        })
    })
}
