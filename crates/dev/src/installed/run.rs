//! A program in a sandbox that has nothing but what was installed.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use avalanche::helper::{Helper, Identity};
use avalanche::log::Log;
use avalanche::sandbox::limits::Limits;
use avalanche::sandbox::spec::{Entry, Network, Run, Spec};
use avalanche::sandbox::{CONTROL, Outcome, Sandbox};
use summit::domain::tail;
use tokio_util::sync::CancellationToken;

use super::{Error, blocking, file};

/// What it is given to say.
const ARGUMENTS: [&str; 3] = [
    "-w",
    "32",
    "Installed from the index, with all that it needs.",
];

/// How long the program may run.
pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// How much of what it prints is shown.
const SHOWN_LINES: usize = 40;
const SHOWN_BYTES: usize = 4 << 10;

/// Runs `program` in a sandbox whose `/usr` is that of `root`; gives what it printed.
pub(super) async fn run(
    program: &str,
    root: &Path,
    bench: PathBuf,
    executable: PathBuf,
) -> Result<String, Error> {
    let identity = identity();
    let (path, root) = (program.to_owned(), root.to_owned());
    let (spec, log) = blocking(move || {
        let spec = spec(path, &root, &bench, identity)?;
        let log = bench.join("log");
        let opened = Log::create(&log, SHOWN_BYTES as u64 * 4);
        Ok((spec, opened.map_err(file("write", &log))?))
    })
    .await?;
    let sandbox = Sandbox::new(Helper::new(executable, identity));
    // Dropped at the limit, it kills what it has started.
    let stop = CancellationToken::new();
    let outcome = tokio::time::timeout(LIMIT, sandbox.run(&spec, &log, &stop)).await;
    let said = blocking(move || {
        let bytes = fs::read(log.path()).map_err(file("read", log.path()))?;
        Ok(tail::tail(&bytes, SHOWN_LINES, SHOWN_BYTES))
    })
    .await?;
    let program = program.to_owned();
    match outcome {
        Ok(Ok(Outcome::Ended(0))) => Ok(said),
        Ok(Ok(outcome)) => Err(Error::Failed {
            program,
            outcome: describe(&outcome),
            said,
        }),
        Ok(Err(source)) => Err(Error::Run {
            program,
            said,
            source: Box::new(source),
        }),
        Err(_) => Err(Error::Endless { program }),
    }
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ended(status) => format!("status {status}"),
        Outcome::Stopped => "stopped".to_owned(),
        Outcome::LogFull => "it prints without end".to_owned(),
        Outcome::Exceeded(excess) => excess.to_string(),
    }
}

/// The user that it runs as: that of builds, none of which is under way any more.
pub(super) fn identity() -> Identity {
    if rustix::process::getuid().is_root() {
        let id = avalanche::config::Sandbox::default().first_id;
        Identity::Dropped { id }
    } else {
        Identity::Own
    }
}

/// The root as it was installed, read-only, in a sandbox without a network.
fn spec(program: String, root: &Path, bench: &Path, identity: Identity) -> Result<Spec, Error> {
    make(bench, None)?;
    let [place, control] = ["place", "control"].map(|name| bench.join(name));
    for folder in [&place, &control] {
        make(folder, Some(identity))?;
    }
    let mut entries = vec![
        Entry::ReadOnly {
            host: root.join("usr"),
            inside: "/usr".to_owned(),
        },
        Entry::Writable {
            host: control,
            inside: CONTROL.to_owned(),
        },
    ];
    for (name, target) in moss_root::LINKS {
        entries.push(Entry::Symlink {
            target: target.to_owned(),
            inside: format!("/{name}"),
        });
    }
    Ok(Spec {
        root: place,
        entries,
        network: Network::Loopback,
        tcp_ports: Vec::new(),
        run: Run::Program {
            path: program,
            arguments: ARGUMENTS.map(str::to_owned).to_vec(),
        },
        folder: "/".to_owned(),
        environment: BTreeMap::from([("PATH".to_owned(), "/usr/bin".to_owned())]),
        limits: limits(),
    })
}

/// A folder that others can pass and read, or one of the sandbox's user.
pub(super) fn make(folder: &Path, owner: Option<Identity>) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(file("make", folder))?;
    let mode = Permissions::from_mode(0o755);
    fs::set_permissions(folder, mode).map_err(file("set the mode of", folder))?;
    match owner {
        Some(Identity::Dropped { id }) => {
            chown(folder, Some(id), Some(id)).map_err(file("give away", folder))
        }
        Some(Identity::Own) | None => Ok(()),
    }
}

/// Far more than a program needs that says something.
fn limits() -> Limits {
    Limits {
        // Without user namespaces that count for themselves, all processes of the user count.
        processes: 16_384,
        memory_bytes: 1 << 30,
        disk_bytes: 1 << 30,
        file_bytes: 1 << 30,
        open_files: 256,
        address_space_bytes: None,
    }
}
