//! One request to GitHub's REST API. It obeys the rate limits and returns typed errors.

use std::sync::{Mutex, MutexGuard, PoisonError};

use http::header::{ACCEPT, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use octocrab::Octocrab;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use service::Clock;

/// The version of the REST API.
const API_VERSION: &str = "2022-11-28";

/// A failed request to GitHub.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// GitHub could not be reached, or its answer broke off. A retry is safe for reads.
    #[error("cannot reach GitHub for {method} {path}")]
    Transport {
        /// The request's method.
        method: Method,
        /// The request's path.
        path: String,
        /// The cause.
        source: Box<octocrab::Error>,
    },
    /// The rate limit is exceeded.
    #[error("GitHub's rate limit is reached; it ends at {until}")]
    RateLimited {
        /// The earliest time for a retry.
        until: Timestamp,
    },
    /// An owner of the organisation has suspended the App's installation.
    #[error("the organisation has suspended the App's installation since {since}")]
    Suspended {
        /// Since when.
        since: Timestamp,
    },
    /// GitHub refused the request with a reason.
    #[error("GitHub answered {status} to {method} {path}: {message}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// The request's method.
        method: Method,
        /// The request's path.
        path: String,
        /// GitHub's message.
        message: String,
    },
    /// The answer does not match the API's description.
    #[error("GitHub's answer to {method} {path} cannot be read")]
    Unreadable {
        /// The request's method.
        method: Method,
        /// The request's path.
        path: String,
        /// The cause.
        source: serde_json::Error,
    },
}

impl Error {
    /// True when a retry will hardly help: the object is gone, or GitHub refuses the request
    /// itself. All other errors may pass: a token that is too new, a suspended installation, a
    /// conflict with another write, an answer that broke off.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Transport { .. }
            | Self::RateLimited { .. }
            | Self::Suspended { .. }
            | Self::Unreadable { .. } => false,
            Self::Refused { status, .. } => {
                self.is_missing() || matches!(status.as_u16(), 400 | 422)
            }
        }
    }

    /// True when GitHub forbids the request: the App lacks a permission, or the conversation is
    /// locked. People can change that.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::FORBIDDEN)
    }

    /// True when the object does not exist (any more), or the App may not see it.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if matches!(status.as_u16(), 404 | 410 | 451))
    }
}

/// The pause that GitHub asked for. All clients of the App share it.
#[derive(Debug, Default)]
pub(super) struct Pause(Mutex<Paused>);

#[derive(Debug, Default)]
struct Paused {
    until: Option<Timestamp>,
    /// How many answers in a row reported an exceeded rate limit.
    refusals: u32,
}

impl Pause {
    fn lock(&self) -> MutexGuard<'_, Paused> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The end of the pause, if there is one now.
    pub(super) fn until(&self, now: Timestamp) -> Option<Timestamp> {
        self.lock().until.filter(|until| now < *until)
    }

    fn check(&self, now: Timestamp) -> Result<(), Error> {
        match self.until(now) {
            Some(until) => Err(Error::RateLimited { until }),
            None => Ok(()),
        }
    }

    /// Reads GitHub's rate limit from an answer and sets the pause. Fails when this request itself
    /// exceeded the limit.
    fn heed(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut paused = self.lock();
        if let Some(until) = limited(status, headers, body, now, paused.refusals) {
            tracing::warn!(%until, "GitHub asks for a pause");
            paused.refusals += 1;
            paused.until = paused.until.max(Some(until));
            return Err(Error::RateLimited { until });
        }
        if status.is_success() {
            paused.refusals = 0;
            if let Some(until) = used_up(headers, now) {
                tracing::warn!(%until, "GitHub's hourly limit is used up");
                paused.until = paused.until.max(Some(until));
            }
        }
        Ok(())
    }
}

/// An answer's body and the next page's path.
#[derive(Clone)]
pub(super) struct Answer<T> {
    pub(super) body: T,
    pub(super) next_page: Option<String>,
}

/// A successful answer, not yet parsed.
struct Raw {
    headers: HeaderMap,
    text: String,
}

/// The client for one request, with the pause that all clients share.
pub(super) struct Caller<'app> {
    pub(super) crab: &'app Octocrab,
    pub(super) pause: &'app Pause,
    pub(super) clock: &'app Clock,
}

