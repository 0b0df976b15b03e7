//! Measures a running sandbox and tells when it uses more than it may.
//!
//! The kernel holds some limits by itself (see [`super::cgroup`] and the resource limits that the
//! second stage sets). Memory, where no control group has it, is measured here at intervals. A build
//! may so exceed its limit for an interval. That is why it is also the first that the kernel kills
//! when memory runs out. The number of processes is looked at to end a build that has reached it:
//! most would go on trying.

use std::collections::HashMap;
use std::fs;
use std::io;

use rustix::process::Pid;

use super::limits::{self, Excess, Limits, Resource};

/// What is measured.
#[derive(Debug)]
pub(super) struct Watch {
    /// The helper, whose descendants the sandbox is.
    helper: u32,
    limits: Limits,
    /// Whether memory is to be measured.
    memory: Memory,
}

/// Who holds the limit of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// This measures it.
    Measured,
    /// A control group does.
    Held,
}

impl Watch {
    pub(super) fn new(helper: u32, limits: &Limits, memory: Memory) -> Self {
        Self {
            helper,
            limits: limits.clone(),
            memory,
        }
    }

    /// Ends when a limit is exceeded, and else never.
    pub(super) async fn excess(self) -> Excess {
        limits::measure(move || self.look()).await
    }

    fn look(&self) -> Option<Excess> {
        let processes = processes_below(self.helper);
        let excess = |resource, used, most| {
            Some(Excess {
                resource,
                used: Some(used),
                most,
            })
        };
        let threads = processes.iter().map(|process| process.threads).sum();
        if threads >= self.limits.processes {
            return excess(Resource::Processes, threads, self.limits.processes);
        }
        let most = self.limits.memory_bytes;
        let resident = processes.iter().map(Process::resident).sum::<u64>();
        if self.memory == Memory::Held || resident <= most {
            return None;
        }
        // Pages that processes share were counted for each of them; this counts them once. When one
        // ends while the others are measured, its share is counted with them again: what is too much
        // must be so twice.
        let used = memory(&processes);
        if used <= most {
            return None;
        }
        let used = used.min(memory(&processes_below(self.helper)));
        (used > most)
            .then(|| excess(Resource::Memory, used, most))
            .flatten()
    }
}

/// The memory of processes in bytes, of shared pages each one's share.
fn memory(processes: &[Process]) -> u64 {
    let shares = processes
        .iter()
        .map(|process| match proportional(process.id) {
            Ok(bytes) => bytes,
            // It has ended.
            Err(error) if is_gone(&error) => 0,
            Err(_) => process.resident(),
        });
    shares.sum()
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

#[derive(Debug, Clone)]
struct Process {
    id: u32,
    parent: u32,
    threads: u64,
    resident_pages: u64,
}

impl Process {
    /// Its memory in bytes, with all that it shares.
    fn resident(&self) -> u64 {
        self.resident_pages * page_size()
    }
}

/// The ids of the processes that `ancestor` and its descendants have started and that still run.
pub(super) fn descendants(ancestor: u32) -> impl Iterator<Item = Pid> {
    let processes = processes_below(ancestor).into_iter();
    processes.filter_map(|process| Pid::from_raw(i32::try_from(process.id).ok()?))
}

fn processes_below(ancestor: u32) -> Vec<Process> {
    let mut children: HashMap<u32, Vec<Process>> = HashMap::new();
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    for entry in entries.flatten() {
        // One that ends meanwhile is not there any more.
        if let Some(id) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
            && let Ok(stat) = fs::read_to_string(entry.path().join("stat"))
            && let Some(process) = parse_stat(id, &stat)
        {
            children.entry(process.parent).or_default().push(process);
        }
    }
    let mut found = Vec::new();
    let mut open = vec![ancestor];
    while let Some(id) = open.pop() {
        for process in children.remove(&id).unwrap_or_default() {
            open.push(process.id);
            found.push(process);
        }
    }
    found
}

/// A line of `/proc/<id>/stat`, see proc_pid_stat(5).
fn parse_stat(id: u32, stat: &str) -> Option<Process> {
    // The name in parentheses may hold anything, also parentheses.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).and_then(|text| text.parse().ok());
    Some(Process {
        id,
        parent: u32::try_from(field(4)?).ok()?,
        threads: field(20)?,
        resident_pages: field(24)?,
    })
}

/// The memory of a process in bytes, of shared pages only its share.
fn proportional(id: u32) -> io::Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup"))?;
    let kibibytes = rollup
        .lines()
        .filter_map(|line| {
            let rest = line
                .strip_prefix("Pss:")
                .or_else(|| line.strip_prefix("SwapPss:"))?;
            rest.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        })
        .sum::<u64>();
    Ok(kibibytes * 1024)
}

fn page_size() -> u64 {
    rustix::param::page_size() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let stat = "77 (a) b (c) R 5 77 77 0 -1 4194304 92 0 0 0 0 0 0 0 20 0 3 0 1 2 456 18 0";
        let process = parse_stat(77, stat).unwrap();
        assert_eq!(
            (process.parent, process.threads, process.resident_pages),
            (5, 3, 456)
        );
        assert!(parse_stat(77, "77 (cut off").is_none());
        assert!(parse_stat(77, "77 (cut off) R 5").is_none());
    }

    #[test]
    fn own_children_are_found_and_measured() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let found = processes_below(std::process::id());
        let process = found.iter().find(|process| process.id == child.id());
        assert_eq!(process.map(|process| process.threads), Some(1), "{found:?}");
        assert!(proportional(std::process::id()).is_ok_and(|bytes| bytes > 100_000));
        child.kill().unwrap();
        // It has ended and is not reaped: it has no memory any more, whatever it had.
        let id = child.id();
        let ended = |stat: String| stat.contains(") Z ");
        let begun = std::time::Instant::now();
        while !fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(ended) {
            assert!(begun.elapsed().as_secs() < 10, "it does not end");
            std::thread::yield_now();
        }
        let once = Process {
            resident_pages: 1 << 30,
            ..process.unwrap().clone()
        };
        assert_eq!(memory(std::slice::from_ref(&once)), 0);
        child.wait().unwrap();
        assert_eq!(memory(&[once]), 0);
    }
}
