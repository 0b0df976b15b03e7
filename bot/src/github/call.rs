//! One request to GitHub's REST API: limits obeyed, errors typed.

use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use octocrab::Octocrab;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use service::Clock;

/// A request to GitHub that did not bring what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// GitHub could not be reached, or the answer broke off: ask again.
    #[error("cannot reach GitHub for {method} {path}")]
    Transport {
        /// The method.
        method: Method,
        /// The path.
        path: String,
        /// Why.
        source: Box<octocrab::Error>,
    },
    /// GitHub says that we ask too much.
    #[error("GitHub's rate limit is reached; it ends at {until}")]
    RateLimited {
        /// When to ask again.
        until: Timestamp,
    },
    /// GitHub says why not.
    #[error("GitHub answered {status} to {method} {path}: {message}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// The method.
        method: Method,
        /// The path.
        path: String,
        /// What it said.
        message: String,
    },
    /// The answer is not what the API describes.
    #[error("GitHub's answer to {method} {path} cannot be read")]
    Unreadable {
        /// The method.
        method: Method,
        /// The path.
        path: String,
        /// Why.
        source: serde_json::Error,
    },
}

impl Error {
    /// True when asking again will hardly help: what we ask about is gone, or the request itself is
    /// refused. Anything else passes: a token that is too fresh, an installation that is suspended,
    /// a conflict with another write, an answer that was cut short.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Transport { .. } | Self::RateLimited { .. } | Self::Unreadable { .. } => false,
            Self::Refused { status, .. } => {
                self.is_missing() || matches!(status.as_u16(), 400 | 422)
            }
        }
    }

    /// True when there is no such thing (any more), or we may not see it.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if matches!(status.as_u16(), 404 | 410 | 451))
    }
}

/// The pause that GitHub asked for, shared by all clients of the App.
#[derive(Debug, Default)]
pub(super) struct Pause(Mutex<Option<Timestamp>>);

impl Pause {
    fn check(&self, clock: &Clock) -> Result<(), Error> {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(until) if clock.now() < until => Err(Error::RateLimited { until }),
            _ => Ok(()),
        }
    }

    fn set(&self, until: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }
}

/// An answer's body and the headers that matter beside it.
pub(super) struct Answer<T> {
    pub(super) body: T,
    pub(super) next_page: Option<String>,
}

/// Sends one request as `crab`. Never repeats it: the caller knows whether that is safe.
pub(super) async fn call<T: DeserializeOwned>(
    crab: &Octocrab,
    pause: &Pause,
    clock: &Clock,
    method: Method,
    path: &str,
    body: Option<&(impl Serialize + ?Sized)>,
) -> Result<Answer<T>, Error> {
    pause.check(clock)?;
    let transport = |source| Error::Transport {
        method: method.clone(),
        path: path.to_owned(),
        source: Box::new(source),
    };
    let request = http::request::Builder::new()
        .method(method.clone())
        .uri(path);
    let request = crab.build_request(request, body).map_err(transport)?;
    let answer = crab.execute(request).await.map_err(transport)?;
    let status = answer.status();
    let headers = answer.headers().clone();
    let text = crab.body_to_string(answer).await.map_err(transport)?;
    if let Some(until) = limited(status, &headers, &text, clock.now()) {
        tracing::warn!(%until, "GitHub asks for a pause");
        pause.set(until);
        return Err(Error::RateLimited { until });
    }
    if !status.is_success() {
        let message = serde_json::from_str::<Value>(&text)
            .ok()
            .and_then(|body| Some(body.get("message")?.as_str()?.to_owned()))
            .unwrap_or_default();
        return Err(Error::Refused {
            status,
            method,
            path: path.to_owned(),
            message,
        });
    }
    let text = if text.is_empty() {
        "null"
    } else {
        text.as_str()
    };
    let body = serde_json::from_str(text).map_err(|source| Error::Unreadable {
        method,
        path: path.to_owned(),
        source,
    })?;
    Ok(Answer {
        body,
        next_page: next_page(&headers),
    })
}

/// Until when GitHub wants no requests: `retry-after` first, then `x-ratelimit-reset` when nothing
/// remains, else a minute.
fn limited(
    status: StatusCode,
    headers: &HeaderMap,
    body: &str,
    now: Timestamp,
) -> Option<Timestamp> {
    if !matches!(status.as_u16(), 403 | 429) {
        return None;
    }
    let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<i64>().ok();
    if let Some(seconds) = number("retry-after") {
        return now
            .checked_add(SignedDuration::from_secs(seconds.clamp(1, 3600)))
            .ok();
    }
    if number("x-ratelimit-remaining") == Some(0) {
        return number("x-ratelimit-reset").and_then(|at| Timestamp::from_second(at).ok());
    }
    (status.as_u16() == 429 || body.contains("secondary rate limit"))
        .then(|| now.checked_add(SignedDuration::from_secs(60)).ok())
        .flatten()
}

/// Path and query of the page that `Link` calls the next one.
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

    #[test]
    fn limits_are_read_in_their_order() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let limited = |status, pairs: &[_], body| {
            limited(
                StatusCode::from_u16(status).unwrap(),
                &headers(pairs),
                body,
                now,
            )
        };
        let reset = ("x-ratelimit-reset", "1000500");
        let none_left = ("x-ratelimit-remaining", "0");
        assert_eq!(
            limited(403, &[("retry-after", "7"), none_left, reset], ""),
            at(1_000_007)
        );
        assert_eq!(limited(403, &[none_left, reset], ""), at(1_000_500));
        assert_eq!(
            limited(429, &[("x-ratelimit-remaining", "9"), reset], ""),
            at(1_000_060)
        );
        assert_eq!(
            limited(403, &[], "You have exceeded a secondary rate limit"),
            at(1_000_060)
        );
        assert_eq!(
            limited(403, &[], "Resource not accessible by integration"),
            None
        );
        assert_eq!(limited(500, &[("retry-after", "7")], ""), None);
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
