//! Fetches what a build is made from: upstream archives and the stones of the closure.
//!
//! Files lie in the cache under their SHA-256, and get that name only once it is verified.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use api::attempt::{ClosureStone, Reason};
use api::id::Sha256;
use futures_util::future::join_all;
use jiff::Timestamp;
use moss_fetcher::{Cause, Error, Failure, Fetcher, Origin, Request, Size};
use moss_format::recipe::upstream::Archive;
use reqwest::StatusCode;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::budget::Budget;
use super::failure::Halt;
use crate::log::Log;

/// Fetches into the cache.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
    fetchers: Fetchers,
    mirrors: Vec<String>,
    max_bytes: u64,
    keep: Duration,
}

/// What fetches; each has places of its own, so that sources never keep stones waiting.
#[derive(Debug, Clone)]
pub struct Fetchers {
    /// For sources, whose URLs a recipe's author writes: it asks only whom such a one may have asked.
    pub sources: Fetcher,
    /// For the stones of an order.
    pub stones: Fetcher,
}

/// A file to be fetched.
pub(super) struct Wanted {
    kind: Kind,
    sha256: Sha256,
    /// What the recipe or the order names, for people.
    url: String,
    request: Request,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A source that the recipe names.
    Source,
    /// A stone that the order names; another order may well name others.
    Stone,
}

impl Cache {
    /// For how long a file that was used may still be needed by whoever did.
    pub(super) const IN_USE: Duration = Duration::from_secs(3600);

    /// A cache in `folder`, which asks `mirrors` first for upstream archives, takes `max_bytes` of
    /// them for an attempt, and forgets what was not used for as long as `keep`.
    pub fn new(
        folder: PathBuf,
        fetchers: Fetchers,
        mirrors: Vec<String>,
        max_bytes: u64,
        keep: Duration,
    ) -> Self {
        Self {
            folder,
            fetchers,
            mirrors,
            max_bytes,
            keep,
        }
    }

    /// Removes what was not used for long.
    pub(super) fn prune(&self, now: Timestamp) -> io::Result<()> {
        self.prune_to(now, self.keep)
    }

    /// Removes what was not used for as long as `keep`.
    pub(super) fn prune_to(&self, now: Timestamp, keep: Duration) -> io::Result<()> {
        let now = SystemTime::from(now);
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let used = entry.metadata()?.modified()?;
            if now.duration_since(used).is_ok_and(|unused| unused > keep) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// An upstream archive.
    pub(super) fn archive(&self, archive: &Archive) -> Wanted {
        let sha256 = Sha256::from_bytes(*archive.hash.as_bytes());
        let url = archive.url.as_str();
        let mirrors = self
            .mirrors
            .iter()
            .map(|m| m.replace("{sha256}", &sha256.to_string()));
        let urls = mirrors
            .chain([url.to_owned()])
            .filter_map(|url| Url::parse(&url).ok());
        Wanted {
            kind: Kind::Source,
            sha256,
            url: url.to_owned(),
            request: self.request(sha256, urls.collect(), Size::AtMost(self.max_bytes)),
        }
    }

    /// A stone of the closure.
    pub(super) fn stone(&self, stone: &ClosureStone) -> Wanted {
        let urls = vec![stone.url.clone()];
        Wanted {
            kind: Kind::Stone,
            sha256: stone.sha256,
            url: stone.url.to_string(),
            request: self.request(stone.sha256, urls, Size::Exactly(stone.size)),
        }
    }

    fn request(&self, sha256: Sha256, urls: Vec<Url>, size: Size) -> Request {
        Request {
            urls,
            sha256: moss_fetcher::Sha256::from_bytes(*sha256.as_bytes()),
            size,
            target: self.path(sha256),
        }
    }

    /// Where a file is once it was fetched.
    pub(super) fn path(&self, sha256: Sha256) -> PathBuf {
        self.folder.join(sha256.to_string())
    }

    /// Fetches all of `wanted`; the answer has their places in the same order.
    pub(super) async fn fetch(
        &self,
        wanted: &[Wanted],
        now: Timestamp,
        log: &Log,
        stop: &CancellationToken,
    ) -> Result<Vec<PathBuf>, Halt> {
        let budget = Budget::new(self.max_bytes);
        let fetch = |wanted: &Wanted| {
            let fetcher = match wanted.kind {
                Kind::Source => self.fetchers.sources.clone(),
                Kind::Stone => self.fetchers.stones.clone(),
            };
            let request = wanted.request.clone();
            let share = match wanted.kind {
                Kind::Source => Some(budget.share()),
                Kind::Stone => None,
            };
            async move {
                let note = |received| share.iter().for_each(|share| share.note(received));
                let fetched = fetcher
                    .fetch_watched(&request, |progress| note(progress.received))
                    .await;
                fetched.iter().for_each(|fetched| note(fetched.size));
                fetched
            }
        };
        let fetched = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(Halt::Stopped),
            used = budget.exceeded() => return Err(too_much(used, self.max_bytes)),
            fetched = join_all(wanted.iter().map(fetch)) => fetched,
        };
        // What was there already came at once.
        if let Some(used) = budget.find_excess() {
            return Err(too_much(used, self.max_bytes));
        }
        let mut paths = Vec::with_capacity(wanted.len());
        for (wanted, fetched) in wanted.iter().zip(fetched) {
            let fetched = fetched.map_err(|error| halt(wanted, &error))?;
            let origin = match &fetched.origin {
                Origin::Present | Origin::Part => "was there already".to_owned(),
                Origin::Url(url) if url.as_str() == wanted.url => "fetched".to_owned(),
                Origin::Url(url) => format!("fetched from {url}"),
            };
            log.say(&format!(
                "{}: {} bytes, SHA-256 verified, {origin}",
                wanted.url, fetched.size
            ));
            // A file that cannot be marked as used is only forgotten sooner.
            let _ = File::open(&fetched.path).and_then(|file| file.set_modified(now.into()));
            paths.push(fetched.path);
        }
        Ok(paths)
    }
}

