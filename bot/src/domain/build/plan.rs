//! The part of a build that never changes.

use api::id::{Architecture, CommitSha, RecipeFolder, RecipeName, TreeSha};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Annotation, Scope, Target};
use crate::domain::name::RepositoryId;
use crate::domain::trust::Trust;

/// What to build: a recipe at a head, for a target and a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The repository that holds the recipe.
    pub repository: RepositoryId,
    /// The branch or pull request.
    pub target: Target,
    /// The profile; clients call it `arch`.
    pub profile: Architecture,
    /// The head that was planned. The check run belongs to this commit.
    pub commit: CommitSha,
    /// Where the recipe lies.
    pub folder: RecipeFolder,
    /// The tree of that folder: the exact input of the build.
    pub tree: TreeSha,
    /// The recipe's name; the folder's name when the recipe cannot be read.
    pub recipe: RecipeName,
    /// The name of its check run; none when the folder and the recipe's name determine it.
    #[serde(default)]
    pub check: Option<String>,
    /// When it has a check run of its own.
    #[serde(default)]
    pub own_run: OwnRun,
    /// Whether it builds this recipe or stands for a whole head.
    #[serde(default)]
    pub scope: Scope,
    /// The recipe's version, exactly as written.
    pub version: String,
    /// The recipe's release.
    pub release: u64,
    /// Build and check dependencies, as text.
    pub needs: Vec<String>,
    /// Further dependencies of the recipe's last build, from its manifest, as text. They only
    /// influence the order, because the recipe may not need them any more.
    #[serde(default)]
    pub hints: Vec<String>,
    /// What it probably provides, as text: its package names, and all that its last manifest
    /// provides.
    pub provides: Vec<String>,
    /// The author time of the head, in Unix seconds.
    pub source_date_epoch: i64,
    /// When it was planned.
    pub created_at: Timestamp,
    /// Warnings from reading the recipe.
    pub warnings: Vec<Annotation>,
    /// Who vouches for its code.
    pub trust: Trust,
    /// The login of the person who asked for this build; none when a push or a pull request caused
    /// it.
    #[serde(default)]
    pub asked_by: Option<String>,
}

/// When a build has a check run of its own, beside that of its head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OwnRun {
    /// From the beginning.
    #[default]
    Always,
    /// Once it fails: its plan has so many recipes that nobody would read a check run of each.
    OnFailure,
}

impl Plan {
    /// The profile, when the build was planned for more than one: then people need to see it.
    pub fn find_told_profile(&self) -> Option<&Architecture> {
        let check = self.check.as_ref()?;
        let end = format!(" ({})", self.profile);
        check.ends_with(&end).then_some(&self.profile)
    }

    /// True when somebody vouches for the code, so that it may run; see [`Trust`].
    pub fn permits_running(&self) -> bool {
        self.trust.find_stranger().is_none()
    }
}
