//! Users, organisations and the App's bot.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::AccountId;
use crate::name::Login;

/// A user, an organisation or a bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What identifies it: a login can change, the id cannot.
    pub id: AccountId,
    /// Its name in URLs.
    pub login: Login,
    /// Which of the three it is.
    pub kind: Kind,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A person.
    User,
    /// An organisation, which owns repositories and installs the App.
    Organisation,
    /// The account the App acts as.
    Bot,
}

impl Kind {
    /// The word of GitHub's `type`.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Organisation => "Organization",
            Self::Bot => "Bot",
        }
    }
}
