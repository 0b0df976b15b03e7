//! Finding the recipe's file in a folder.

use git2::{ObjectType, Tree, TreeEntry};

/// The names of a recipe's file, the preferred one first.
const RECIPES: [&str; 2] = ["stone.yaml", "stone.yml"];

/// The largest recipe that summit reads, in bytes.
pub(super) const MAX_RECIPE: usize = 1 << 20;

/// Why an entry with a recipe's name is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The file is too large.
    #[error("it has {size} bytes, and at most {MAX_RECIPE} are read")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
    /// A symbolic link. It could point out of the tree that identifies the build.
    #[error("it is a symbolic link, and a recipe is a plain file")]
    Link,
    /// A submodule. Its content is in another repository.
    #[error("it is a submodule, and a recipe is a plain file")]
    Submodule,
    /// A folder.
    #[error("it is a folder, and a recipe is a plain file")]
    Folder,
}

/// True when a folder has an entry with a recipe's name.
pub(super) fn has_recipe(tree: &Tree<'_>) -> bool {
    recipe_entry(tree).is_some()
}

/// The recipe of a folder. An entry that can be read is preferred.
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
        // The only other kind of entry in a tree is a commit of another repository.
        _ => Err(Unfit::Submodule),
    }
}