fn too_much(used: u64, most: u64) -> Halt {
    Halt::new(
        Reason::LimitReached {
            limit: "source_bytes".to_owned(),
        },
        format!(
            "the sources of the recipe come to {used} bytes and more, and an attempt may fetch {most} \
             (`sources.max_bytes` of the builder's configuration)"
        ),
    )
}

/// What a failed fetch is to the recipe. A mirror that has other bytes says nothing of it: only what
/// the recipe itself names can contradict it.
fn halt(wanted: &Wanted, error: &Error) -> Halt {
    if let Error::Failed { failures, .. } = error {
        // Mirrors come before it.
        let own = wanted.request.urls.last();
        for failure in failures.iter().filter(|failure| Some(&failure.url) == own) {
            if let Cause::Mismatch { actual, .. } = &failure.cause {
                let actual = Sha256::from_bytes(*actual.as_bytes());
                let (url, expected) = (failure.url.to_string(), wanted.sha256);
                let message = format!("{url} has SHA-256 {actual}, but {expected} is asked for");
                return Halt::new(
                    Reason::HashMismatch {
                        url,
                        expected,
                        actual,
                    },
                    message,
                );
            }
        }
        let url = wanted.url.clone();
        let is_too_large = |failure: &Failure| matches!(failure.cause, Cause::TooLarge { .. });
        let reason = if wanted.kind == Kind::Source && failures.iter().any(is_too_large) {
            Reason::LimitReached {
                limit: "source_bytes".to_owned(),
            }
        } else if wanted.kind == Kind::Source && failures.iter().all(is_missing) {
            Reason::SourceMissing { url }
        } else {
            Reason::FetchFailed { url }
        };
        return Halt::new(reason, message(wanted, failures));
    }
    Halt::internal("fetch a file", error)
}

/// True when the server said that it has no such file: asking again will not change that.
fn is_missing(failure: &Failure) -> bool {
    matches!(
        failure.cause,
        Cause::Status(StatusCode::NOT_FOUND | StatusCode::GONE)
    )
}

fn message(wanted: &Wanted, failures: &[Failure]) -> String {
    let failures: Vec<String> = failures.iter().map(ToString::to_string).collect();
    format!("cannot fetch {}: {}", wanted.url, failures.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIRROR: &str = "https://mirror.example/nano";
    const UPSTREAM: &str = "https://example.org/nano.tar";

    /// What an attempt fails with when its mirror and the upstream fail with these.
    fn halted(mirror: Cause, upstream: Cause) -> Reason {
        let sha256 = Sha256::of(b"nano");
        let failure = |url: &str, cause| Failure {
            url: url.parse().unwrap(),
            cause,
        };
        let wanted = Wanted {
            kind: Kind::Source,
            sha256,
            url: UPSTREAM.to_owned(),
            request: Request {
                urls: [MIRROR, UPSTREAM].map(|url| url.parse().unwrap()).to_vec(),
                sha256,
                size: Size::AtMost(1),
                target: PathBuf::from("nano"),
            },
        };
        let error = Error::Failed {
            target: PathBuf::from("nano"),
            failures: vec![failure(MIRROR, mirror), failure(UPSTREAM, upstream)],
        };
        match halt(&wanted, &error) {
            Halt::Failed { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }

    fn mismatch() -> Cause {
        Cause::Mismatch {
            expected: Sha256::of(b"nano"),
            actual: Sha256::of(b"other"),
        }
    }

    /// What a mirror has wrong must not turn a fault that passes into one of the recipe.
    #[test]
    fn only_what_the_recipe_names_contradicts_it() {
        let status = |status| Cause::Status(StatusCode::from_u16(status).unwrap());
        let url = || UPSTREAM.to_owned();
        assert_eq!(
            halted(mismatch(), status(503)),
            Reason::FetchFailed { url: url() }
        );
        assert_eq!(
            halted(mismatch(), status(404)),
            Reason::FetchFailed { url: url() }
        );
        assert_eq!(
            halted(status(404), status(404)),
            Reason::SourceMissing { url: url() }
        );
        let wrong = Reason::HashMismatch {
            url: url(),
            expected: Sha256::of(b"nano"),
            actual: Sha256::of(b"other"),
        };
        assert_eq!(halted(status(404), mismatch()), wrong);
        assert_eq!(halted(mismatch(), mismatch()), wrong);
    }

    #[test]
    fn only_what_was_long_not_used_is_pruned() {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let day = Duration::from_secs(24 * 3600);
        for (name, age) in [("old", 3 * day), ("new", day)] {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(SystemTime::from(now) - age).unwrap();
        }
        let fetcher = Fetcher::new(moss_fetcher::Options::default()).unwrap();
        let fetchers = Fetchers {
            sources: fetcher.clone(),
            stones: fetcher,
        };
        let cache = Cache::new(
            folder.path().to_owned(),
            fetchers,
            Vec::new(),
            1 << 30,
            2 * day,
        );
        cache.prune(now).unwrap();
        assert!(!folder.path().join("old").exists() && folder.path().join("new").exists());
    }
}
