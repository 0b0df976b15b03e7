//! The delivery log: one row for each attempt.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::id::{DeliveryId, InstallationId, RepositoryId};
use crate::webhook::{Event, Mode, Redelivery};

/// As long as GitHub keeps a delivery.
const KEPT: SignedDuration = SignedDuration::from_hours(3 * 24);
/// So many rows, so that a forge that runs for long does not grow without end.
const MAX_ROWS: usize = 10_000;

/// One attempt to deliver an event.
#[derive(Debug, Clone)]
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
    pub event: &'static str,
    /// `opened`, `created` …, where the event has one.
    pub action: Option<&'static str>,
    /// The installation it was sent for.
    pub installation: InstallationId,
    /// The repository it is about.
    pub repository: RepositoryId,
    /// Where it was sent.
    pub url: String,
    /// The headers it was sent with.
    pub headers: BTreeMap<String, String>,
    /// The body as sent.
    pub body: Bytes,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
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
            event: self.event,
            action: self.action,
            installation: self.installation,
            repository: self.repository,
            body: self.body.clone(),
            made_at: self.delivered_at,
        }
    }
}

/// The rows, and what waits to become one.
#[derive(Debug, Default)]
pub(crate) struct Log {
    rows: VecDeque<Delivery>,
    pub(crate) mode: Mode,
    pub(crate) held: Vec<Event>,
}

impl Log {
    pub(crate) fn insert(&mut self, row: Delivery) {
        // Attempts end in another order than they began; the rows stay sorted by id.
        let place = self.rows.partition_point(|other| other.id < row.id);
        self.rows.insert(place, row);
        if self.rows.len() > MAX_ROWS {
            self.rows.pop_front();
        }
    }

    /// The rows still kept, newest first.
    pub(crate) fn newest_first(&self, now: Timestamp) -> impl Iterator<Item = &Delivery> {
        self.rows.iter().rev().filter(move |row| is_kept(row, now))
    }

    pub(crate) fn find(&self, id: DeliveryId, now: Timestamp) -> Option<&Delivery> {
        self.rows
            .iter()
            .find(|row| row.id == id && is_kept(row, now))
    }
}

fn is_kept(row: &Delivery, now: Timestamp) -> bool {
    now.duration_since(row.delivered_at) < KEPT
}