impl Caller<'_> {
    /// Sends one request and never retries it: only the caller knows whether a retry is safe.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + ?Sized)>,
    ) -> Result<Answer<T>, Error> {
        let raw = self.send(&method, path, body, None).await?;
        read(
            &method,
            path,
            &raw.expect("only a request with a tag has no answer"),
        )
    }

    /// Sends a conditional GET with the ETag `tag`. Returns `None` on a 304, else the answer and
    /// its ETag.
    pub(super) async fn get_changed<T: DeserializeOwned>(
        &self,
        path: &str,
        tag: Option<&str>,
    ) -> Result<Option<(Answer<T>, Option<String>)>, Error> {
        let Some(raw) = self.send(&Method::GET, path, None::<&()>, tag).await? else {
            return Ok(None);
        };
        let tag = raw.headers.get(ETAG).and_then(|tag| tag.to_str().ok());
        let tag = tag.map(str::to_owned);
        Ok(Some((read(&Method::GET, path, &raw)?, tag)))
    }

    async fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<&(impl Serialize + ?Sized)>,
        tag: Option<&str>,
    ) -> Result<Option<Raw>, Error> {
        self.pause.check(self.clock.now())?;
        let transport = |source| Error::Transport {
            method: method.clone(),
            path: path.to_owned(),
            source: Box::new(source),
        };
        let mut request = http::request::Builder::new()
            .method(method.clone())
            .uri(path)
            .header(ACCEPT, "application/vnd.github+json")
            .header("x-github-api-version", API_VERSION);
        if let Some(tag) = tag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let request = self.crab.build_request(request, body).map_err(transport)?;
        let answer = self.crab.execute(request).await.map_err(transport)?;
        let status = answer.status();
        let headers = answer.headers().clone();
        let text = self.crab.body_to_string(answer).await.map_err(transport)?;
        self.pause.heed(status, &headers, &text, self.clock.now())?;
        if status == StatusCode::NOT_MODIFIED && tag.is_some() {
            return Ok(None);
        }
        if !status.is_success() {
            let message = serde_json::from_str::<Value>(&text)
                .ok()
                .and_then(|body| Some(body.get("message")?.as_str()?.to_owned()))
                .unwrap_or_default();
            return Err(Error::Refused {
                status,
                method: method.clone(),
                path: path.to_owned(),
                message,
            });
        }
        Ok(Some(Raw { headers, text }))
    }
}

fn read<T: DeserializeOwned>(method: &Method, path: &str, raw: &Raw) -> Result<Answer<T>, Error> {
    let text = if raw.text.is_empty() {
        "null"
    } else {
        raw.text.as_str()
    };
    let body = serde_json::from_str(text).map_err(|source| Error::Unreadable {
        method: method.clone(),
        path: path.to_owned(),
        source,
    })?;
    Ok(Answer {
        body,
        next_page: next_page(&raw.headers),
    })
}

/// The end of a rate limit pause: `retry-after` first, then `x-ratelimit-reset` when no request
/// remains. Else the pause is a minute, doubled after each refusal in a row, up to an hour.
fn limited(
    status: StatusCode,
    headers: &HeaderMap,
    body: &str,
    now: Timestamp,
    refusals: u32,
) -> Option<Timestamp> {
    if !matches!(status.as_u16(), 403 | 429) {
        return None;
    }
    let after = |seconds: i64| now.checked_add(SignedDuration::from_secs(seconds)).ok();
    if let Some(seconds) = number(headers, "retry-after") {
        return after(seconds.clamp(1, 3600));
    }
    if let Some(reset) = used_up(headers, now) {
        return Some(reset);
    }
    (status.as_u16() == 429 || body.contains("rate limit"))
        .then(|| after(60 << refusals.min(6)).map(|until| until.min(in_an_hour(now))))
        .flatten()
}

/// The reset time of an hourly limit that is used up. The pause is between zero and one hour, even
/// when GitHub's clock and ours differ.
fn used_up(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    if number(headers, "x-ratelimit-remaining") != Some(0) {
        return None;
    }
    let reset = Timestamp::from_second(number(headers, "x-ratelimit-reset")?).ok()?;
    let soonest = now + SignedDuration::from_secs(1);
    Some(reset.clamp(soonest, in_an_hour(now)))
}

