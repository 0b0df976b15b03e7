//! Finding the recipes of a tree that differ from another tree's.
//!
//! The `pkg` folder of a recipe has its patches and files, never recipes. Other folders below a
//! recipe can have recipes of their own. When such an inner recipe changes, the outer recipe's tree
//! changes too.

use std::collections::BTreeMap;

use api::id::{CommitSha, RecipeFolder, TreeSha};
use git2::{ObjectType, Oid, Tree};

use super::bounds::{Bounds, TooLarge};
use super::entry::has_recipe;
use super::mirror::{Error, Mirror, oid};
use super::odd::{self, Oddity};

/// How deep summit searches for recipes.
const MAX_DEPTH: usize = 32;

/// The largest tree or commit object that summit reads, in bytes. That is a folder with some
/// 300,000 names.
const MAX_OBJECT: usize = 16 << 20;

/// The folder of a recipe's patches and files.
const FILES: &[u8] = b"pkg";

/// A folder with a recipe.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecipeTree {
    /// The folder.
    pub folder: RecipeFolder,
    /// Its tree.
    pub tree: TreeSha,
    /// Why summit cannot build in this folder. If set, `folder` is a replacement for its path.
    pub oddity: Option<Oddity>,
}

/// The differences between the recipes of two trees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// New and changed recipes, sorted by folder.
    pub changed: Vec<RecipeTree>,
    /// The folders of removed recipes, sorted.
    pub removed: Vec<RecipeFolder>,
}

/// Why a walk through a tree was cut short.
pub(super) enum Cut {
    TooLarge(TooLarge),
    Failed(Error),
}

impl From<TooLarge> for Cut {
    fn from(too_large: TooLarge) -> Self {
        Self::TooLarge(too_large)
    }
}

impl From<Error> for Cut {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Mirror {
    /// The recipes that were added, changed or removed between `base` and `head`. Without a `base`,
    /// all recipes of `head` count as added.
    ///
    /// # Errors
    /// When an object is missing.
    pub fn changed_recipes(
        &self,
        base: Option<CommitSha>,
        head: CommitSha,
        bounds: Bounds,
    ) -> Result<Result<Changes, TooLarge>, Error> {
        let walk = || {
            let head = self.tree_of(head)?;
            let base = base.map(|base| self.tree_of(base)).transpose()?;
            let mut walk = Walk {
                mirror: self,
                bounds,
                entries: 0,
                changes: Changes::default(),
            };
            if base.as_ref().map(Tree::id) != Some(head.id()) {
                walk.compare(base.as_ref(), Some(&head), &mut Vec::new(), 0)?;
            }
            let mut changes = walk.changes;
            changes.changed.sort();
            changes.changed.dedup_by(|b, a| a.folder == b.folder);
            changes.removed.sort();
            Ok(changes)
        };
        match walk() {
            Ok(changes) => Ok(Ok(changes)),
            Err(Cut::TooLarge(too_large)) => Ok(Err(too_large)),
            Err(Cut::Failed(error)) => Err(error),
        }
    }

    /// The tree of a commit.
    pub(super) fn tree_of(&self, commit: CommitSha) -> Result<Tree<'_>, Cut> {
        let failed = |source| Error::Read {
            what: commit.to_string(),
            source,
        };
        self.bounded(oid(commit))?;
        let commit = self.git.find_commit(oid(commit)).map_err(failed)?;
        self.tree(commit.tree_id())
    }

    pub(super) fn tree(&self, id: Oid) -> Result<Tree<'_>, Cut> {
        self.bounded(id)?;
        let tree = self.git.find_tree(id).map_err(|source| Error::Read {
            what: id.to_string(),
            source,
        })?;
        Ok(tree)
    }

    fn bounded(&self, id: Oid) -> Result<(), Cut> {
        let size = self.size(id)?;
        if size > MAX_OBJECT {
            let limit = MAX_OBJECT;
            return Err(TooLarge::Folder { size, limit }.into());
        }
        Ok(())
    }

    /// The size of an object in bytes. This does not unpack the object.
    pub(super) fn size(&self, id: Oid) -> Result<usize, Error> {
        let header = self.git.odb().and_then(|odb| odb.read_header(id));
        match header {
            Ok((size, _)) => Ok(size),
            Err(source) => Err(Error::Read {
                what: id.to_string(),
                source,
            }),
        }
    }
}

