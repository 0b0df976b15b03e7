//! Rules of branches.

use serde::{Deserialize, Serialize};

/// What a branch asks of those who merge into it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) checks: Vec<RequiredCheck>,
    #[serde(default)]
    pub(crate) queue: MergeQueue,
}

/// Whether pull requests are merged into a branch through a merge queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MergeQueue {
    /// They are, and in no other way.
    On,
    /// They are not.
    #[default]
    Off,
}

/// A check that the head of a pull request has to have passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RequiredCheck {
    pub(crate) name: String,
    pub(crate) source: Source,
}

/// Whose check run counts. The forge has one App, and nobody else makes check runs: both admit the
/// same ones, and are shown differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// Anybody's.
    Any,
    /// The App's.
    App,
}

impl Rule {
    /// Whether it asks for nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.checks.is_empty() && self.queue == MergeQueue::Off
    }
}
