//! Fetching: URLs in turn, attempts in turn, then the verdict.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;
use url::Url;

use crate::error::{Cause, Error, Failure};
use crate::http::{Attempt, Http, blocking};
use crate::options::{FileUrls, Options};
use crate::part::{self, CopyError, Part};
use crate::places::Places;
use crate::request::{Fetched, Origin, Progress, Request};

/// How often to look whether another fetch of the same target is done.
const LOCK_POLL: Duration = Duration::from_millis(50);

/// Fetches files. Cheap to clone; clones share the limit on fetches at one time.
#[derive(Debug, Clone)]
pub struct Fetcher {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    http: Http,
    places: Places,
    options: Options,
}

/// Where progress is told.
type Watcher<'a> = &'a (dyn Fn(Progress) + Send + Sync);

impl Fetcher {
    /// A fetcher that behaves as told. Makes ring the process's provider of cryptography for
    /// TLS, unless there is one already.
    ///
    /// # Errors
    ///
    /// When the HTTP client cannot be set up.
    pub fn new(options: Options) -> Result<Self, Error> {
        // Fails when there is a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Http::new(&options).map_err(Error::Client)?;
        let places = Places::new(options.parallel, options.parallel_per_host);
        Ok(Self {
            inner: Arc::new(Inner {
                http,
                places,
                options,
            }),
        })
    }

    /// Fetches one file.
    ///
    /// # Errors
    ///
    /// When no URL has the file, or it cannot be written; see [`Error`].
    pub async fn fetch(&self, request: &Request) -> Result<Fetched, Error> {
        self.fetch_watched(request, |_| {}).await
    }

    /// As [`Self::fetch`]; tells `watcher` of every piece that arrives. It must not block.
    ///
    /// # Errors
    ///
    /// As [`Self::fetch`].
    pub async fn fetch_watched(
        &self,
        request: &Request,
        watcher: impl Fn(Progress) + Send + Sync,
    ) -> Result<Fetched, Error> {
        // On the heap: the state of a fetch is large, and callers hold many.
        Box::pin(self.inner.fetch(request, &watcher)).await
    }

    /// Fetches several files, as many at one time as the options allow. One that fails does not
    /// stop the others. The answers are in the order of the requests.
    pub async fn fetch_all(&self, requests: &[Request]) -> Vec<Result<Fetched, Error>> {
        join_all(requests.iter().map(|request| self.fetch(request))).await
    }
}

impl Inner {
    async fn fetch(&self, request: &Request, watcher: Watcher<'_>) -> Result<Fetched, Error> {
        let (mut place, mut part) = loop {
            let place = self.places.take(request.urls.first()).await?;
            if let Some(present) = find_present(request).await? {
                return Ok(present);
            }
            let (target, limit) = (request.target.clone(), request.size.limit());
            match blocking(move || Part::try_open(&target, limit)).await? {
                Some(part) => break (Some(place), part),
                None => {
                    // Whoever has the part may be waiting for a place.
                    drop(place);
                    sleep(LOCK_POLL).await;
                }
            }
        };
        if part.length() > 0 && part.digest() == request.sha256 {
            return publish(part, request, Origin::Part).await;
        }
        let mut failures = Vec::new();
        for url in &request.urls {
            let _place = match place.take() {
                Some(place) => place,
                None => self.places.take(Some(url)).await?,
            };
            let outcome;
            (part, outcome) = self.try_url(url, request, part, watcher).await?;
            match outcome {
                Ok(()) => return publish(part, request, Origin::Url(url.clone())).await,
                Err(cause) => {
                    let failure = Failure {
                        url: url.clone(),
                        cause,
                    };
                    tracing::debug!(fetch.failure = %failure, "a URL does not have the file");
                    failures.push(failure);
                }
            }
        }
        blocking(move || {
            part.leave();
            Ok(())
        })
        .await?;
        Err(Error::Failed {
            target: request.target.clone(),
            failures,
        })
    }

