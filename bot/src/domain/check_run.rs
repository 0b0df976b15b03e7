//! The desired content of check runs: those of builds, and the one of each head.

pub mod name;
pub mod of_build;
pub mod of_head;

use jiff::Timestamp;
use serde::Serialize;
use url::Url;

use super::build::Annotation;
use super::tail::{clip, code};

/// The desired content of a check run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Desired {
    /// The check's name. It is stable for a recipe, so that newer runs replace older ones.
    pub name: String,
    /// Queued, in progress, or concluded.
    pub status: Status,
    /// The heading.
    pub title: String,
    /// Markdown: the explanation and a table.
    pub summary: String,
    /// Markdown below the summary: the end of the log.
    pub text: Option<String>,
    /// Errors and warnings at lines of the recipe.
    pub annotations: Vec<Annotation>,
    /// The build's page in summit.
    pub details_url: Url,
    /// When the build was planned.
    pub started_at: Timestamp,
    /// The buttons; none before the conclusion.
    pub actions: Vec<Action>,
}

/// A button of a check run, as GitHub takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Action {
    /// The name by which GitHub reports the press.
    pub identifier: &'static str,
    /// Its text.
    pub label: &'static str,
    /// What it does.
    pub description: &'static str,
}

/// The status of a check run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "status", content = "conclusion", rename_all = "snake_case")]
pub enum Status {
    /// No builder works on it yet.
    Queued,
    /// A builder or vessel works on it.
    InProgress,
    /// It is concluded.
    Completed(Conclusion),
}

/// The conclusions that summit uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// Built; for a branch also published.
    Success,
    /// Not built, or refused by the channel.
    Failure,
    /// Held by another build that did not succeed.
    Skipped,
    /// There was nothing to build.
    Neutral,
    /// Cancelled, or superseded by a newer build.
    Cancelled,
    /// A person has to act: approve, or push.
    ActionRequired,
}

impl Conclusion {
    /// GitHub's word for it in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Skipped => "skipped",
            Self::Neutral => "neutral",
            Self::Cancelled => "cancelled",
            Self::ActionRequired => "action_required",
        }
    }
}

/// Untrusted text, made safe for a cell of a table.
fn cell(text: &str) -> String {
    code(&clip(text, 300).replace('|', "\u{2758}"))
}