fn in_an_hour(now: Timestamp) -> Timestamp {
    now + SignedDuration::from_hours(1)
}

fn number(headers: &HeaderMap, name: &str) -> Option<i64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// Path and query of the `rel="next"` link.
fn next_page(headers: &HeaderMap) -> Option<String> {
    let links = headers.get(http::header::LINK)?.to_str().ok()?;
    let link = links
        .split(',')
        .find(|link| link.contains("rel=\"next\""))?;
    let url = link.split_once('<')?.1.split_once('>')?.0;
    Some(url::Url::parse(url).ok()?.query()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_000_000).unwrap()
    }

    const RESET: (&str, &str) = ("x-ratelimit-reset", "1000500");
    const NONE_LEFT: (&str, &str) = ("x-ratelimit-remaining", "0");

    #[test]
    fn limits_are_read_in_their_order() {
        let limited = |status, pairs: &[_], body, refusals| {
            let status = StatusCode::from_u16(status).unwrap();
            let until = limited(status, &headers(pairs), body, now(), refusals);
            until.map(|until| until.duration_since(now()).as_secs())
        };
        assert_eq!(
            limited(403, &[("retry-after", "7"), NONE_LEFT, RESET], "", 0),
            Some(7)
        );
        assert_eq!(limited(429, &[NONE_LEFT, RESET], "", 3), Some(500));
        // The reset time has passed by our clock, or is too far off by GitHub's clock.
        let early = ("x-ratelimit-reset", "999000");
        assert_eq!(limited(403, &[NONE_LEFT, early], "", 0), Some(1));
        let late = ("x-ratelimit-reset", "9999999");
        assert_eq!(limited(403, &[NONE_LEFT, late], "", 0), Some(3600));
        let some_left = ("x-ratelimit-remaining", "9");
        assert_eq!(limited(429, &[some_left, RESET], "", 0), Some(60));
        let secondary = "You have exceeded a secondary rate limit";
        for (refusals, pause) in [(0, 60), (1, 120), (5, 1920), (6, 3600), (60, 3600)] {
            assert_eq!(limited(403, &[], secondary, refusals), Some(pause));
        }
        assert_eq!(
            limited(403, &[], "Resource not accessible by integration", 0),
            None
        );
        assert_eq!(limited(500, &[("retry-after", "7")], "", 0), None);
    }

    #[test]
    fn the_last_request_of_an_hour_is_answered_and_the_next_not_asked() {
        let pause = Pause::default();
        let headers = headers(&[NONE_LEFT, RESET]);
        assert!(pause.heed(StatusCode::OK, &headers, "", now()).is_ok());
        let after = |seconds| pause.check(now() + SignedDuration::from_secs(seconds));
        assert!(matches!(after(499), Err(Error::RateLimited { .. })));
        assert!(after(500).is_ok());
    }

    /// A late answer must not shorten a pause that GitHub asked for meanwhile.
    #[test]
    fn the_longest_pause_counts() {
        let pause = Pause::default();
        for seconds in ["90", "5"] {
            let headers = headers(&[("retry-after", seconds)]);
            let heeded = pause.heed(StatusCode::FORBIDDEN, &headers, "", now());
            assert!(heeded.is_err());
        }
        assert!(pause.check(now() + SignedDuration::from_secs(89)).is_err());
    }

    proptest::proptest! {
        /// The header may come from a proxy instead of GitHub.
        #[test]
        fn any_link_can_be_read(links in "([<>;,=\"]|rel=\"next\"|https://a/\\?p=1|[ -~]){0,20}") {
            let _ = next_page(&headers(&[("link", &links)]));
        }
    }

    #[test]
    fn the_next_page_is_found() {
        let link = "<https://api.github.com/x?per_page=2&page=1>; rel=\"prev\", \
                    <https://api.github.com/x?per_page=2&page=3>; rel=\"next\"";
        assert_eq!(
            next_page(&headers(&[("link", link)])).as_deref(),
            Some("per_page=2&page=3")
        );
        assert_eq!(next_page(&headers(&[])), None);
    }
}
