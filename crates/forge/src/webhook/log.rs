//! The delivery log: one row for each attempt that ended, and the attempts that have not.
//!
//! An attempt is *outgoing* from the change that made its event on, in one commit with it, until it
//! has ended; then its row stands in the log. So an event is never lost with the process: the next
//! one sends what is outgoing again, under the same GUID. Whoever had it already gets it twice then,
//! as can happen with GitHub.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::id::{DeliveryId, InstallationId, RepositoryId};
use crate::state::table::Table;
use crate::webhook::{Event, Mode, Redelivery, body_text};

/// As long as GitHub keeps a delivery.
const KEPT: SignedDuration = SignedDuration::from_hours(3 * 24);
/// So many rows, so that a forge that runs for long does not grow without end.
const MAX_ROWS: usize = 10_000;

/// One attempt to deliver an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id: rising with time, so that it serves as the cursor.
    pub id: DeliveryId,
    /// The event's GUID, which attempts share.
    pub guid: Uuid,
    /// When the attempt began.
    pub delivered_at: Timestamp,
    /// Whether it was asked for again.
    pub redelivery: Redelivery,
    /// How long the attempt took.
    pub duration: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// `push`, `pull_request` …
    pub event: Cow<'static, str>,
    /// `opened`, `created` …, where the event has one.
    pub action: Option<Cow<'static, str>>,
    /// The installation it was sent for.
    pub installation: Option<InstallationId>,
    /// The repository it is about.
    pub repository: Option<RepositoryId>,
    /// Where it was sent.
    pub url: String,
    /// The headers it was sent with.
    pub headers: BTreeMap<String, String>,
    /// The body as sent.
    #[serde(with = "body_text")]
    pub body: Bytes,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// There was an answer.
    Answered {
        /// Its status.
        status: u16,
        /// Its headers.
        headers: BTreeMap<String, String>,
        /// The beginning of its body.
        body: String,
    },
    /// There was none in ten seconds.
    TimedOut,
    /// There was no connection.
    Unreachable,
}

impl Outcome {
    /// Whether it was answered 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        match self {
            Self::Answered { status, .. } => (200..300).contains(status),
            Self::TimedOut | Self::Unreachable => false,
        }
    }

    /// The status, or what GitHub reports in its place.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::Answered { status, .. } => *status,
            Self::TimedOut => 504,
            Self::Unreachable => 502,
        }
    }
}

impl Delivery {
    /// An attempt that never left.
    pub(crate) fn lost(id: DeliveryId, event: Event, at: Timestamp) -> Self {
        Self {
            id,
            guid: event.guid,
            delivered_at: at,
            redelivery: Redelivery::First,
            duration: Duration::ZERO,
            outcome: Outcome::Unreachable,
            event: event.event,
            action: event.action,
            installation: event.installation,
            repository: event.repository,
            url: String::new(),
            headers: BTreeMap::new(),
            body: event.body,
        }
    }

    /// The event, for another attempt.
    pub(crate) fn event(&self) -> Event {
        Event {
            guid: self.guid,
            event: self.event.clone(),
            action: self.action.clone(),
            installation: self.installation,
            repository: self.repository,
            body: self.body.clone(),
            made_at: self.delivered_at,
        }
    }
}

/// An attempt that has not ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Outgoing {
    pub(crate) event: Event,
    pub(crate) redelivery: Redelivery,
}

/// The rows, and what waits to become one.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) rows: Table<DeliveryId, Delivery>,
    /// By a number that is not yet the attempt's id: that one is given when it begins.
    pub(crate) outgoing: Table<DeliveryId, Outgoing>,
    /// What of it nobody is sending, because it is not known where to.
    waiting: BTreeSet<DeliveryId>,
    pub(crate) mode: Mode,
    /// For tests; forgotten with the process.
    pub(crate) held: Vec<Event>,
}

impl Log {
    /// Writes the row of an attempt that ended, and forgets old rows.
    pub(crate) fn insert(&mut self, row: Delivery, now: Timestamp) {
        self.rows.insert(row.id, row);
        while let Some((id, oldest)) = self.rows.first_key_value()
            && (self.rows.len() > MAX_ROWS || !is_kept(oldest.delivered_at, now))
        {
            let id = *id;
            self.rows.remove(&id);
        }
    }

    /// The rows still kept, newest first.
    pub(crate) fn newest_first(&self, now: Timestamp) -> impl Iterator<Item = &Delivery> {
        let rows = self.rows.values().rev();
        rows.filter(move |row| is_kept(row.delivered_at, now))
    }

    pub(crate) fn find(&self, id: DeliveryId, now: Timestamp) -> Option<&Delivery> {
        let row = self.rows.get(&id)?;
        is_kept(row.delivered_at, now).then_some(row)
    }

    /// Lets an outgoing event wait until it is known where to send it. Of too many the oldest goes.
    pub(crate) fn wait(&mut self, id: DeliveryId) {
        self.waiting.insert(id);
        if self.waiting.len() > MAX_ROWS
            && let Some(oldest) = self.waiting.pop_first()
        {
            self.outgoing.remove(&oldest);
        }
    }

    /// Lets all that is outgoing wait: nobody is sending it when a forge starts.
    pub(crate) fn wait_for_address(&mut self) {
        self.waiting = self.outgoing.keys().copied().collect();
    }

    /// What waits, to be sent now; what waited for longer than a delivery is kept is forgotten.
    pub(crate) fn take_waiting(&mut self, now: Timestamp) -> Vec<DeliveryId> {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|id| {
            let found = self.outgoing.get(id);
            let stays = found.is_some_and(|found| is_kept(found.event.made_at, now));
            if !stays {
                self.outgoing.remove(id);
            }
            stays
        });
        waiting.into_iter().collect()
    }
}

fn is_kept(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at) < KEPT
}
