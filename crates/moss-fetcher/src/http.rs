//! One HTTP request, appended to a part.

use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, HeaderMap, RANGE, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use tokio::sync::mpsc;
use tokio::time::timeout;
use url::Url;

use crate::error::{Cause, Error};
use crate::part::Part;
use crate::request::{Progress, Size};

/// How many chunks may wait for the disk.
const QUEUE: usize = 16;

/// How to make requests.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    pub(crate) client: reqwest::Client,
    pub(crate) stall_timeout: Duration,
}

/// What a request came to. The part holds whatever arrived.
pub(crate) enum Attempt {
    /// The server sent all it has.
    Complete,
    /// It may go better another time; the server may have said when.
    Retry {
        cause: Cause,
        after: Option<Duration>,
    },
    /// What was there already cannot be a part of the server's file.
    Anew(Cause),
    /// This URL does not have the file.
    GiveUp(Cause),
}

impl Http {
    /// Gets what the part lacks.
    pub(crate) async fn get(
        &self,
        url: &Url,
        size: Size,
        mut part: Part,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(Part, Attempt), Error> {
        let response = match self.send(url, part.length()).await {
            Ok(response) => response,
            Err(cause) => return Ok((part, Attempt::Retry { cause, after: None })),
        };
        match start_of_body(&response, part.length()) {
            Body::At(start) if start == part.length() => {}
            Body::At(_) => part = blocking(move || part.restart().map(|()| part)).await?,
            Body::WrongRange => {
                return Ok((part, Attempt::Anew(Cause::Status(response.status()))));
            }
            Body::None(attempt) => return Ok((part, attempt)),
        }
        let total = response
            .content_length()
            .map(|rest| part.length().saturating_add(rest));
        if let Some(cause) = total.and_then(|total| refuse(total, size)) {
            return Ok((part, Attempt::GiveUp(cause)));
        }
        self.receive(response, size, total.or(size.exact()), part, progress)
            .await
    }

    async fn send(&self, url: &Url, have: u64) -> Result<Response, Cause> {
        let mut request = self
            .client
            .get(url.clone())
            .header(ACCEPT_ENCODING, "identity");
        if have > 0 {
            request = request.header(RANGE, format!("bytes={have}-"));
        }
        self.patiently(request.send()).await
    }

    /// Feeds the body to a thread that hashes and writes.
    async fn receive(
        &self,
        mut response: Response,
        size: Size,
        total: Option<u64>,
        mut part: Part,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(Part, Attempt), Error> {
        let mut received = part.length();
        let (chunks, queue) = mpsc::channel(QUEUE);
        let writing = tokio::task::spawn_blocking(move || part.absorb(queue).map(|()| part));
        let attempt = loop {
            progress(Progress { received, total });
            match self.next_chunk(&mut response, received, size).await {
                ControlFlow::Break(attempt) => break attempt,
                ControlFlow::Continue(chunk) => {
                    received += chunk.len() as u64;
                    if chunks.send(chunk).await.is_err() {
                        // The disk does not take it; the thread tells why.
                        break Attempt::Complete;
                    }
                }
            }
        };
        drop(chunks);
        let part = finished(writing.await)??;
        Ok((part, attempt))
    }

    async fn next_chunk(
        &self,
        response: &mut Response,
        received: u64,
        size: Size,
    ) -> ControlFlow<Attempt, Bytes> {
        let limit = size.limit();
        match self.patiently(response.chunk()).await {
            Ok(Some(chunk)) if received.saturating_add(chunk.len() as u64) > limit => {
                ControlFlow::Break(Attempt::GiveUp(Cause::TooLarge { limit }))
            }
            Ok(Some(chunk)) => ControlFlow::Continue(chunk),
            Ok(None) => ControlFlow::Break(Attempt::Complete),
            Err(cause) => ControlFlow::Break(Attempt::Retry { cause, after: None }),
        }
    }

    async fn patiently<T>(
        &self,
        answer: impl Future<Output = Result<T, reqwest::Error>>,
    ) -> Result<T, Cause> {
        match timeout(self.stall_timeout, answer).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(Cause::Transport {
                source: error.without_url(),
            }),
            Err(_) => Err(Cause::Stalled(self.stall_timeout)),
        }
    }
}

/// What the body of an answer is.
enum Body {
    /// The file from this byte on.
    At(u64),
    /// The server does not have the range that was asked for.
    WrongRange,
    /// Not the file.
    None(Attempt),
}

fn start_of_body(response: &Response, have: u64) -> Body {
    let status = response.status();
    match status {
        StatusCode::OK => Body::At(0),
        StatusCode::PARTIAL_CONTENT if range_start(response.headers()) == Some(have) => {
            Body::At(have)
        }
        // A part longer than the server's file, or a server that cannot count.
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
            Body::WrongRange
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            Body::None(retry(status, response.headers()))
        }
        _ if status.is_server_error() => Body::None(retry(status, response.headers())),
        _ => Body::None(Attempt::GiveUp(Cause::Status(status))),
    }
}

fn retry(status: StatusCode, headers: &HeaderMap) -> Attempt {
    let after = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    Attempt::Retry {
        cause: Cause::Status(status),
        after: after.map(Duration::from_secs),
    }
}

/// The first byte of `Content-Range: bytes 100-199/200`.
fn range_start(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    range
        .strip_prefix("bytes ")?
        .split('-')
        .next()?
        .trim()
        .parse()
        .ok()
}

/// Whether the announced size rules the file out.
fn refuse(total: u64, size: Size) -> Option<Cause> {
    match size {
        Size::Exactly(expected) if total != expected => Some(Cause::WrongSize {
            expected,
            actual: total,
        }),
        Size::AtMost(limit) if total > limit => Some(Cause::TooLarge { limit }),
        Size::Exactly(_) | Size::AtMost(_) => None,
    }
}

/// Runs file operations on a thread where blocking is allowed.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    finished(tokio::task::spawn_blocking(work).await)?
}

fn finished<T>(joined: Result<T, tokio::task::JoinError>) -> Result<T, Error> {
    match joined {
        Ok(value) => Ok(value),
        Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
        Err(_) => Err(Error::Cancelled),
    }
}
