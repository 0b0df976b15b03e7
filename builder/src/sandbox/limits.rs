//! What a sandbox may use, and what is said when it wants more.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The most that a sandbox may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Processes and threads at once.
    pub processes: u64,
    /// Memory of all processes together, in bytes.
    pub memory_bytes: u64,
    /// What the build's folders hold, in bytes of the disk.
    pub disk_bytes: u64,
    /// One file, in bytes.
    pub file_bytes: u64,
    /// Files that one process has open.
    pub open_files: u64,
    /// Addresses that one process may reserve, in bytes; no limit by default, as sanitizers and
    /// some run-time systems reserve far more than they use.
    pub address_space_bytes: Option<u64>,
}

/// What keeps a build within a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// The kernel, for all of the build together and exactly.
    ControlGroup,
    /// The kernel, for one process or for the build's user.
    ResourceLimit,
    /// avalanche, which looks at intervals.
    Measured,
}

/// What there was too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Processes and threads.
    Processes,
    /// Memory.
    Memory,
    /// The disk.
    Disk,
    /// The length of a file.
    File,
}

/// A limit that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Excess {
    /// What there was too much of.
    pub resource: Resource,
    /// How much was used when it was noticed, where that is known.
    pub used: Option<u64>,
    /// How much may be used.
    pub most: u64,
}

/// How long between two looks at what is measured.
const INTERVAL: Duration = Duration::from_millis(250);

/// Looks at intervals, off the async threads, until there is an excess; else it never ends.
pub(crate) async fn measure(mut look: impl FnMut() -> Option<Excess> + Send + 'static) -> Excess {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let looked = tokio::task::spawn_blocking(move || {
            let excess = look();
            (look, excess)
        });
        match looked.await {
            Ok((_, Some(excess))) => return excess,
            Ok((again, None)) => look = again,
            // Only while the runtime ends, and what is measured with it.
            Err(_) => return std::future::pending().await,
        }
    }
}

impl Limits {
    /// Every limit by its key in the configuration, with what holds it; `memory` is what holds
    /// the memory of a build.
    pub fn list(&self, memory: Holder) -> Vec<(&'static str, u64, Holder)> {
        let processes = match memory {
            Holder::ControlGroup => Holder::ControlGroup,
            Holder::ResourceLimit | Holder::Measured => Holder::ResourceLimit,
        };
        let mut list = vec![
            (Resource::Processes.key(), self.processes, processes),
            (Resource::Memory.key(), self.memory_bytes, memory),
            (Resource::Disk.key(), self.disk_bytes, Holder::Measured),
            (Resource::File.key(), self.file_bytes, Holder::ResourceLimit),
            ("open_files", self.open_files, Holder::ResourceLimit),
        ];
        if let Some(most) = self.address_space_bytes {
            list.push(("address_space_bytes", most, Holder::ResourceLimit));
        }
        list
    }

    /// The same for people.
    pub(crate) fn line(&self, memory: Holder) -> String {
        let limits: Vec<String> = self
            .list(memory)
            .into_iter()
            .map(|(key, most, holder)| format!("{key} {most} ({holder})"))
            .collect();
        format!("limits: {}", limits.join(", "))
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ControlGroup => "control group",
            Self::ResourceLimit => "resource limit",
            Self::Measured => "measured",
        })
    }
}

impl Resource {
    /// The key of the limit in the configuration.
    pub fn key(self) -> &'static str {
        match self {
            Self::Processes => "processes",
            Self::Memory => "memory_bytes",
            Self::Disk => "disk_bytes",
            Self::File => "file_bytes",
        }
    }
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (had, what) = match self.resource {
            Resource::Processes => ("it had", "processes and threads"),
            Resource::Memory => ("it used", "bytes of memory"),
            Resource::Disk => ("it used", "bytes of the disk"),
            Resource::File => ("it wrote", "bytes of one file"),
        };
        match self.used {
            Some(used) => write!(f, "{had} {used} of {} {what}", self.most),
            None => write!(f, "{had} all of the {} {what} that it may", self.most),
        }
    }
}
