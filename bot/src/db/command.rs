//! What people ask for: commands in comments, and buttons.

use api::id::{BuildId, CommitSha};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::build::{Build, NotAgain};
use crate::domain::command::Receipt;
use crate::domain::name::{CommentId, RepositoryId, UserId};
use crate::domain::plan::in_order;

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
    /// How far it is carried out, when it takes more than one part.
    #[serde(default)]
    pub progress: Option<Progress>,
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
    /// How far it is carried out, when it takes more than one part.
    #[serde(default)]
    pub progress: Option<Progress>,
}

/// How far a wish is carried out that concerns more builds than one transaction takes on. Each
/// transaction writes it together with what it did, so that after a crash the rest follows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The builds that are still to be looked at, each after those that it comes after; members of a
    /// cycle together.
    pub left: Vec<Vec<BuildId>>,
    /// The builds with which it was done, each with the build that this came to: a new one, or itself.
    pub done: Vec<(BuildId, BuildId)>,
    /// The builds with which nothing could be done, and why, where there is more than one reason.
    pub refused: Vec<(BuildId, Option<NotAgain>)>,
}

impl Progress {
    /// How many builds one transaction takes on, and the rest of a cycle: webhooks wait for it.
    pub const PART: usize = 50;

    /// Nothing is done yet of these.
    pub fn of(builds: &[Build]) -> Self {
        Self {
            left: in_order(builds),
            ..Self::default()
        }
    }

    /// Takes the builds of the next part out of what is left.
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
