//! Reviews of pull requests, and the comments at their lines.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{AccountId, RepositoryId, ReviewCommentId, ReviewId};
use crate::name::Sha;

/// A review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Its id.
    pub id: ReviewId,
    /// The repository of the pull request.
    pub repository: RepositoryId,
    /// The pull request's number.
    pub number: u64,
    /// Who reviewed.
    pub author: AccountId,
    /// What the review comes to.
    pub verdict: Verdict,
    /// What it says, in Markdown. Empty where only lines were commented.
    pub body: String,
    /// The head that was reviewed.
    pub commit: Sha,
    /// When it was submitted.
    pub submitted_at: Timestamp,
}

/// What a review comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It may be merged.
    Approve,
    /// It may not be merged as it is.
    RequestChanges,
    /// Neither.
    Comment,
}

/// A comment at a line that a pull request brings. Its id counts apart from those of other comments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewComment {
    /// Its id.
    pub id: ReviewCommentId,
    /// The review that it came with.
    pub review: ReviewId,
    /// The repository of the pull request.
    pub repository: RepositoryId,
    /// The pull request's number.
    pub number: u64,
    /// Who wrote it.
    pub author: AccountId,
    /// Where it stands.
    pub place: LinePlace,
    /// The head that was commented.
    pub commit: Sha,
    /// What it says, in Markdown.
    pub body: String,
    /// When it was written.
    pub created_at: Timestamp,
}

/// Where a comment at a line stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinePlace {
    /// The file, from the root of the repository.
    pub path: String,
    /// The line of the head's file.
    pub line: u64,
    /// The line of the file's difference, counted from its first header.
    pub position: u64,
    /// The difference from the header before the line to the line.
    pub hunk: String,
}

impl Verdict {
    /// GitHub's `state` of a review, as webhooks have it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Approve => "approved",
            Self::RequestChanges => "changes_requested",
            Self::Comment => "commented",
        }
    }
}
