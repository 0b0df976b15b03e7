//! The helper's second stage: root in its own user namespace, it makes the sandbox proper and runs
//! the script in it as an ordinary user without any capability.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::ExitCode;

use hakoniwa::{Container, MountOptions, Namespace, Rlimit, Stdio, landlock};
use rustix::fs::StatVfsMountFlags;
use rustix::process::Resource;

use super::limits::Limits;
use super::spec::{Entry, Network, Report, Run, Spec};
use super::{BUILD_ID, CONTROL, loopback, syscalls};

/// The mark of a sandbox in which something has run, in the control folder.
const STARTED: &str = "started";

/// Runs the script as the child of process 1, so that signals work for it as they do anywhere;
/// the mark tells a script that ended from a sandbox that was never made.
const INIT: &str = r#": > "$0/started"; /bin/bash --noprofile --norc "$1" </dev/null; exit "$?""#;

/// Runs the stage.
pub(crate) fn run() -> ExitCode {
    match stage() {
        Ok(report) => super::report(&report),
        Err(detail) => super::report(&Report::Refused { detail }),
    }
}

fn stage() -> Result<Report, String> {
    let mut text = String::new();
    io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| format!("no spec: {error}"))?;
    let spec: Spec = serde_json::from_str(&text).map_err(|error| format!("bad spec: {error}"))?;

    match spec.network {
        Network::Loopback => loopback::bring_up()
            .map_err(|error| format!("cannot bring up the loopback interface: {error}"))?,
        Network::Host => {}
    }
    // One user namespace more, the sandbox's own. The filter denies others to the script anyway; this
    // is a second bolt, for where /proc/sys can be written.
    let _ = std::fs::write("/proc/sys/user/max_user_namespaces", "1");

    let container = container(&spec)?;
    let started = control_folder(&spec)?.join(STARTED);
    let mut command = first_program(&container, spec.run.clone());
    command
        .envs(&spec.environment)
        .current_dir(&spec.folder)
        .stdin(Stdio::from(
            std::fs::File::open("/dev/null").map_err(|e| e.to_string())?,
        ))
        .stderr(Stdio::from(
            io::stdout()
                .as_fd()
                .try_clone_to_owned()
                .map_err(|e| e.to_string())?,
        ));
    let status = command.status().map_err(|error| error.to_string())?;
    Ok(match status.exit_code {
        Some(code) if started.exists() => Report::Ended { status: code },
        Some(_) => Report::Refused {
            detail: "see the last line of the log".to_owned(),
        },
        None if started.exists() => Report::Ended {
            status: status.code,
        },
        None => Report::Refused {
            detail: status.reason,
        },
    })
}

/// The host's side of the folder in which the first process leaves its mark.
fn control_folder(spec: &Spec) -> Result<&Path, String> {
    spec.entries
        .iter()
        .find_map(|entry| match entry {
            Entry::Writable { host, inside } if inside == CONTROL => Some(host.as_path()),
            Entry::ReadOnly { .. }
            | Entry::Writable { .. }
            | Entry::Overlay { .. }
            | Entry::Symlink { .. }
            | Entry::File { .. } => None,
        })
        .ok_or_else(|| format!("the spec has no writable {CONTROL}"))
}

/// Process 1: between the last mount and the first program, it gives up what no script may call.
fn first_program(container: &Container, run: Run) -> hakoniwa::Command {
    let enter = move || {
        let ready = shrink_devices()
            .map_err(|error| format!("cannot limit /dev: {error}"))
            .and_then(|()| {
                syscalls::deny().map_err(|error| format!("cannot deny system calls: {error}"))
            });
        let failed = match ready {
            Ok(()) => become_first(&run),
            Err(failed) => failed,
        };
        // The log shows it; the lack of a mark says that no script has run.
        let _ = writeln!(io::stdout(), "{failed}");
        1
    };
    #[expect(
        unsafe_code,
        reason = "only a closure runs between the mounts and the first program"
    )]
    // SAFETY: the closure runs in a forked child, where locks that other threads held would stay
    // locked. This stage has a single thread.
    unsafe {
        container.command_from_closure(enter)
    }
}

/// Becomes what is to run; says why not.
fn become_first(run: &Run) -> String {
    match run {
        Run::Script { path } => {
            let mut bash = std::process::Command::new("/bin/bash");
            bash.args(["--noprofile", "--norc", "-c", INIT, CONTROL, path]);
            format!("cannot run /bin/bash: {}", bash.exec())
        }
        Run::Program { path, arguments } => {
            // Nothing else can leave the mark: what comes next is the program itself.
            let mark = Path::new(CONTROL).join(STARTED);
            if let Err(error) = std::fs::write(&mark, "") {
                return format!("cannot write to {CONTROL}: {error}");
            }
            let error = std::process::Command::new(path).args(arguments).exec();
            let _ = std::fs::remove_file(&mark);
            format!("cannot run {path}: {error}")
        }
    }
}