    /// Tries one URL until the part is what was asked for, or will not be.
    async fn try_url(
        &self,
        url: &Url,
        request: &Request,
        mut part: Part,
        watcher: Watcher<'_>,
    ) -> Result<(Part, Result<(), Cause>), Error> {
        let mut attempt = 1;
        let mut began_anew = false;
        loop {
            let resumed = part.length() > 0;
            let outcome;
            (part, outcome) = self.try_once(url, request, part, watcher).await?;
            let (cause, after) = match outcome {
                Attempt::Complete => {
                    let (expected, actual) = (request.sha256, part.digest());
                    if expected == actual {
                        return Ok((part, Ok(())));
                    }
                    part = restarted(part).await?;
                    let cause = Cause::Mismatch { expected, actual };
                    // The fault may lie in the bytes that were there before, and only all of the
                    // file can tell: so much is tried however few attempts there are.
                    if resumed && !began_anew {
                        began_anew = true;
                        continue;
                    }
                    return Ok((part, Err(cause)));
                }
                Attempt::Anew(cause) => {
                    part = restarted(part).await?;
                    if !began_anew {
                        began_anew = true;
                        continue;
                    }
                    (cause, None)
                }
                Attempt::GiveUp(cause) => {
                    if is_about_content(&cause) {
                        part = restarted(part).await?;
                    }
                    return Ok((part, Err(cause)));
                }
                Attempt::Retry { cause, after } => (cause, after),
            };
            if attempt >= self.options.attempts.get() {
                return Ok((part, Err(cause)));
            }
            sleep(self.pause(attempt, after)).await;
            attempt += 1;
        }
    }

    async fn try_once(
        &self,
        url: &Url,
        request: &Request,
        part: Part,
        watcher: Watcher<'_>,
    ) -> Result<(Part, Attempt), Error> {
        match url.scheme() {
            "http" | "https" => self.http.get(url, request.size, part, watcher).await,
            "file" if self.options.file_urls == FileUrls::Allowed => {
                copy_file(url, request.size.limit(), part).await
            }
            other => Ok((part, Attempt::GiveUp(Cause::Scheme(other.to_owned())))),
        }
    }

    /// How long to wait after this many attempts.
    fn pause(&self, attempts: u32, asked: Option<Duration>) -> Duration {
        let doubled = 2_u32.saturating_pow(attempts - 1);
        let pause = asked.unwrap_or_else(|| self.options.backoff.saturating_mul(doubled));
        pause.min(self.options.longest_pause)
    }
}

/// Whether the part may hold bytes of a file that is not the one asked for.
fn is_about_content(cause: &Cause) -> bool {
    match cause {
        Cause::Mismatch { .. } | Cause::WrongSize { .. } | Cause::TooLarge { .. } => true,
        Cause::Status(_)
        | Cause::Transport { .. }
        | Cause::Stalled(_)
        | Cause::TooSlow { .. }
        | Cause::NotPublic(_)
        | Cause::Redirect(_)
        | Cause::Scheme(_)
        | Cause::Unreadable(_) => false,
    }
}

async fn find_present(request: &Request) -> Result<Option<Fetched>, Error> {
    let target = request.target.clone();
    let found = blocking(move || part::examine(&target)).await?;
    Ok(found
        .filter(|(digest, _)| *digest == request.sha256)
        .map(|(_, size)| Fetched {
            path: request.target.clone(),
            size,
            origin: Origin::Present,
        }))
}

async fn publish(part: Part, request: &Request, origin: Origin) -> Result<Fetched, Error> {
    let size = blocking(move || part.publish()).await?;
    Ok(Fetched {
        path: request.target.clone(),
        size,
        origin,
    })
}

async fn restarted(mut part: Part) -> Result<Part, Error> {
    blocking(move || part.restart().map(|()| part)).await
}

async fn copy_file(url: &Url, limit: u64, mut part: Part) -> Result<(Part, Attempt), Error> {
    let Ok(path) = url.to_file_path() else {
        let error = std::io::Error::new(std::io::ErrorKind::InvalidInput, "no local path");
        return Ok((part, Attempt::GiveUp(Cause::Unreadable(error))));
    };
    blocking(move || {
        part.restart()?;
        let copied = File::open(path)
            .map_err(CopyError::Source)
            .and_then(|source| part.copy(source, limit));
        let attempt = match copied {
            Ok(()) if part.length() > limit => Attempt::GiveUp(Cause::TooLarge { limit }),
            Ok(()) => Attempt::Complete,
            Err(CopyError::Source(error)) => Attempt::GiveUp(Cause::Unreadable(error)),
            Err(CopyError::Ours(error)) => return Err(error),
        };
        Ok((part, attempt))
    })
    .await
}
