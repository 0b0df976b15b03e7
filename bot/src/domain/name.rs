//! GitHub's ids and names, parsed once where they enter.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Wraps the number that GitHub gave.
            pub fn new(number: u64) -> Self {
                Self(number)
            }

            /// The number that GitHub knows.
            pub fn number(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

number!(
    /// A repository, for as long as it lives, whatever it is called.
    RepositoryId
);
number!(
    /// A person or bot, whatever it is called.
    UserId
);
number!(
    /// The App's installation in an organisation.
    InstallationId
);
number!(
    /// A check run.
    CheckRunId
);
number!(
    /// A comment on a pull request or a commit.
    CommentId
);

/// A text that is no repository name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no repository name: it takes `owner/name`")]
pub struct InvalidRepositoryName(String);

/// `owner/name`, of letters, digits, `.`, `_` and `-`, so that it can stand in any URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryName {
    owner: String,
    name: String,
}

impl RepositoryName {
    /// The organisation.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The name below it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl FromStr for RepositoryName {
    type Err = InvalidRepositoryName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let good = |part: &str| {
            !part.is_empty()
                && part.len() <= 100
                && !part.chars().all(|c| c == '.')
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        text.split_once('/')
            .filter(|(owner, name)| good(owner) && good(name))
            .map(|(owner, name)| Self {
                owner: owner.to_owned(),
                name: name.to_owned(),
            })
            .ok_or_else(|| InvalidRepositoryName(text.chars().take(80).collect()))
    }
}

impl Serialize for RepositoryName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RepositoryName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
