//! Teams of organisations.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::id::AccountId;

/// A team. Its key is its organisation and its name in URLs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Team {
    pub(crate) members: BTreeSet<AccountId>,
}
