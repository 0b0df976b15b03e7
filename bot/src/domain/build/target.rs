//! The scope and the target of a build.

use api::id::RecipeFolder;
use serde::{Deserialize, Serialize};

/// Whether a build is of one recipe or stands for a whole head.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "scope", rename_all = "kebab-case")]
pub enum Scope {
    /// A build of one recipe.
    #[default]
    Recipe,
    /// A placeholder for a whole head that is not planned, because the author may not write or too
    /// much changed. It is never built.
    All {
        /// How many recipes the head changes; 0 when summit did not count them.
        count: usize,
        /// The folders of some of them.
        named: Vec<RecipeFolder>,
    },
}

/// What a build or a look is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "target", rename_all = "kebab-case")]
pub enum Target {
    /// A branch.
    ///
    /// The target of a build is always the default branch, whose builds are published. The target
    /// of a look can be another branch: pull requests go to it, and the look only checks whether
    /// they still merge. It plans nothing.
    Branch {
        /// Its name, without `refs/heads/`.
        name: String,
    },
    /// A pull request: built, not published.
    Pull {
        /// Its number.
        number: u64,
    },
}

impl Target {
    /// The ref under which the head is found.
    pub fn git_ref(&self) -> String {
        match self {
            Self::Branch { name } => format!("refs/heads/{name}"),
            Self::Pull { number } => format!("refs/pull/{number}/head"),
        }
    }

    /// True when builds for this target are published in the channel.
    ///
    /// The answer holds for the target of a build or a plan: a branch there is the default branch.
    /// For the target of a look, compare the branch with the repository's default branch.
    pub fn is_published(&self) -> bool {
        match self {
            Self::Branch { .. } => true,
            Self::Pull { .. } => false,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Branch { name } => f.write_str(name),
            Self::Pull { number } => write!(f, "#{number}"),
        }
    }
}
