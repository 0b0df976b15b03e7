//! Why a person cannot have a build again.

use serde::{Deserialize, Serialize};

/// Why a build is not built again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotAgain {
    /// It is under way.
    UnderWay,
    /// The same commit would be read the same way.
    SameRecipe,
    /// It goes on by itself when what holds it does.
    Held,
    /// Nobody who may write stands for it.
    Unapproved,
    /// A newer build took its place, or its recipe is gone.
    Superseded,
    /// A newer build of the recipe is there.
    Older,
    /// Another recipe has its name.
    NameTaken,
    /// The pull request is closed.
    PullClosed,
    /// The App does not see the repository any more.
    RepositoryGone,
}

impl NotAgain {
    /// The reason in a sentence, for people.
    pub fn explain(self) -> &'static str {
        match self {
            Self::UnderWay => "The build is under way.",
            Self::SameRecipe => {
                "The same commit would be read the same way. Push a change of the recipe."
            }
            Self::Held => "The build goes on by itself as soon as what holds it does.",
            Self::Unapproved => {
                "The author of the pull request has no write access, so nothing of it is run."
            }
            Self::Superseded => "A newer build took its place, or its recipe is gone.",
            Self::Older => "There is a newer build of the recipe.",
            Self::NameTaken => "Another recipe has the name.",
            Self::PullClosed => "The pull request is closed.",
            Self::RepositoryGone => "The App is not installed in the repository.",
        }
    }
}
