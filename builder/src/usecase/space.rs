//! Is there room on the disk? Without, a build fails for no fault of its recipe's.

use std::path::PathBuf;

use api::attempt::Reason;

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

    /// Refuses an attempt that would begin without room.
    pub(super) fn admit(&self) -> Result<(), Halt> {
        match self.find_lack(self.free()) {
            Some(lack) => Err(Halt::new(Reason::Internal, lack)),
            None => Ok(()),
        }
    }

    /// What a failure means when the disk is full: scripts and tools tell it in their own words, if
    /// they notice at all.
    pub(super) fn judge(&self, halt: Halt) -> Halt {
        self.judged(halt, self.free())
    }

    fn judged(&self, halt: Halt, free: u64) -> Halt {
        match (halt, self.find_lack(free)) {
            (Halt::Failed { reason, message }, Some(lack)) if may_lack_room(&reason) => Halt::new(
                Reason::Internal,
                format!("{lack}; so this may not mean much: {message}"),
            ),
            (halt, _) => halt,
        }
    }

    fn find_lack(&self, free: u64) -> Option<String> {
        (free < self.bytes).then(|| {
            format!(
                "the builder's disk is full: {free} bytes are free, and it needs {} (`min_free_bytes`)",
                self.bytes
            )
        })
    }
}

/// Whether a failure that is told of the recipe may be one of the disk.
fn may_lack_room(reason: &Reason) -> bool {
    match reason {
        Reason::ScriptFailed { .. } | Reason::UnpackFailed | Reason::PackagingFailed => true,
        // Those that say exactly what they are, and those that may pass anyway.
        Reason::CloneFailed
        | Reason::RecipeInvalid { .. }
        | Reason::HashMismatch { .. }
        | Reason::FetchFailed { .. }
        | Reason::SourceMissing { .. }
        | Reason::HostLacks { .. }
        | Reason::LimitReached { .. }
        | Reason::SandboxRefused
        | Reason::Interrupted
        | Reason::Internal => false,
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
        assert!(reason.is_transient());
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
        assert!(floor(&["/tmp"], 0).admit().is_ok());
        assert!(floor(&["/tmp"], u64::MAX).admit().is_err());
        // /proc has no room at all.
        assert_eq!(floor(&["/tmp", "/proc"], 0).free(), 0);
    }
}
