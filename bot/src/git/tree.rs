//! Which recipes a tree holds, and which of them differ from another tree's.

use std::collections::BTreeSet;

use api::id::{CommitSha, RecipeFolder, TreeSha};
use git2::{ObjectType, Oid, Tree};

use super::mirror::{Error, Mirror, oid};

/// The names of a recipe's file, the better one first.
const RECIPES: [&str; 2] = ["stone.yaml", "stone.yml"];

/// Folders are not searched deeper than this.
const MAX_DEPTH: usize = 32;

/// A recipe's largest file that is read, in bytes.
const MAX_FILE: usize = 8 << 20;

/// How many manifests of a recipe are read: one for each architecture.
const MAX_MANIFESTS: usize = 16;

/// A folder with a recipe.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecipeTree {
    /// The folder.
    pub folder: RecipeFolder,
    /// Its tree.
    pub tree: TreeSha,
}

/// What is read of a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipeFiles {
    /// The recipe's path from the top of the repository.
    pub path: String,
    /// The recipe; not yet known to be UTF-8.
    pub recipe: Result<Vec<u8>, TooLarge>,
    /// The manifests of its last builds.
    pub manifests: Vec<Vec<u8>>,
}

/// A file that is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has {size} bytes, and at most {MAX_FILE} are read")]
pub struct TooLarge {
    size: usize,
}

/// How the recipes of one tree differ from another's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// New and changed ones, sorted by folder.
    pub changed: Vec<RecipeTree>,
    /// The folders of those that are no more, sorted.
    pub removed: Vec<RecipeFolder>,
}

impl Mirror {
    /// The recipes of `head` whose tree is not the same in `base`, and those that only `base` has;
    /// without a `base` all of them.
    ///
    /// # Errors
    /// When an object is missing.
    pub fn changed_recipes(
        &self,
        base: Option<CommitSha>,
        head: CommitSha,
    ) -> Result<Changes, Error> {
        let head = self.tree_of(head)?;
        let base = base.map(|base| self.tree_of(base)).transpose()?;
        let mut changes = Changes::default();
        self.walk(base.as_ref(), Some(&head), "", 0, &mut changes)?;
        changes.changed.sort();
        changes.removed.sort();
        Ok(changes)
    }

    /// The files of the recipe in `folder` at `commit`; none when there is none.
    ///
    /// # Errors
    /// When an object is missing.
    pub fn find_recipe(
        &self,
        commit: CommitSha,
        folder: &RecipeFolder,
    ) -> Result<Option<RecipeFiles>, Error> {
        let mut tree = self.tree_of(commit)?;
        if folder.as_str() != "." {
            let path = std::path::Path::new(folder.as_str());
            let Ok(entry) = tree.get_path(path) else {
                return Ok(None);
            };
            tree = match self.git.find_tree(entry.id()) {
                Ok(tree) => tree,
                Err(_) => return Ok(None),
            };
        }
        let Some(name) = recipe_name(&tree) else {
            return Ok(None);
        };
        let recipe = self.blob(&tree, name)?;
        let mut manifests = Vec::new();
        for entry in &tree {
            let Some(name) = entry.name().ok() else {
                continue;
            };
            let is_manifest = name.starts_with("manifest.") && name.ends_with(".bin");
            if !is_manifest || entry.kind() != Some(ObjectType::Blob) {
                continue;
            }
            if manifests.len() == MAX_MANIFESTS {
                tracing::warn!(%folder, "only {MAX_MANIFESTS} manifests are read");
                break;
            }
            // They only help to order, so that a recipe can do without.
            match self.blob(&tree, name)? {
                Ok(manifest) => manifests.push(manifest),
                Err(error) => tracing::warn!(%folder, name, %error, "a manifest is passed over"),
            }
        }
        let path = match folder.as_str() {
            "." => name.to_owned(),
            folder => format!("{folder}/{name}"),
        };
        Ok(Some(RecipeFiles {
            path,
            recipe,
            manifests,
        }))
    }

