//! Users, organisations and the bots of Apps.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::AccountId;
use crate::name::{Invalid, Login};

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
    /// The account an App acts as: the forge's own, or another one that people installed.
    Bot,
}

/// The login of the account that an App of that slug acts as.
pub(crate) fn bot_login(slug: &str) -> Result<Login, Invalid> {
    let slug: Login = slug.parse()?;
    format!("{slug}[bot]").parse()
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
