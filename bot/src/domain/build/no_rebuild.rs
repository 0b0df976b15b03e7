//! Why a build cannot be rebuilt.

use serde::{Deserialize, Serialize};

/// Why a request to rebuild starts nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoRebuild {
    /// The build is under way.
    UnderWay,
    /// The recipe is at fault, and the same commit has the same recipe.
    SameRecipe,
    /// Another build holds it. When that one succeeds, it goes on without help.
    Held,
    /// Nobody with write access vouches for its code; see [`crate::domain::trust::Trust`].
    Unapproved,
    /// A newer build took its place, or its recipe is gone.
    Superseded,
    /// There is a newer build of the recipe.
    #[serde(rename = "older")]
    HasNewer,
    /// Another recipe has its name.
    NameTaken,
    /// The branch is not the default branch any more.
    OldBranch,
    /// The pull request is closed.
    PullClosed,
    /// The App cannot see the repository any more.
    RepositoryGone,
}

impl NoRebuild {
    /// The reason in a sentence, for people.
    pub fn explain(self) -> &'static str {
        match self {
            Self::UnderWay => "The build is under way.",
            Self::SameRecipe => "The same commit would give the same result. Push a fix.",
            Self::Held => "The build starts by itself once the build that it needs succeeds.",
            Self::Unapproved => {
                "Nobody with write access vouches for the pull request, so summit runs nothing of \
                 it."
            }
            Self::Superseded => {
                "A newer build took its place, or the newest plan no longer includes it."
            }
            Self::HasNewer => "There is a newer build of the recipe.",
            Self::NameTaken => "Another recipe holds the name. Rename one of the two.",
            Self::OldBranch => {
                "Its branch is not the default branch any more, so nothing of it is published."
            }
            Self::PullClosed => "The pull request is closed.",
            Self::RepositoryGone => {
                "The repository is gone, or the App is not installed in it any more."
            }
        }
    }
}
