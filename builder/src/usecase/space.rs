//! Is there room on the disk? Without, a build fails for no fault of its recipe's.

use std::path::PathBuf;

use api::attempt::Reason;
use api::host::NoOrders;

use super::failure::Halt;

/// The least that must be free, where attempts write.
#[derive(Debug, Clone)]
pub struct Floor {
    /// The folders that attempts write to, maybe on different file systems.
    pub folders: Vec<PathBuf>,
    /// How much must be free on each of their file systems, in bytes.
    pub bytes: u64,
}

impl Floor {
    /// What is free where least is, in bytes.
    pub(super) fn free(&self) -> u64 {
        let free = |folder: &PathBuf| {
            let system = rustix::fs::statvfs(folder).ok()?;
            Some(system.f_bavail.saturating_mul(system.f_frsize))
        };
        // What cannot be looked at fails by itself, and says so better.
        self.folders.iter().filter_map(free).min().unwrap_or(0)
    }

    /// Why no attempt may begin now, if there is too little room.
    pub(super) fn find_lack(&self) -> Option<NoOrders> {
        self.lack(self.free())
    }

    /// What a failure means when the disk is full: scripts and tools tell it in their own words, if
    /// they notice at all.
    pub(super) fn judge(&self, halt: Halt) -> Halt {
        self.judged(halt, self.free())
    }

    fn judged(&self, halt: Halt, free: u64) -> Halt {
        match (halt, self.lack(free)) {
            (Halt::Failed { reason, message }, Some(lack)) if may_lack_room(&reason) => {
                let Full { reason, why } = Full::new(lack);
                Halt::new(
                    reason,
                    format!("{why}; so this may not mean much: {message}"),
                )
            }
            (halt, _) => halt,
        }
    }

    fn lack(&self, free: u64) -> Option<NoOrders> {
        let needed = self.bytes;
        (free < needed).then_some(NoOrders::DiskFull { free, needed })
    }
}

/// How an attempt tells that there is no room.
struct Full {
    reason: Reason,
    why: String,
}

impl Full {
    fn new(lack: NoOrders) -> Self {
        let NoOrders::DiskFull { free, needed } = lack;
        Self {
            reason: Reason::DiskFull { free, needed },
            why: format!("the builder's disk is full: {lack} (`min_free_bytes`)"),
        }
    }
}

/// The end of an attempt that has no room to begin.
pub(super) fn no_room(lack: NoOrders) -> Halt {
    let Full { reason, why } = Full::new(lack);
    Halt::new(reason, why)
}

/// Whether a failure that is told of something else may be one of the disk.
fn may_lack_room(reason: &Reason) -> bool {
    match reason {
        Reason::ScriptFailed { .. }
        | Reason::UnpackFailed
        | Reason::PackagingFailed
        | Reason::CloneFailed
        | Reason::FetchFailed { .. }
        | Reason::Internal => true,
        // Those that say exactly what they are.
        Reason::RecipeInvalid { .. }
        | Reason::HashMismatch { .. }
        | Reason::SourceMissing { .. }
        | Reason::HostLacks { .. }
        | Reason::LimitReached { .. }
        | Reason::SandboxRefused
        | Reason::DiskFull { .. }
        | Reason::Interrupted => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_no_fault_of_the_script() {
        let floor = Floor {
            folders: Vec::new(),
            bytes: 1000,
        };
        let halt = |reason| Halt::new(reason, "the build script ended with exit status 1");
        let judged = |reason, free| match floor.judged(halt(reason), free) {
            Halt::Failed { reason, message } => (reason, message),
            Halt::Stopped => panic!("it was not stopped"),
        };
        let script = || Reason::ScriptFailed {
            exit_status: Some(1),
        };
        assert_eq!(judged(script(), 1000).0, script());
        let (reason, message) = judged(script(), 999);
        let full = Reason::DiskFull {
            free: 999,
            needed: 1000,
        };
        assert_eq!(reason, full);
        assert_eq!(judged(Reason::Internal, 999).0, full);
        insta::assert_snapshot!(message);
        let invalid = Reason::RecipeInvalid { line: None };
        assert_eq!(judged(invalid.clone(), 0).0, invalid);
    }

    #[test]
    fn the_fullest_file_system_counts() {
        let floor = |folders: &[&str], bytes| Floor {
            folders: folders.iter().map(PathBuf::from).collect(),
            bytes,
        };
        assert!(floor(&["/tmp"], 0).find_lack().is_none());
        assert!(floor(&["/tmp"], u64::MAX).find_lack().is_some());
        // /proc has no room at all.
        assert_eq!(floor(&["/tmp", "/proc"], 0).free(), 0);
    }
}
