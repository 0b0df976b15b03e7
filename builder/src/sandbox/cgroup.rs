//! Control groups, where avalanche has been given a part of the tree.
//!
//! An unprivileged process cannot limit the memory of others by itself; it can where the system has
//! delegated a control group (v2) to it: with `Delegate=yes` in systemd's unit, or with a folder
//! that `sandbox.cgroup` names. Each attempt then gets a group of its own, in which the kernel
//! holds memory and the number of processes exactly.
//!
//! ```text
//! <delegated>/              controllers memory and pids are on for those below
//!   avalanche/              avalanche itself: a group with groups below may hold no processes
//!   attempt-<id>/           one attempt: its helpers, and all that they start
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::limits::{Excess, Limits, Resource};

/// The group that avalanche moves itself to.
const OWN: &str = "avalanche";
/// What the groups of attempts begin with.
const PREFIX: &str = "attempt-";
/// The controllers that limits need.
const CONTROLLERS: [&str; 2] = ["memory", "pids"];
/// Processes of avalanche's own in an attempt's group: the two stages of the helper and process 1.
const HELPERS: u64 = 4;
/// How long a killed group may take to become empty.
const DYING: Duration = Duration::from_secs(5);

/// A part of the tree of control groups that belongs to avalanche.
#[derive(Debug, Clone)]
pub struct Delegation {
    folder: PathBuf,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum Lack {
    /// The system has no tree of version 2, or avalanche is not in it.
    #[error("the system has no control groups of version 2")]
    Absent,
    /// The group in which avalanche runs is somebody else's.
    #[error("{} is not delegated to avalanche (`Delegate=yes` in its unit does that)", .0.display())]
    NotDelegated(PathBuf),
    /// The group cannot limit what is to be limited.
    #[error("{} has no controller `{controller}`", folder.display())]
    Controller {
        /// The group.
        folder: PathBuf,
        /// What it lacks.
        controller: &'static str,
    },
    /// The group cannot be used.
    #[error("cannot use {}", path.display())]
    Unusable {
        /// A file or folder of it.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Delegation {
    /// Takes the part that was delegated to this process: moves the process to a group below it
    /// and clears away the groups of former attempts.
    ///
    /// # Errors
    /// When there is no such part, which is usual, or it is no use.
    pub fn find() -> Result<Self, Lack> {
        let own = own_group().ok_or(Lack::Absent)?;
        // With `DelegateSubgroup=` the process starts below what was delegated.
        let delegated = own
            .ancestors()
            .take(2)
            .find(|folder| is_delegated(folder))
            .ok_or_else(|| Lack::NotDelegated(own.clone()))?;
        Self::claim(delegated)
    }

    /// Takes `folder`, which must be nobody else's.
    ///
    /// # Errors
    /// When it lacks a controller or cannot be written.
    pub fn claim(folder: &Path) -> Result<Self, Lack> {
        let controllers = read(&folder.join("cgroup.controllers"))?;
        for controller in CONTROLLERS {
            if !controllers.split_whitespace().any(|one| one == controller) {
                return Err(Lack::Controller {
                    folder: folder.to_owned(),
                    controller,
                });
            }
        }
        let own = folder.join(OWN);
        match fs::create_dir(&own) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                return Err(Lack::Unusable { path: own, source });
            }
            Ok(()) | Err(_) => {}
        }
        for process in read(&folder.join("cgroup.procs"))?.split_whitespace() {
            write(&own.join("cgroup.procs"), process)?;
        }
        let switched_on = CONTROLLERS.map(|controller| format!("+{controller}"));
        write(
            &folder.join("cgroup.subtree_control"),
            &switched_on.join(" "),
        )?;
        let entries = fs::read_dir(folder).map_err(|source| Lack::Unusable {
            path: folder.to_owned(),
            source,
        })?;
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                remove(&entry.path());
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Makes the group of an attempt.
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub fn group(&self, attempt: &str, limits: &Limits) -> io::Result<Group> {
        let folder = self.folder.join(format!("{PREFIX}{attempt}"));
        fs::create_dir(&folder)?;
        // From here on it is removed when it cannot be finished.
        let group = Group {
            folder,
            limits: limits.clone(),
        };
        let set = |file: &str, value: &str| fs::write(group.folder.join(file), value);
        set("memory.max", &limits.memory_bytes.to_string())?;
        // A system without swap has no such file.
        if group.folder.join("memory.swap.max").exists() {
            set("memory.swap.max", "0")?;
        }
        // When memory runs out, all of the attempt goes and not some process of it.
        set("memory.oom.group", "1")?;
        set("pids.max", &(limits.processes + HELPERS).to_string())?;
        Ok(group)
    }
}

/// The control group of one attempt; what is left in it is killed when this is dropped.
#[derive(Debug)]
pub struct Group {
    folder: PathBuf,
    limits: Limits,
}

impl Group {
    /// Puts a process into the group; all that it starts from then on is in it too.
    pub(crate) fn take(&self, process: u32) -> io::Result<()> {
        fs::write(self.folder.join("cgroup.procs"), process.to_string())
    }

    /// The limit that the kernel had to enforce by killing, if it had to.
    pub(crate) fn find_killed(&self) -> Option<Excess> {
        let count = |file, key| find_count(&self.folder.join(file), key).unwrap_or(0);
        (count("memory.events", "oom_kill") > 0).then_some(Excess {
            resource: Resource::Memory,
            used: None,
            most: self.limits.memory_bytes,
        })
    }

