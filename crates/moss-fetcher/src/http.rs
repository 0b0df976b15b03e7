//! One HTTP request, appended to a part.

use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, HeaderMap, LOCATION, RANGE, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use tokio::sync::mpsc;
use tokio::time::{timeout, timeout_at};
use url::Url;

use crate::error::{Cause, Error, RedirectFault};
use crate::options::Options;
use crate::pace::Pace;
use crate::part::Part;
use crate::reach::{NotPublic, Reach, Resolver};
use crate::request::{Progress, Size};

/// How many chunks may wait for the disk.
const QUEUE: usize = 16;

/// How to make requests.
#[derive(Debug)]
pub(crate) struct Http {
    /// Resolves names to addresses that may be asked.
    client: reqwest::Client,
    /// For URLs that may be asked wherever they lead.
    excepted: reqwest::Client,
    reach: Arc<Reach>,
    redirects: usize,
    stall_timeout: Duration,
    grace: Duration,
    least_rate: NonZero<u32>,
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
    pub(crate) fn new(options: &Options) -> Result<Self, reqwest::Error> {
        let reach = Arc::new(options.reach.clone());
        let builder = || {
            reqwest::Client::builder()
                .user_agent(&options.user_agent)
                .connect_timeout(options.connect_timeout)
                .redirect(reqwest::redirect::Policy::none())
                .tls_certs_merge(options.certificates.clone())
        };
        let excepted = builder().build()?;
        let client = match &options.reach {
            Reach::Any => excepted.clone(),
            Reach::Public(_) => {
                let resolver = Arc::new(Resolver(Arc::clone(&reach)));
                builder().dns_resolver(resolver).build()?
            }
        };
        Ok(Self {
            client,
            excepted,
            reach,
            redirects: options.redirects,
            stall_timeout: options.stall_timeout,
            grace: options.grace,
            least_rate: options.least_rate,
        })
    }

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
            Err(failed) => return Ok((part, failed)),
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

    /// Asks, and goes where the answer says, as often as that is allowed.
    async fn send(&self, url: &Url, have: u64) -> Result<Response, Attempt> {
        let mut url = url.clone();
        let mut followed = 0;
        loop {
            let response = self.ask(&url, have).await?;
            let Some(next) = find_redirect(&url, &response) else {
                return Ok(response);
            };
            let refused = |fault| Attempt::GiveUp(Cause::Redirect(fault));
            if followed == self.redirects {
                return Err(refused(RedirectFault::TooMany));
            }
            followed += 1;
            url = next.map_err(refused)?;
        }
    }

    async fn ask(&self, url: &Url, have: u64) -> Result<Response, Attempt> {
        self.reach
            .check(url)
            .map_err(|refused| Attempt::GiveUp(refused.into()))?;
        let client = if self.reach.excepts(url) {
            &self.excepted
        } else {
            &self.client
        };
        let mut request = client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
        if have > 0 {
            request = request.header(RANGE, format!("bytes={have}-"));
        }
        self.patiently(request.send()).await.map_err(failed)
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
        let mut pace = Pace::new(self.grace, self.least_rate);
        let (chunks, queue) = mpsc::channel(QUEUE);
        let writing = tokio::task::spawn_blocking(move || part.absorb(queue).map(|()| part));
        let attempt = loop {
            progress(Progress { received, total });
            match self.next_chunk(&mut response, received, size, &pace).await {
                ControlFlow::Break(attempt) => break attempt,
                ControlFlow::Continue(chunk) => {
                    received += chunk.len() as u64;
                    pace.note(chunk.len());
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
        pace: &Pace,
    ) -> ControlFlow<Attempt, Bytes> {
        let limit = size.limit();
        let retry = |cause| ControlFlow::Break(Attempt::Retry { cause, after: None });
        match timeout_at(pace.deadline(), self.patiently(response.chunk())).await {
            Ok(Ok(Some(chunk))) if received.saturating_add(chunk.len() as u64) > limit => {
                ControlFlow::Break(Attempt::GiveUp(Cause::TooLarge { limit }))
            }
            Ok(Ok(Some(chunk))) => ControlFlow::Continue(chunk),
            Ok(Ok(None)) => ControlFlow::Break(Attempt::Complete),
            Ok(Err(cause)) => retry(cause),
            Err(_) => retry(pace.fault()),
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

/// What a request without an answer came to.
fn failed(cause: Cause) -> Attempt {
    if let Cause::Transport { source } = &cause {
        let mut next = std::error::Error::source(source);
        while let Some(error) = next {
            if let Some(refused) = error.downcast_ref::<NotPublic>() {
                return Attempt::GiveUp(refused.clone().into());
            }
            next = error.source();
        }
    }
    Attempt::Retry { cause, after: None }
}

/// Where an answer sends on to, if it does.
fn find_redirect(from: &Url, response: &Response) -> Option<Result<Url, RedirectFault>> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let to = response.headers().get(LOCATION)?;
    Some(
        to.to_str()
            .map_err(|_| RedirectFault::Unusable)
            .and_then(|to| follow(from, to)),
    )
}

fn follow(from: &Url, to: &str) -> Result<Url, RedirectFault> {
    let to = from.join(to).map_err(|_| RedirectFault::Unusable)?;
    match (from.scheme(), to.scheme()) {
        ("https", "http") => Err(RedirectFault::Unencrypted),
        (_, "http" | "https") => Ok(to),
        _ => Err(RedirectFault::Unusable),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_keep_to_https_and_to_the_web() {
        let from = Url::parse("https://example.org/a/b").unwrap();
        let follow = |to| follow(&from, to).map(String::from);
        assert_eq!(follow("../c"), Ok("https://example.org/c".to_owned()));
        assert_eq!(follow("//x.org/c"), Ok("https://x.org/c".to_owned()));
        for to in ["http://example.org/a", "HTTP://x.org"] {
            assert_eq!(follow(to), Err(RedirectFault::Unencrypted));
        }
        for to in ["file:///etc/passwd", "ftp://x.org/", "https://"] {
            assert_eq!(follow(to), Err(RedirectFault::Unusable), "{to}");
        }
    }
}
