//! The forge's ids: every kind its own type, and each counted by itself from 1 on. So an id of one
//! kind taken for another finds something, and what finds it does the wrong thing.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is numbered by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sequence {
    Accounts,
    Repositories,
    Pulls,
    IssueComments,
    CommitComments,
    Reactions,
    Reviews,
    ReviewComments,
    QueuePlaces,
    CheckRuns,
    CheckSuites,
    Deliveries,
    Installations,
}

/// An id that is the next number of a sequence.
pub(crate) trait Numbered {
    /// Which one.
    const SEQUENCE: Sequence;

    /// The id of that number.
    fn numbered(number: u64) -> Self;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, of $sequence:ident;)*) => {$(
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

        impl Numbered for $name {
            const SEQUENCE: Sequence = Sequence::$sequence;

            fn numbered(number: u64) -> Self {
                Self::new(number)
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
    AccountId, of Accounts;
    /// A repository.
    RepositoryId, of Repositories;
    /// A pull request (not its number, which counts within a repository).
    PullId, of Pulls;
    /// A reaction to a comment.
    ReactionId, of Reactions;
    /// A review of a pull request.
    ReviewId, of Reviews;
    /// A comment at a line of a pull request.
    ReviewCommentId, of ReviewComments;
    /// A check run.
    CheckRunId, of CheckRuns;
    /// A check suite: all check runs of the App on one commit.
    CheckSuiteId, of CheckSuites;
    /// One attempt to deliver a webhook.
    DeliveryId, of Deliveries;
    /// The App's installation on an organisation.
    InstallationId, of Installations;
}

/// A comment. Its number is its own only among the comments of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CommentId {
    kind: CommentKind,
    number: u64,
}

/// The kinds of comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommentKind {
    /// A comment on a pull request, which is one on the issue behind it.
    Issue,
    /// A comment on a commit.
    Commit,
}

impl CommentId {
    /// The comment of that kind and number.
    #[must_use]
    pub const fn new(kind: CommentKind, number: u64) -> Self {
        Self { kind, number }
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(self) -> CommentKind {
        self.kind
    }

    /// The number as it stands in GitHub's JSON.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.number
    }
}

impl CommentKind {
    pub(crate) const fn sequence(self) -> Sequence {
        match self {
            Self::Issue => Sequence::IssueComments,
            Self::Commit => Sequence::CommitComments,
        }
    }

    /// How a key in the database begins.
    const fn byte(self) -> u8 {
        match self {
            Self::Issue => 0,
            Self::Commit => 1,
        }
    }
}

/// The number: where it stands, the kind is known.
impl fmt::Display for CommentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

impl moss_db::Key for CommentId {
    type Item = Self;

    fn encode(item: &Self, out: &mut Vec<u8>) {
        <(u8, u64) as moss_db::Key>::encode(&(item.kind.byte(), item.number), out);
    }

    fn decode(input: &mut moss_db::Reader<'_>) -> Result<Self, moss_db::KeyError> {
        let (byte, number) = <(u8, u64) as moss_db::Key>::decode(input)?;
        let kind = match byte {
            0 => CommentKind::Issue,
            1 => CommentKind::Commit,
            other => {
                let problem = format!("{other} is no kind of comment");
                return Err(moss_db::KeyError::Invalid(problem));
            }
        };
        Ok(Self::new(kind, number))
    }
}