    fn tree_of(&self, commit: CommitSha) -> Result<Tree<'_>, Error> {
        self.git
            .find_commit(oid(commit))
            .and_then(|commit| commit.tree())
            .map_err(|source| Error::Read {
                what: commit.to_string(),
                source,
            })
    }

    fn blob(&self, tree: &Tree<'_>, name: &str) -> Result<Result<Vec<u8>, TooLarge>, Error> {
        let failed = |source| Error::Read {
            what: name.to_owned(),
            source,
        };
        let entry = tree
            .get_name(name)
            .ok_or_else(|| failed(git2::Error::from_str("the file is gone")))?;
        let blob = self.git.find_blob(entry.id()).map_err(failed)?;
        let size = blob.size();
        if size > MAX_FILE {
            return Ok(Err(TooLarge { size }));
        }
        Ok(Ok(blob.content().to_vec()))
    }

    /// Walks two trees side by side and goes only where they differ.
    fn walk(
        &self,
        base: Option<&Tree<'_>>,
        head: Option<&Tree<'_>>,
        path: &str,
        depth: usize,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        if base.map(Tree::id) == head.map(Tree::id) {
            return Ok(());
        }
        Self::note(base, head, path, changes);
        if depth == MAX_DEPTH {
            tracing::warn!(path, "folders deeper than {MAX_DEPTH} are not searched");
            return Ok(());
        }
        let mut names = folders(head);
        names.extend(folders(base));
        for name in names {
            let (before, after) = (find_folder(base, &name), find_folder(head, &name));
            if before == after {
                continue;
            }
            let before = before.map(|id| self.tree(id)).transpose()?;
            let after = after.map(|id| self.tree(id)).transpose()?;
            let below = if path.is_empty() {
                name
            } else {
                format!("{path}/{name}")
            };
            self.walk(before.as_ref(), after.as_ref(), &below, depth + 1, changes)?;
        }
        Ok(())
    }

    /// Writes down what became of the recipe that lies directly in a folder, if there is one.
    fn note(base: Option<&Tree<'_>>, head: Option<&Tree<'_>>, path: &str, changes: &mut Changes) {
        let is_recipe = |tree: &&Tree<'_>| recipe_name(tree).is_some();
        let (before, after) = (base.filter(is_recipe), head.filter(is_recipe));
        if before.is_none() && after.is_none() {
            return;
        }
        let folder = if path.is_empty() { "." } else { path };
        let folder: RecipeFolder = match folder.parse() {
            Ok(folder) => folder,
            Err(error) => {
                tracing::warn!(%error, "a recipe's folder is passed over");
                return;
            }
        };
        match after {
            Some(tree) => changes.changed.push(RecipeTree {
                folder,
                tree: tree_sha(tree.id()),
            }),
            None => changes.removed.push(folder),
        }
    }

    fn tree(&self, id: Oid) -> Result<Tree<'_>, Error> {
        self.git.find_tree(id).map_err(|source| Error::Read {
            what: id.to_string(),
            source,
        })
    }
}

/// The folder of this name in a tree; none when there is none, or it is something else.
fn find_folder(tree: Option<&Tree<'_>>, name: &str) -> Option<Oid> {
    let entry = tree?.get_name(name)?;
    (entry.kind() == Some(ObjectType::Tree)).then(|| entry.id())
}

/// The names of a tree's folders.
fn folders(tree: Option<&Tree<'_>>) -> BTreeSet<String> {
    let entries = tree.into_iter().flat_map(Tree::iter);
    entries
        .filter(|entry| entry.kind() == Some(ObjectType::Tree))
        .filter_map(|entry| entry.name().ok().map(str::to_owned))
        .collect()
}

/// The name of the recipe's file in a tree.
fn recipe_name(tree: &Tree<'_>) -> Option<&'static str> {
    RECIPES.into_iter().find(|name| {
        tree.get_name(name).is_some_and(|entry| {
            // A link must not lead out of the tree that identifies the build.
            entry.kind() == Some(ObjectType::Blob) && entry.filemode() != 0o120_000
        })
    })
}

fn tree_sha(oid: Oid) -> TreeSha {
    let mut bytes = [0; 20];
    bytes.copy_from_slice(oid.as_bytes());
    TreeSha::from_bytes(bytes)
}
