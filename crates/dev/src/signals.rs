//! The signals that end a line: Ctrl-C, SIGTERM, and SIGHUP, which a closed terminal sends.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end a line, from when they are watched.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// None where whoever started this process wants it to outlive the terminal, as `nohup` does.
    hangup: Option<Signal>,
}

impl Signals {
    /// Watches for them.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn watch() -> io::Result<Self> {
        let is_ignored = is_hangup_ignored(&std::fs::read_to_string("/proc/self/status")?);
        let hangup = match is_ignored {
            true => None,
            false => Some(signal(SignalKind::hangup())?),
        };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }
}

/// Whether a process ignores SIGHUP, by its `/proc/<id>/status`: in the mask of ignored signals,
/// which is hexadecimal, the first bit is signal 1.
fn is_hangup_ignored(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_hangup_is_read_from_the_mask() {
        let status = |mask: &str| format!("Name:\tx\nSigBlk:\t01\nSigIgn:\t{mask}\n");
        assert!(is_hangup_ignored(&status("0000000000001001")));
        assert!(!is_hangup_ignored(&status("0000000000001000")));
        assert!(!is_hangup_ignored("Name:\tx\n"));
    }
}
