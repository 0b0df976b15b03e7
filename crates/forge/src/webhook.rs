//! Webhooks: which events there are, and what happens to one from its making to its delivery.
//!
//! A change of the state makes an event while it holds the state's lock, so that both are recorded
//! as one. Once they are, the event is sent, in a task of its own: deliveries overtake each other, as
//! GitHub's do. While it is not known where to, events wait. The [`Mode`] can stop, double or hold
//! back events for tests.

pub(crate) mod body_text;
pub(crate) mod event;
pub(crate) mod hook;
pub(crate) mod log;
pub(crate) mod send;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::forge::Shared;
use crate::id::{InstallationId, RepositoryId};
use crate::state::State;
use crate::state::repository::Repository;

/// What the forge does with a new event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Sends it.
    #[default]
    Deliver,
    /// Forgets it: no attempt, no row in the delivery log.
    Mute,
    /// Writes a failed attempt into the delivery log, without sending.
    Lose,
    /// Sends it twice under one GUID.
    Double,
    /// Keeps it until [`crate::Forge::release_webhooks`].
    Hold,
}

/// The order in which held events are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they were made.
    Made,
    /// The newest first.
    Reversed,
}

/// Whether an attempt is the first of its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redelivery {
    /// The first attempt.
    First,
    /// Asked for again.
    Again,
}

impl Redelivery {
    /// GitHub's `redelivery`.
    #[must_use]
    pub const fn is_again(self) -> bool {
        match self {
            Self::First => false,
            Self::Again => true,
        }
    }
}

/// An event on its way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// Names the event; every attempt to deliver it carries it.
    pub guid: Uuid,
    /// `push`, `pull_request` …
    pub event: Cow<'static, str>,
    /// `opened`, `created` …, where the event has one.
    pub action: Option<Cow<'static, str>>,
    /// The installation it is sent for.
    pub installation: Option<InstallationId>,
    /// The repository it is about.
    pub repository: Option<RepositoryId>,
    /// The JSON, byte for byte as it is sent, or as it stands in the form that is sent.
    #[serde(with = "body_text")]
    pub body: Bytes,
    /// When it happened.
    pub made_at: Timestamp,
}

impl Event {
    /// The payload as JSON.
    #[must_use]
    pub fn payload(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// What an App is told without asking for it.
const UNASKED: [&str; 3] = ["installation", "installation_repositories", "ping"];

/// As large as a payload may be, in bytes: GitHub sends nothing in the place of a larger one.
const MAX_PAYLOAD: usize = 25 * 1024 * 1024;

/// Whom an event is sent for, and what it is about.
#[derive(Debug, Clone, Copy)]
struct Source {
    installation: Option<InstallationId>,
    repository: Option<RepositoryId>,
}

/// The name of an event and what happened.
pub(crate) type Name = (&'static str, Option<&'static str>);

/// Makes an event about a repository and sends it as the mode says. Nothing happens where the App
/// is not installed or not told of such events.
pub(crate) fn emit(
    shared: &Arc<Shared>,
    state: &mut State,
    repository: &Repository,
    event: &'static str,
    action: Option<&'static str>,
    payload: Value,
) {
    let Some(installation) = state.installation_of(repository) else {
        return;
    };
    let source = Source {
        installation: Some(installation),
        repository: Some(repository.id),
    };
    send_as_mode_says(shared, state, source, (event, action), &payload);
}

/// Makes an event about an installation, which may be suspended or be gone when it is sent.
pub(crate) fn emit_for(
    shared: &Arc<Shared>,
    state: &mut State,
    installation: InstallationId,
    name: Name,
    payload: &Value,
) {
    let source = Source {
        installation: Some(installation),
        repository: None,
    };
    send_as_mode_says(shared, state, source, name, payload);
}

/// Sends a `ping` to the address that was set.
pub(crate) fn ping(shared: &Arc<Shared>) {
    let hook = shared.hook.settings();
    let mut state = shared.lock();
    let payload = hook::ping(&state, &shared.urls, &shared.app, &hook);
    let source = Source {
        installation: None,
        repository: None,
    };
    send_as_mode_says(shared, &mut state, source, ("ping", None), &payload);
}

fn send_as_mode_says(
    shared: &Arc<Shared>,
    state: &mut State,
    source: Source,
    (event, action): Name,
    payload: &Value,
) {
    let is_wanted = shared.app.events.iter().any(|wanted| wanted == event);
    if !is_wanted && !UNASKED.contains(&event) {
        return;
    }
    let body = Bytes::from(payload.to_string());
    if body.len() > MAX_PAYLOAD {
        tracing::warn!(event, "a webhook is too large and is not sent");
        return;
    }
    let event = Event {
        guid: Uuid::new_v4(),
        event: event.into(),
        action: action.map(Into::into),
        installation: source.installation,
        repository: source.repository,
        body,
        made_at: shared.clock.now(),
    };
    match state.deliveries.mode {
        Mode::Mute => {}
        Mode::Deliver => send::spawn(shared, state, event, Redelivery::First),
        Mode::Double => {
            send::spawn(shared, state, event.clone(), Redelivery::First);
            send::spawn(shared, state, event, Redelivery::First);
        }
        Mode::Lose => {
            let now = shared.clock.now();
            let id = state.next_id();
            let row = log::Delivery::lost(id, event, now);
            state.deliveries.insert(row, now);
        }
        Mode::Hold => state.deliveries.held.push(event),
    }
}