/// The library makes /dev of files in memory, without a limit; a script may write there, as to its
/// own.
fn shrink_devices() -> io::Result<()> {
    let options = c"mode=755,size=64k,nr_inodes=64";
    rustix::mount::mount_remount("/dev", rustix::mount::MountFlags::NOSUID, options)?;
    Ok(())
}

fn container(spec: &Spec) -> Result<Container, String> {
    let mut container = Container::empty();
    for namespace in [
        Namespace::User,
        Namespace::Mount,
        Namespace::Pid,
        Namespace::Ipc,
        Namespace::Uts,
    ] {
        container.unshare(namespace);
    }
    container
        .uidmap(BUILD_ID)
        .gidmap(BUILD_ID)
        .rootdir(&spec.root)
        .hostname("build")
        .procfsmount("/proc")
        .devfsmount("/dev")
        // Files in there are memory.
        .mount(
            "tmpfs",
            "/dev/shm",
            "tmpfs",
            MountOptions::NOSUID | MountOptions::NODEV,
            Some(format!("mode=1777,size={}", spec.limits.memory_bytes / 4)),
        );
    limit(&mut container, &spec.limits);
    match spec.network {
        Network::Loopback => {}
        Network::Host => restrict(&mut container, &spec.tcp_ports),
    }
    let mut folders = BTreeSet::new();
    for entry in &spec.entries {
        add(&mut container, entry, &mut folders)?;
    }
    for folder in folders {
        container.dir(&folder, 0o755);
    }
    Ok(container)
}

/// Keeps a script that has the host's network from what listens on the host. Where the kernel cannot,
/// there is no sandbox.
fn restrict(container: &mut Container, tcp_ports: &[u16]) {
    let mut ruleset = landlock::Ruleset::default();
    let mode = landlock::CompatMode::Enforce;
    ruleset.restrict(landlock::Resource::NET_TCP_CONNECT, mode);
    for port in tcp_ports {
        ruleset.allow_tcp_connect(*port);
    }
    container.landlock_ruleset(ruleset);
}

/// Sets the limits that the kernel holds for each process or for the user in here.
fn limit(container: &mut Container, limits: &Limits) {
    container.setrlimit(Rlimit::Core, 0, 0);
    let wanted = [
        (Rlimit::Nproc, Resource::Nproc, Some(limits.processes)),
        (Rlimit::Fsize, Resource::Fsize, Some(limits.file_bytes)),
        (Rlimit::Nofile, Resource::Nofile, Some(limits.open_files)),
        (Rlimit::As, Resource::As, limits.address_space_bytes),
    ];
    for (set, look, most) in wanted {
        let Some(most) = most else { continue };
        // Nobody can raise what the host has set lower.
        let most = rustix::process::getrlimit(look)
            .maximum
            .map_or(most, |maximum| most.min(maximum));
        container.setrlimit(set, most, most);
    }
}

fn add(
    container: &mut Container,
    entry: &Entry,
    folders: &mut BTreeSet<String>,
) -> Result<(), String> {
    match entry {
        Entry::ReadOnly { host, inside } => {
            let options = bind_options(host)? | MountOptions::RDONLY;
            container.mount(text(host)?, inside, "", options, None);
        }
        Entry::Writable { host, inside } => {
            container.mount(text(host)?, inside, "", bind_options(host)?, None);
        }
        Entry::Overlay { layers, inside } => {
            let layers: Result<Vec<&str>, String> =
                layers.iter().map(|layer| overlay_text(layer)).collect();
            container.overlaymount_ro(&layers?.join(":"), inside);
        }
        Entry::Symlink { target, inside } => {
            parents(inside, folders);
            container.symlink(target, inside);
        }
        Entry::File { content, inside } => {
            parents(inside, folders);
            container.file(inside, content);
        }
    }
    Ok(())
}

/// The kernel takes a bind mount's new options only if they keep those that the host's mount has.
fn bind_options(host: &Path) -> Result<MountOptions, String> {
    let flags = rustix::fs::statvfs(host)
        .map_err(|error| format!("cannot look at {}: {error}", host.display()))?
        .f_flag;
    let mut options =
        MountOptions::BIND | MountOptions::REC | MountOptions::NOSUID | MountOptions::NODEV;
    if flags.contains(StatVfsMountFlags::NOEXEC) {
        options |= MountOptions::NOEXEC;
    }
    if flags.contains(StatVfsMountFlags::RDONLY) {
        options |= MountOptions::RDONLY;
    }
    Ok(options)
}

fn parents(inside: &str, folders: &mut BTreeSet<String>) {
    let mut path = inside;
    while let Some((parent, _)) = path.rsplit_once('/')
        && !parent.is_empty()
    {
        folders.insert(parent.to_owned());
        path = parent;
    }
}

fn text(path: &Path) -> Result<&str, String> {
    path.to_str()
        .ok_or_else(|| format!("{} is not UTF-8", path.display()))
}

fn overlay_text(path: &Path) -> Result<&str, String> {
    let text = text(path)?;
    if text.contains([':', ',', '\\']) {
        return Err(format!(
            "{text:?} cannot be a layer: it holds one of `:`, `,`, `\\`"
        ));
    }
    Ok(text)
}
