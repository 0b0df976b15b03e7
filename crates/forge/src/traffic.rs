//! What passed: every REST request with its answer, and every webhook sent, so that a suite can
//! hold both sides against GitHub's own description.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    /// The request's body.
    pub request: Body,
    /// The answer's status.
    pub status: u16,
    /// The answer's body. The token of a new installation token is left out.
    pub response: Body,
}

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
