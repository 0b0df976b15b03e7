//! What passed: every REST request with its answer, and every webhook sent, so that a suite can
//! hold both sides against GitHub's own description.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::HeaderMap;
use jiff::Timestamp;
use serde_json::Value;

use crate::webhook::Event;

/// So many of each kind are kept; the oldest go.
const KEPT: usize = 10_000;

/// A REST request and its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// When the request had come in, on the forge's clock.
    pub at: Timestamp,
    /// `GET`, `POST` …
    pub method: String,
    /// The path without `/api/v3`, percent-encoded as it came.
    pub path: String,
    /// The query, percent-encoded as it came.
    pub query: Option<String>,
    /// Those of the request's headers that GitHub looks at.
    pub headers: Headers,
    /// The request's body.
    pub request: Body,
    /// The answer's status.
    pub status: u16,
    /// The answer's body. The token of a new installation token is left out.
    pub response: Body,
}

/// The headers by which GitHub knows how it is spoken to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// `Accept`.
    pub accept: Option<String>,
    /// `X-GitHub-Api-Version`.
    pub api_version: Option<String>,
}

impl Headers {
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let text = |name: &str| {
            let value = headers.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        Self {
            user_agent: text("user-agent"),
            accept: text("accept"),
            api_version: text(API_VERSION),
        }
    }
}

/// The header that names a version of the REST API.
pub(crate) const API_VERSION: &str = "x-github-api-version";

/// A body in the record.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// There was none.
    Empty,
    /// JSON.
    Json(Value),
    /// Something else, in bytes.
    Other(usize),
}

impl Body {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::Empty;
        }
        serde_json::from_slice(bytes).map_or(Self::Other(bytes.len()), Self::Json)
    }

    /// The JSON, if it is that.
    #[must_use]
    pub const fn json(&self) -> Option<&Value> {
        match self {
            Self::Json(value) => Some(value),
            Self::Empty | Self::Other(_) => None,
        }
    }
}

/// The record.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    exchanges: VecDeque<Exchange>,
    webhooks: VecDeque<Event>,
}

impl Traffic {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn exchange(&self, mut exchange: Exchange) {
        if exchange.path.ends_with("/access_tokens")
            && let Body::Json(Value::Object(answer)) = &mut exchange.response
            && let Some(token) = answer.get_mut("token")
        {
            *token = Value::String("left out".to_owned());
        }
        push(&mut self.lock().exchanges, exchange);
    }

    pub(crate) fn webhook(&self, event: &Event) {
        push(&mut self.lock().webhooks, event.clone());
    }

    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        self.lock().exchanges.iter().cloned().collect()
    }

    pub(crate) fn webhooks(&self) -> Vec<Event> {
        self.lock().webhooks.iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        *self.lock() = Kept::default();
    }
}

fn push<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() == KEPT {
        queue.pop_front();
    }
    queue.push_back(item);
}
