//! Composite keys.

use api::id::{Architecture, RecipeFolder, Sha256};

use crate::domain::build::{Plan, Target};
use crate::domain::name::RepositoryId;

/// The place of a recipe: builds of one place replace each other.
#[derive(Debug, Clone, Copy)]
pub struct RecipePlace<'a> {
    /// The repository.
    pub repository: RepositoryId,
    /// The branch or pull request.
    pub target: &'a Target,
    /// The profile.
    pub profile: &'a Architecture,
    /// The recipe's folder.
    pub folder: &'a RecipeFolder,
}

impl<'a> From<&'a Plan> for RecipePlace<'a> {
    fn from(plan: &'a Plan) -> Self {
        Self {
            repository: plan.repository,
            target: &plan.target,
            profile: &plan.profile,
            folder: &plan.folder,
        }
    }
}

/// The key of a place in `builds_by_recipe`. It has a digest, because a folder's path can be longer
/// than a key may be.
pub(super) fn recipe_key(place: RecipePlace<'_>) -> (u64, [u8; 32]) {
    let RecipePlace {
        repository,
        target,
        profile,
        folder,
    } = place;
    let text = format!("{}\n{profile}\n{folder}", target.git_ref());
    (repository.number(), *Sha256::of(text.as_bytes()).as_bytes())
}

/// The key of a target in `builds_by_target`, with a digest as in `recipe_key`.
pub(super) fn target_key(repository: RepositoryId, target: &Target) -> (u64, [u8; 32]) {
    let text = target.git_ref();
    (repository.number(), *Sha256::of(text.as_bytes()).as_bytes())
}

/// The key of a target in `planned` and `looks`.
pub fn look_key(repository: RepositoryId, target: &Target) -> (u64, String) {
    (repository.number(), target.git_ref())
}

/// The key of a recipe's claim, with a digest as in `recipe_key`.
pub fn claim_key(
    repository: RepositoryId,
    target: &Target,
    folder: &RecipeFolder,
) -> (u64, [u8; 32]) {
    let text = format!("{}\n{folder}", target.git_ref());
    (repository.number(), *Sha256::of(text.as_bytes()).as_bytes())
}
