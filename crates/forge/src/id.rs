//! The forge's ids: every kind its own type. All but those of review comments are drawn from one
//! counter, so that an id of one kind taken for another is never accidentally valid.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            pub(crate) const fn new(number: u64) -> Self {
                Self(number)
            }

            /// The number as it stands in GitHub's JSON.
            #[must_use]
            pub const fn number(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl moss_db::Key for $name {
            type Item = Self;

            fn encode(item: &Self, out: &mut Vec<u8>) {
                <u64 as moss_db::Key>::encode(&item.0, out);
            }

            fn decode(input: &mut moss_db::Reader<'_>) -> Result<Self, moss_db::KeyError> {
                <u64 as moss_db::Key>::decode(input).map(Self)
            }
        }

        impl FromStr for $name {
            type Err = ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )*};
}

ids! {
    /// A user, an organisation or the App's bot: they share one namespace, as on GitHub.
    AccountId;
    /// A repository.
    RepositoryId;
    /// A pull request (not its number, which counts within a repository).
    PullId;
    /// A comment on a pull request or on a commit.
    CommentId;
    /// A reaction to a comment.
    ReactionId;
    /// A review of a pull request.
    ReviewId;
    /// A comment at a line of a pull request. These ids count apart from all others.
    ReviewCommentId;
    /// A check run.
    CheckRunId;
    /// A check suite: all check runs of the App on one commit.
    CheckSuiteId;
    /// One attempt to deliver a webhook.
    DeliveryId;
    /// The App's installation on an organisation.
    InstallationId;
}
