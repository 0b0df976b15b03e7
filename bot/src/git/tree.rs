//! Which recipes a tree holds, and which of them differ from another tree's.

use api::id::{CommitSha, RecipeFolder, TreeSha};
use git2::{ObjectType, Oid, Tree};

use super::mirror::{Error, Mirror, oid};

/// The names of a recipe's file, the better one first.
const RECIPES: [&str; 2] = ["stone.yaml", "stone.yml"];

/// Folders are not searched deeper than this.
const MAX_DEPTH: usize = 32;

/// A recipe's largest file that is read, in bytes.
const MAX_FILE: usize = 8 << 20;

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
    pub recipe: Vec<u8>,
    /// The manifests of its last builds.
    pub manifests: Vec<Vec<u8>>,
}

impl Mirror {
    /// The recipes of `head` whose tree is not the same in `base`; all of them without a `base`.
    /// Sorted by folder.
    ///
    /// # Errors
    /// When an object is missing.
    pub fn changed_recipes(
        &self,
        base: Option<CommitSha>,
        head: CommitSha,
    ) -> Result<Vec<RecipeTree>, Error> {
        let head = self.tree_of(head)?;
        let base = base.map(|base| self.tree_of(base)).transpose()?;
        let mut found = Vec::new();
        self.walk(base.as_ref(), &head, "", 0, &mut found)?;
        found.sort();
        Ok(found)
    }

    /// The files of the recipe in `folder` at `commit`; none when there is none.
    ///
    /// # Errors
    /// When an object is missing or too large.
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
            if name.starts_with("manifest.") && name.ends_with(".bin") {
                manifests.push(self.blob(&tree, name)?);
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

    fn blob(&self, tree: &Tree<'_>, name: &str) -> Result<Vec<u8>, Error> {
        let failed = |source| Error::Read {
            what: name.to_owned(),
            source,
        };
        let entry = tree
            .get_name(name)
            .ok_or_else(|| failed(git2::Error::from_str("the file is gone")))?;
        let blob = self.git.find_blob(entry.id()).map_err(failed)?;
        if blob.size() > MAX_FILE {
            return Err(failed(git2::Error::from_str(
                "the file is larger than 8 MiB",
            )));
        }
        Ok(blob.content().to_vec())
    }

    /// Walks two trees side by side and goes only where they differ.
    fn walk(
        &self,
        base: Option<&Tree<'_>>,
        head: &Tree<'_>,
        path: &str,
        depth: usize,
        found: &mut Vec<RecipeTree>,
    ) -> Result<(), Error> {
        if base.is_some_and(|base| base.id() == head.id()) {
            return Ok(());
        }
        if recipe_name(head).is_some() {
            let folder = if path.is_empty() { "." } else { path };
            match folder.parse() {
                Ok(folder) => found.push(RecipeTree {
                    folder,
                    tree: tree_sha(head.id()),
                }),
                Err(error) => tracing::warn!(%error, "a recipe's folder is passed over"),
            }
        }
        if depth == MAX_DEPTH {
            tracing::warn!(path, "folders deeper than {MAX_DEPTH} are not searched");
            return Ok(());
        }
        for entry in head {
            let (Some(ObjectType::Tree), Ok(name)) = (entry.kind(), entry.name()) else {
                continue;
            };
            let before = base
                .and_then(|base| base.get_name(name))
                .and_then(|before| self.git.find_tree(before.id()).ok());
            if before
                .as_ref()
                .is_some_and(|before| before.id() == entry.id())
            {
                continue;
            }
            let tree = self
                .git
                .find_tree(entry.id())
                .map_err(|source| Error::Read {
                    what: entry.id().to_string(),
                    source,
                })?;
            let below = if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}/{name}")
            };
            self.walk(before.as_ref(), &tree, &below, depth + 1, found)?;
        }
        Ok(())
    }
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
