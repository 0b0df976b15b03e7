//! Requests from people: commands in comments, and presses of buttons.

use api::id::{BuildId, CommitSha};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::build::{Build, NoRebuild};
use crate::domain::command::Receipt;
use crate::domain::name::{CommentId, RepositoryId, UserId};
use crate::domain::plan::in_order;

/// A command from a comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The repository.
    pub repository: RepositoryId,
    /// The number of the comment. With the place's kind it identifies the command, so that no command
    /// runs twice.
    pub comment: CommentId,
    /// The author of the comment.
    pub author: UserId,
    /// The author's login at that time, for display.
    pub login: String,
    /// The text of the comment.
    pub text: String,
    /// Where the comment was written.
    pub place: CommentPlace,
    /// The answer; none until the command has run.
    #[serde(default)]
    pub receipt: Option<Receipt>,
    /// The progress of a command that needs more than one transaction.
    #[serde(default)]
    pub progress: Option<Progress>,
    /// True when GitHub has the answer.
    pub answered: bool,
    /// When summit stored the command; none in rows of older versions.
    #[serde(default)]
    pub taken_at: Option<Timestamp>,
    /// When it was written, by GitHub's clock; none in rows of older versions.
    #[serde(default)]
    pub written_at: Option<Timestamp>,
    /// A random mark in our reply. After a crash it shows whether the reply was sent; nobody else
    /// can know it before. None in rows of older versions.
    #[serde(default)]
    pub mark: Option<Uuid>,
}

/// The key of a command: the repository, the [kind](CommentKind) of comment, and its number.
pub type CommandKey = (u64, u8, u64);

impl Command {
    /// The key of its row.
    pub fn key(&self) -> CommandKey {
        command_key(self.repository, &self.place, self.comment)
    }
}

/// The key of the command in a comment.
pub fn command_key(
    repository: RepositoryId,
    place: &CommentPlace,
    comment: CommentId,
) -> CommandKey {
    (repository.number(), place.kind().number(), comment.number())
}

/// A kind of comment. GitHub numbers the comments of each kind apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommentKind {
    /// In the conversation of a pull request, which is an issue too.
    Issue,
    /// On a commit.
    Commit,
}

impl CommentKind {
    /// The number that stands for it in keys. It must never change.
    pub const fn number(self) -> u8 {
        match self {
            Self::Issue => 1,
            Self::Commit => 2,
        }
    }
}

/// Where a comment was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "place", rename_all = "kebab-case")]
pub enum CommentPlace {
    /// On a pull request.
    Pull {
        /// Its number.
        number: u64,
    },
    /// On a commit.
    Commit {
        /// The commit.
        commit: CommitSha,
    },
}

impl CommentPlace {
    /// The kind of the comments there.
    pub fn kind(&self) -> CommentKind {
        match self {
            Self::Pull { .. } => CommentKind::Issue,
            Self::Commit { .. } => CommentKind::Commit,
        }
    }
}

/// A person's press of one of GitHub's buttons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Press {
    /// The repository.
    pub repository: RepositoryId,
    /// The person.
    pub person: UserId,
    /// The person's login at that time, for display.
    pub login: String,
    /// The button.
    pub button: Button,
    /// The progress of a request that needs more than one transaction.
    #[serde(default)]
    pub progress: Option<Progress>,
}

/// The progress of a request that concerns more builds than one transaction handles. Each
/// transaction stores it together with its results, so that after a crash the rest follows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The remaining builds in build order; the members of a cycle are one group.
    pub left: Vec<Vec<BuildId>>,
    /// The builds that were handled, each with the resulting build: a new one, or itself.
    pub done: Vec<(BuildId, BuildId)>,
    /// The builds that were refused, each with the reason, if there is more than one possible
    /// reason.
    pub refused: Vec<(BuildId, Option<NoRebuild>)>,
    /// The replaced builds that other builds may still name.
    #[serde(default)]
    pub named: Vec<BuildId>,
}

impl Progress {
    /// How many builds one transaction writes; it may exceed this to finish a cycle. Webhooks wait
    /// while the transaction runs.
    pub const PART: usize = 50;

    /// True when no build names a replaced one any more.
    pub fn is_settled(&self) -> bool {
        self.named.is_empty()
    }

    /// True when no transaction is left to do.
    pub fn is_done(&self) -> bool {
        self.left.is_empty() && self.is_settled()
    }

    /// The start of a request for `builds`.
    pub fn of(builds: &[Build]) -> Self {
        Self {
            left: in_order(builds),
            ..Self::default()
        }
    }

    /// Removes the builds of the next part from [`Self::left`].
    pub fn take_part(&mut self) -> Vec<BuildId> {
        let mut part = Vec::new();
        let mut groups = std::mem::take(&mut self.left).into_iter();
        while part.len() < Self::PART
            && let Some(group) = groups.next()
        {
            part.extend(group);
        }
        self.left = groups.collect();
        part
    }
}

/// A button of a check run or a check suite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "button", rename_all = "kebab-case")]
pub enum Button {
    /// Rebuild one build.
    Rerun {
        /// The build that the check run shows.
        build: BuildId,
    },
    /// Carry out a command on one build.
    Act {
        /// The build that the check run shows.
        build: BuildId,
        /// The name of the command.
        command: String,
    },
    /// Rebuild all builds of a head.
    RerunAll {
        /// The head.
        commit: CommitSha,
    },
}