/// The folder of one name in `base` and in `head`.
type Sides = (Option<Oid>, Option<Oid>);

/// Walks through two trees side by side and skips equal folders.
struct Walk<'m> {
    mirror: &'m Mirror,
    bounds: Bounds,
    entries: usize,
    changes: Changes,
}

impl Walk<'_> {
    fn compare(
        &mut self,
        base: Option<&Tree<'_>>,
        head: Option<&Tree<'_>>,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), Cut> {
        self.note(base, head, path);
        if depth == MAX_DEPTH {
            let path = String::from_utf8_lossy(path);
            tracing::warn!(%path, "skipped the folders below this one: more than {MAX_DEPTH} levels");
            return Ok(());
        }
        for (name, (before, after)) in self.differing_folders(base, head)? {
            let before = before.map(|id| self.mirror.tree(id)).transpose()?;
            let after = after.map(|id| self.mirror.tree(id)).transpose()?;
            let length = path.len();
            if length > 0 {
                path.push(b'/');
            }
            path.extend(&name);
            self.compare(before.as_ref(), after.as_ref(), path, depth + 1)?;
            path.truncate(length);
        }
        Ok(())
    }

    /// The folders that differ between the two sides and may have recipes.
    fn differing_folders(
        &mut self,
        base: Option<&Tree<'_>>,
        head: Option<&Tree<'_>>,
    ) -> Result<BTreeMap<Vec<u8>, Sides>, Cut> {
        let mut folders: BTreeMap<Vec<u8>, Sides> = BTreeMap::new();
        for entry in head.into_iter().flat_map(Tree::iter) {
            self.mirror.go_on()?;
            let name = entry.name_bytes();
            let after = find_folder(head, name);
            let before = base.and_then(|tree| tree.get_name_bytes(name));
            let is_same = before.is_some_and(|before| before.id() == entry.id());
            if !is_same {
                self.entries += 1;
                if self.entries > self.bounds.entries {
                    let limit = self.bounds.entries;
                    return Err(TooLarge::Entries { limit }.into());
                }
            }
            if after.is_some() && after != find_folder(base, name) {
                folders.entry(name.to_owned()).or_default().1 = after;
            }
        }
        for entry in base.into_iter().flat_map(Tree::iter) {
            self.mirror.go_on()?;
            let name = entry.name_bytes();
            let before = find_folder(base, name);
            if before.is_some() && before != find_folder(head, name) {
                folders.entry(name.to_owned()).or_default().0 = before;
            }
        }
        Ok(folders)
    }

    /// Records whether the recipe directly in this folder was changed or removed, if there is one.
    fn note(&mut self, base: Option<&Tree<'_>>, head: Option<&Tree<'_>>, path: &[u8]) {
        let after = head.filter(|tree| has_recipe(tree));
        if after.is_none() && !base.is_some_and(has_recipe) {
            return;
        }
        let (folder, oddity) = odd::folder(path);
        match after {
            Some(tree) => self.changes.changed.push(RecipeTree {
                folder,
                tree: tree_sha(tree.id()),
                oddity,
            }),
            None => self.changes.removed.push(folder),
        }
    }
}

/// The folder of this name in a tree; none when there is no such folder, or when it has the files
/// of the tree's recipe.
fn find_folder(tree: Option<&Tree<'_>>, name: &[u8]) -> Option<Oid> {
    let tree = tree?;
    let entry = tree.get_name_bytes(name)?;
    let is_searched =
        entry.kind() == Some(ObjectType::Tree) && !(name == FILES && has_recipe(tree));
    is_searched.then(|| entry.id())
}

fn tree_sha(oid: Oid) -> TreeSha {
    let mut bytes = [0; 20];
    bytes.copy_from_slice(oid.as_bytes());
    TreeSha::from_bytes(bytes)
}
