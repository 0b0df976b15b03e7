//! What builds are of, and what for.

use api::id::RecipeFolder;
use serde::{Deserialize, Serialize};

/// What a build is of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "scope", rename_all = "kebab-case")]
pub enum Scope {
    /// Of its recipe.
    #[default]
    Recipe,
    /// Of all recipes that its head changes. Nothing of them is run while it stands there.
    All {
        /// How many; 0 when they were not counted.
        count: usize,
        /// Where some of them lie.
        named: Vec<RecipeFolder>,
    },
}

/// What a build is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "target", rename_all = "kebab-case")]
pub enum Target {
    /// A branch that is published.
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

    /// True when successful builds go on into the channel.
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
