//! What in a folder is taken for a recipe.

use git2::{ObjectType, Tree, TreeEntry};

/// The names of a recipe's file, the better one first.
const RECIPES: [&str; 2] = ["stone.yaml", "stone.yml"];

/// The largest recipe that is read, in bytes.
pub(super) const MAX_RECIPE: usize = 1 << 20;

/// Why something called like a recipe is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Too many bytes.
    #[error("it has {size} bytes, and at most {MAX_RECIPE} are read")]
    TooLarge {
        /// How many.
        size: usize,
    },
    /// It would lead out of the tree that identifies the build.
    #[error("it is a symbolic link, and a recipe is a plain file")]
    Link,
    /// Its content is elsewhere.
    #[error("it is a submodule, and a recipe is a plain file")]
    Submodule,
    /// A folder.
    #[error("it is a folder, and a recipe is a plain file")]
    Folder,
}

/// True when something in a folder is called like a recipe.
pub(super) fn has_recipe(tree: &Tree<'_>) -> bool {
    recipe_entry(tree).is_some()
}

/// The recipe of a folder: better one that can be read.
pub(super) fn recipe_entry<'t>(tree: &'t Tree<'_>) -> Option<(&'static str, TreeEntry<'t>)> {
    let found = || {
        let entries = RECIPES.into_iter();
        entries.filter_map(|name| Some((name, tree.get_name(name)?)))
    };
    found()
        .find(|(_, entry)| fits(entry).is_ok())
        .or_else(|| found().next())
}

pub(super) fn fits(entry: &TreeEntry<'_>) -> Result<(), Unfit> {
    match entry.kind() {
        Some(ObjectType::Blob) if entry.filemode() == 0o120_000 => Err(Unfit::Link),
        Some(ObjectType::Blob) => Ok(()),
        Some(ObjectType::Tree) => Err(Unfit::Folder),
        // A commit of another repository; git knows nothing else in a tree.
        _ => Err(Unfit::Submodule),
    }
}
