//! What was planned of a build. It never changes.

use api::id::{Architecture, CommitSha, RecipeFolder, RecipeName, TreeSha};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Annotation, Scope, Target};
use crate::domain::name::RepositoryId;
use crate::domain::trust::Trust;

/// A recipe to be built, at a head, for a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The repository that holds the recipe.
    pub repository: RepositoryId,
    /// What it is built for.
    pub target: Target,
    /// For which profile: the name that clients know as `arch`.
    pub profile: Architecture,
    /// The head that was planned; its check runs hang there.
    pub commit: CommitSha,
    /// Where the recipe lies.
    pub folder: RecipeFolder,
    /// The tree of that folder: what is really built.
    pub tree: TreeSha,
    /// The recipe's name; for a recipe that cannot be read, its folder's.
    pub recipe: RecipeName,
    /// The name of its check run; none where it follows from folder and recipe alone.
    #[serde(default)]
    pub check: Option<String>,
    /// Whether it is of that recipe.
    #[serde(default)]
    pub scope: Scope,
    /// The recipe's version, exact text.
    pub version: String,
    /// The recipe's release.
    pub release: u64,
    /// Build and check dependencies, as text.
    pub needs: Vec<String>,
    /// What its last build needed beside, by its manifest, as text. It orders and nothing more:
    /// the recipe may not ask for it any longer.
    #[serde(default)]
    pub hints: Vec<String>,
    /// What it will provide, as text: package names, and what its last manifest provides.
    pub provides: Vec<String>,
    /// The author time of the commit, recorded once.
    pub source_date_epoch: i64,
    /// When it was planned.
    pub created_at: Timestamp,
    /// What the recipe's reader noted beside errors.
    pub warnings: Vec<Annotation>,
    /// On whose word it may be run.
    #[serde(default)]
    pub trust: Trust,
    /// The login of the person who asked for it; none for what a push or a pull request brought.
    #[serde(default)]
    pub asked_by: Option<String>,
}

impl Plan {
    /// The profile, when there were others as it was planned, so that people have to tell them apart.
    pub fn find_told_profile(&self) -> Option<&Architecture> {
        let check = self.check.as_ref()?;
        let end = format!(" ({})", self.profile);
        check.ends_with(&end).then_some(&self.profile)
    }

    /// True when what was planned may be run; see [`Trust`].
    pub fn permits_running(&self) -> bool {
        self.trust.find_stranger().is_none()
    }
}