    /// The limit of processes, if the kernel had to refuse one.
    pub(crate) fn find_refused(&self) -> Option<Excess> {
        let refused = find_count(&self.folder.join("pids.events"), "max")?;
        (refused > 0).then_some(Excess {
            resource: Resource::Processes,
            used: None,
            most: self.limits.processes,
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}

/// Kills what is in a group and removes it. What stays is removed at the next start.
fn remove(group: &Path) {
    // Before Linux 5.14 there is no such file; what a sandbox has started is dead by now anyway.
    let _ = fs::write(group.join("cgroup.kill"), "1");
    let end = Instant::now() + DYING;
    while let Err(error) = fs::remove_dir(group) {
        if error.kind() == io::ErrorKind::NotFound {
            return;
        }
        if Instant::now() > end {
            tracing::warn!(group = %group.display(), %error, "cannot remove a control group");
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The folder of the group in which this process is.
fn own_group() -> Option<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    locate(&groups, &mounts)
}

/// Where the group of `/proc/self/cgroup` is in the mounts of `/proc/self/mountinfo`.
fn locate(groups: &str, mounts: &str) -> Option<PathBuf> {
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        if !file_system.starts_with("cgroup2 ") {
            return None;
        }
        let mut fields = mount.split(' ').skip(3);
        let (root, place) = (fields.next()?, fields.next()?);
        let below = Path::new(group).strip_prefix(root).ok()?;
        Some(Path::new(place).join(below))
    })
}

/// systemd marks what it delegates: since version 251 so that every user can read it.
fn is_delegated(folder: &Path) -> bool {
    ["user.delegate", "trusted.delegate"].iter().any(|name| {
        let mut value = [0u8; 8];
        rustix::fs::getxattr(folder, *name, &mut value)
            .is_ok_and(|length| value.get(..length) == Some(b"1"))
    })
}

/// A number of a file of lines `key number`.
fn find_count(path: &Path, key: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| {
        let (name, number) = line.split_once(' ')?;
        (name == key).then(|| number.parse().ok()).flatten()
    })
}

fn read(path: &Path) -> Result<String, Lack> {
    fs::read_to_string(path).map_err(|source| Lack::Unusable {
        path: path.to_owned(),
        source,
    })
}

fn write(path: &Path, text: &str) -> Result<(), Lack> {
    fs::write(path, text).map_err(|source| Lack::Unusable {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            processes: 100,
            memory_bytes: 1 << 30,
            disk_bytes: 1 << 30,
            file_bytes: 1 << 30,
            open_files: 100,
            address_space_bytes: None,
        }
    }

    /// A folder that looks like a control group that holds process 17.
    fn tree(controllers: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cgroup.controllers"), controllers).unwrap();
        fs::write(folder.path().join("cgroup.procs"), "17\n").unwrap();
        folder
    }

    #[test]
    fn an_attempt_gets_a_group_with_its_limits() {
        let folder = tree("cpu memory pids\n");
        let file = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        let delegation = Delegation::claim(folder.path()).unwrap();
        assert_eq!(file("avalanche/cgroup.procs"), "17");
        assert_eq!(file("cgroup.subtree_control"), "+memory +pids");
        let group = delegation.group("x.1", &limits()).unwrap();
        group.take(4711).unwrap();
        assert_eq!(file("attempt-x.1/cgroup.procs"), "4711");
        assert_eq!(file("attempt-x.1/memory.max"), "1073741824");
        assert_eq!(file("attempt-x.1/memory.oom.group"), "1");
        assert_eq!(file("attempt-x.1/pids.max"), "104");
        assert_eq!((group.find_killed(), group.find_refused()), (None, None));
        let events = folder.path().join("attempt-x.1/memory.events");
        fs::write(events, "low 0\noom 1\noom_kill 3\n").unwrap();
        let events = folder.path().join("attempt-x.1/pids.events");
        fs::write(events, "max 2\n").unwrap();
        assert_eq!(
            group.find_killed().unwrap().to_string(),
            "it used all of the 1073741824 bytes of memory that it may"
        );
        assert_eq!(
            group.find_refused().unwrap().to_string(),
            "it had all of the 100 processes and threads that it may"
        );
        // Files of a control group go with its folder; these here do not.
        fs::remove_dir_all(folder.path().join("attempt-x.1")).unwrap();
    }

    #[test]
    fn a_group_without_a_controller_is_no_use() {
        let folder = tree("cpu pids\n");
        let lack = Delegation::claim(folder.path()).unwrap_err();
        assert!(
            lack.to_string().ends_with("has no controller `memory`"),
            "{lack}"
        );
    }

    #[test]
    fn the_own_group_is_found_in_mixed_trees_and_in_containers() {
        let mixed = "30 25 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
            31 25 0:27 / /sys/fs/cgroup/unified rw shared:1 - cgroup2 cgroup2 rw\n";
        assert_eq!(
            locate("4:memory:/a\n0::/system.slice/avalanche.service\n", mixed),
            Some(PathBuf::from(
                "/sys/fs/cgroup/unified/system.slice/avalanche.service"
            ))
        );
        let inside = "31 25 0:27 /pod/7 /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n";
        assert_eq!(
            locate("0::/pod/7/work\n", inside),
            Some(PathBuf::from("/sys/fs/cgroup/work"))
        );
        assert_eq!(locate("0::/elsewhere\n", inside), None);
        assert_eq!(locate("4:memory:/a\n", mixed), None);
    }
}
