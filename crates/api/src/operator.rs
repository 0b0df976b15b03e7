//! What an operator asks of a running summit, with scope `operate`. The program `summit` sends it.
//!
//! - `GET /api/v1/deliveries` → a list of [`UnreadDelivery`], the oldest first.
//! - `POST /api/v1/deliveries/{guid}/replay` → [`Replay`].
//! - `POST /api/v1/repositories/let-go` with [`LetGo`] → [`LetGo`], those that it let go of.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A webhook that summit took and could not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadDelivery {
    /// GitHub's GUID of the delivery.
    pub guid: String,
    /// The event's name.
    pub event: String,
    /// When summit received it.
    pub received_at: Timestamp,
    /// Why it could not be read.
    pub reason: String,
}

/// What became of a delivery that was read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// GitHub's GUID of the delivery.
    pub guid: String,
    /// Whether it could be read this time.
    pub is_read: bool,
    /// What it led to, or why it could not be read, for people.
    pub outcome: String,
}

/// Repositories that are gone for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LetGo {
    /// Their names, `owner/name`.
    pub repositories: Vec<String>,
}
