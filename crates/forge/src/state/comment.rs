//! Comments on pull requests and commits, and the reactions to them.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{AccountId, CommentId, CommentKind, ReactionId, RepositoryId};
use crate::name::Sha;

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// Its id.
    pub id: CommentId,
    /// The repository it stands in.
    pub repository: RepositoryId,
    /// What it is about.
    pub subject: Subject,
    /// Who wrote it.
    pub author: AccountId,
    /// What it says, in Markdown.
    pub body: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was last edited.
    pub updated_at: Timestamp,
    /// The reactions, oldest first.
    pub reactions: Vec<Reaction>,
}

/// What a comment is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The pull request of that number.
    Pull(u64),
    /// A commit, or a place in it.
    Commit {
        /// The commit.
        sha: Sha,
        /// The file, if it is about one.
        path: Option<String>,
        /// The position in the file's diff.
        position: Option<u64>,
    },
}

impl Subject {
    /// The kind of the comments on it.
    pub(crate) const fn kind(&self) -> CommentKind {
        match self {
            Self::Pull(_) => CommentKind::Issue,
            Self::Commit { .. } => CommentKind::Commit,
        }
    }
}

/// A reaction to a comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// Its id.
    pub id: ReactionId,
    /// Who reacted.
    pub author: AccountId,
    /// How.
    pub content: Content,
    /// When.
    pub created_at: Timestamp,
}

/// The reactions there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// 👍
    #[serde(rename = "+1")]
    PlusOne,
    /// 👎
    #[serde(rename = "-1")]
    MinusOne,
    /// 😄
    Laugh,
    /// 😕
    Confused,
    /// ❤️
    Heart,
    /// 🎉
    Hooray,
    /// 🚀
    Rocket,
    /// 👀
    Eyes,
}

impl Content {
    pub(crate) const ALL: [Self; 8] = [
        Self::PlusOne,
        Self::MinusOne,
        Self::Laugh,
        Self::Confused,
        Self::Heart,
        Self::Hooray,
        Self::Rocket,
        Self::Eyes,
    ];

    /// GitHub's word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::PlusOne => "+1",
            Self::MinusOne => "-1",
            Self::Laugh => "laugh",
            Self::Confused => "confused",
            Self::Heart => "heart",
            Self::Hooray => "hooray",
            Self::Rocket => "rocket",
            Self::Eyes => "eyes",
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Content {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|content| content.word() == text)
            .ok_or(())
    }
}
