//! The log of an attempt: a file that grows, with a limit, and someone waiting for more of it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// The end of a log that has reached its limit.
const FULL: &str = "\n==> the log has reached its limit; nothing more is recorded\n";

/// A log being written. Clones write to the same file.
#[derive(Debug, Clone)]
pub struct Log {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    limit: u64,
    file: Mutex<File>,
    length: watch::Sender<u64>,
}

/// Why something could not be logged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log has reached its limit.
    #[error("the log has reached its limit")]
    Full,
    /// The file could not be written.
    #[error("cannot write the log")]
    Io(#[source] io::Error),
}

impl Log {
    /// Starts a log at `path`, empty, of at most `limit` bytes (and a line that says so).
    pub fn create(path: &Path, limit: u64) -> io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .open(path)?;
        let (length, _) = watch::channel(0);
        Ok(Self {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                limit,
                file: Mutex::new(file),
                length,
            }),
        })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The most bytes that it may have.
    pub fn limit(&self) -> u64 {
        self.inner.limit
    }

    /// Adds `bytes`, or as many as fit.
    pub fn append(&self, bytes: &[u8]) -> Result<(), Error> {
        // A writer that panicked has at worst left a short line.
        let mut file = self
            .inner
            .file
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let length = *self.inner.length.borrow();
        if length >= self.inner.limit {
            return Err(Error::Full);
        }
        let room = usize::try_from(self.inner.limit - length).unwrap_or(usize::MAX);
        let fits = &bytes[..bytes.len().min(room)];
        file.write_all(fits).map_err(Error::Io)?;
        let mut written = length + fits.len() as u64;
        let full = fits.len() < bytes.len();
        if full {
            file.write_all(FULL.as_bytes()).map_err(Error::Io)?;
            written += FULL.len() as u64;
        }
        drop(file);
        self.inner.length.send_replace(written);
        if full { Err(Error::Full) } else { Ok(()) }
    }

    /// Adds a line of avalanche's own. A full log or disk is found out by whoever needs the log.
    pub fn say(&self, line: &str) {
        let mut text = line.trim_end().to_owned();
        text.push('\n');
        if let Err(Error::Io(error)) = self.append(text.as_bytes()) {
            tracing::warn!(log.path = %self.inner.path.display(), %error, "cannot write a log");
        }
    }

    /// The number of bytes written so far; changes as they are.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.inner.length.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_stops_at_its_limit_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::create(&folder.path().join("log"), 10).unwrap();
        log.append(b"1234567").unwrap();
        assert!(matches!(log.append(b"89abc"), Err(Error::Full)));
        assert!(matches!(log.append(b"d"), Err(Error::Full)));
        let text = std::fs::read_to_string(log.path()).unwrap();
        assert!(
            text.starts_with("123456789a\n==> the log has reached its limit"),
            "{text}"
        );
        assert_eq!(*log.watch().borrow(), text.len() as u64);
    }
}
