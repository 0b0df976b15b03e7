//! Why a file could not be had.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use api::id::Sha256;
use reqwest::StatusCode;
use url::Url;

use crate::reach::NotPublic;

/// A fetch that failed. There is no file at the target that was not there before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No URL had the file.
    #[error("cannot fetch `{}`: {}", target.display(), Listed(failures))]
    Failed {
        /// Where the file should have gone.
        target: PathBuf,
        /// What went wrong, in the order in which the URLs were tried. Empty when the request
        /// has no URL.
        failures: Vec<Failure>,
    },
    /// A file of ours cannot be read or written, such as on a full disk.
    #[error("cannot {action} `{}`", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: io::Error,
    },
    /// The HTTP client cannot be set up.
    #[error("cannot set up the HTTP client")]
    Client(#[source] reqwest::Error),
    /// The runtime is shutting down.
    #[error("the fetch was cancelled because the process ends")]
    Cancelled,
}

impl Error {
    /// The first digest that was wrong: that which was expected and that which the file had.
    #[must_use]
    pub fn mismatch(&self) -> Option<(Sha256, Sha256)> {
        let Self::Failed { failures, .. } = self else {
            return None;
        };
        failures.iter().find_map(|failure| {
            if let Cause::Mismatch { expected, actual } = failure.cause {
                Some((expected, actual))
            } else {
                None
            }
        })
    }
}

/// Why one URL did not have the file.
#[derive(Debug)]
pub struct Failure {
    /// The URL.
    pub url: Url,
    /// What was wrong.
    pub cause: Cause,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", without_credentials(&self.url), self.cause)
    }
}

/// What was wrong with a URL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The file has another digest.
    #[error("the file has SHA-256 {actual}, expected is {expected}")]
    Mismatch {
        /// What the request asked for.
        expected: Sha256,
        /// What the file has.
        actual: Sha256,
    },
    /// The file has another size than it must have.
    #[error("the file has {actual} bytes, expected are {expected}")]
    WrongSize {
        /// What the request asked for.
        expected: u64,
        /// What the server announced.
        actual: u64,
    },
    /// The file has more bytes than it may have.
    #[error("the file has more than the allowed {limit} bytes")]
    TooLarge {
        /// The most bytes that it may have.
        limit: u64,
    },
    /// The server answered something else than the file.
    #[error("the server answered {0}")]
    Status(StatusCode),
    /// The connection failed or broke off, each time it was tried.
    #[error("{}", Chain(source))]
    Transport {
        /// The last error.
        #[source]
        source: reqwest::Error,
    },
    /// The server sent nothing for too long, each time it was tried.
    #[error("the server sent nothing for {} seconds", .0.as_secs_f64())]
    Stalled(Duration),
    /// The server sent too slowly, each time it was tried.
    #[error("the server stalled: it sent {rate} bytes per second, the least is {least}")]
    TooSlow {
        /// How many bytes per second it sent the last time, on average.
        rate: u64,
        /// How many it must send.
        least: u32,
    },
    /// The URL, or a redirect, leads to a machine that may not be asked.
    #[error(transparent)]
    NotPublic(#[from] NotPublic),
    /// The server redirects where it is not followed.
    #[error("{0}")]
    Redirect(RedirectFault),
    /// The URL is of a kind that is not fetched.
    #[error("URLs of the scheme `{0}` are not allowed")]
    Scheme(String),
    /// A `file` URL names no file that can be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[source] io::Error),
}

/// Why a redirect is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectFault {
    /// There were as many before as are followed.
    #[error("too many redirects")]
    TooMany,
    /// What is fetched over HTTPS could be changed on its way.
    #[error("the server redirects from https to http")]
    Unencrypted,
    /// It leads nowhere.
    #[error("the server redirects to what is no URL of http or https")]
    Unusable,
}

/// All failures in one line.
struct Listed<'a>(&'a [Failure]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, others)) = self.0.split_first() else {
            return f.write_str("there is no URL to fetch it from");
        };
        first.fmt(f)?;
        others
            .iter()
            .try_for_each(|failure| write!(f, "; {failure}"))
    }
}

/// An error and what caused it in one line: reqwest's own message says little.
struct Chain<'a>(&'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// A URL as it may be shown and logged.
fn without_credentials(url: &Url) -> Url {
    let mut shown = url.clone();
    // Both fail only on URLs that cannot have any.
    let _ = shown.set_password(None);
    let _ = shown.set_username("");
    shown
}
