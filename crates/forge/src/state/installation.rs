//! Installations that were suspended.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::AccountId;

/// Who suspended an installation, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Suspension {
    pub(crate) by: AccountId,
    pub(crate) at: Timestamp,
}
