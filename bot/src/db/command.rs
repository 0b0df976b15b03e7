//! What people ask for: commands in comments, and buttons.

use api::id::{BuildId, CommitSha};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::command::Receipt;
use crate::domain::name::{CommentId, RepositoryId, UserId};

/// A command from a comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The repository.
    pub repository: RepositoryId,
    /// The comment; commands are known by it, so that none runs twice.
    pub comment: CommentId,
    /// Who wrote it.
    pub author: UserId,
    /// The author's login at that time, for people.
    pub login: String,
    /// The text.
    pub text: String,
    /// What it was written on.
    pub place: Place,
    /// The answer to it; none while it is not done.
    #[serde(default)]
    pub receipt: Option<Receipt>,
    /// Whether GitHub has the answer.
    pub answered: bool,
    /// When it was taken; none for one of an older database.
    #[serde(default)]
    pub taken_at: Option<Timestamp>,
    /// What our answer bears, so that one from before a crash is found: nobody else can know it
    /// before. None for one of an older database.
    #[serde(default)]
    pub mark: Option<Uuid>,
}

/// Where a comment was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "place", rename_all = "kebab-case")]
pub enum Place {
    /// On a pull request.
    Pull {
        /// Its number.
        number: u64,
    },
    /// On a commit.
    Commit {
        /// Which.
        commit: CommitSha,
    },
}

/// A button of GitHub that a person pressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Press {
    /// The repository.
    pub repository: RepositoryId,
    /// Who pressed it.
    pub person: UserId,
    /// That person's login at that time, for people.
    pub login: String,
    /// Which button.
    pub button: Button,
}

/// What a button asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "button", rename_all = "kebab-case")]
pub enum Button {
    /// One build again.
    Rerun {
        /// The build that the check run shows.
        build: BuildId,
    },
    /// All of a head again.
    RerunAll {
        /// The head.
        commit: CommitSha,
    },
}
