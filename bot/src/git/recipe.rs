//! Reading the files of one recipe.

use std::collections::BTreeMap;

use api::id::{CommitSha, RecipeFolder};
use git2::{ObjectType, Oid, Tree, TreeEntry};

use super::bounds::TooLarge;
use super::entry::{MAX_RECIPE, Unfit, fits, recipe_entry};
use super::mirror::{Error, Mirror};
use super::tree::Cut;

/// The largest manifest that summit reads, in bytes.
const MAX_MANIFEST: usize = 4 << 20;

/// How many manifests of a recipe summit reads. There is one for each profile.
const MAX_MANIFESTS: usize = 16;

/// The content of a recipe's folder, as far as summit reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipeFiles {
    /// The recipe's path from the top of the repository.
    pub path: String,
    /// The recipe's bytes, not yet checked to be UTF-8; or why it is not read.
    pub recipe: Result<Vec<u8>, Unfit>,
    /// The manifests of its last builds, `manifest.PROFILE.bin`, by profile.
    pub manifests: BTreeMap<String, ManifestId>,
}

/// The id of a manifest's git object: equal ids mean equal bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ManifestId(Oid);

impl Mirror {
    /// The files of the recipe in `folder` at `commit`; none when there is no recipe.
    ///
    /// # Errors
    /// When an object is missing.
    pub fn find_recipe(
        &self,
        commit: CommitSha,
        folder: &RecipeFolder,
    ) -> Result<Option<RecipeFiles>, Error> {
        self.go_on()?;
        let top = self.tree_of(commit).map_err(|cut| within(cut, folder))?;
        let tree = match folder.as_str() {
            "." => Some(top),
            path => {
                let entry = top.get_path(std::path::Path::new(path)).ok();
                let entry = entry.filter(|entry| entry.kind() == Some(ObjectType::Tree));
                let tree = entry.map(|entry| self.tree(entry.id()));
                tree.transpose().map_err(|cut| within(cut, folder))?
            }
        };
        let Some(tree) = tree else {
            return Ok(None);
        };
        let Some((name, entry)) = recipe_entry(&tree) else {
            return Ok(None);
        };
        let path = match folder.as_str() {
            "." => name.to_owned(),
            folder => format!("{folder}/{name}"),
        };
        Ok(Some(RecipeFiles {
            path,
            recipe: self.read_recipe(&entry)?,
            manifests: self.manifests(&tree, folder)?,
        }))
    }

    /// The bytes of a manifest.
    ///
    /// # Errors
    /// When the object is missing.
    pub fn read_manifest(&self, manifest: ManifestId) -> Result<Vec<u8>, Error> {
        self.go_on()?;
        self.content(manifest.0)
    }

    fn read_recipe(&self, entry: &TreeEntry<'_>) -> Result<Result<Vec<u8>, Unfit>, Error> {
        if let Err(unfit) = fits(entry) {
            return Ok(Err(unfit));
        }
        match self.size(entry.id())? {
            size if size > MAX_RECIPE => Ok(Err(Unfit::TooLarge { size })),
            _ => Ok(Ok(self.content(entry.id())?)),
        }
    }

    /// The manifests in a recipe's folder. They only improve the order of builds, so large or
    /// surplus ones can be skipped.
    fn manifests(
        &self,
        tree: &Tree<'_>,
        folder: &RecipeFolder,
    ) -> Result<BTreeMap<String, ManifestId>, Error> {
        let mut manifests = BTreeMap::new();
        for entry in tree {
            let name = String::from_utf8_lossy(entry.name_bytes());
            let profile = name
                .strip_prefix("manifest.")
                .and_then(|rest| rest.strip_suffix(".bin"));
            let Some(profile) = profile.filter(|_| fits(&entry).is_ok()) else {
                continue;
            };
            if manifests.len() == MAX_MANIFESTS {
                tracing::warn!(%folder, "skipped all manifests after the first {MAX_MANIFESTS}");
                break;
            }
            let size = self.size(entry.id())?;
            if size > MAX_MANIFEST {
                tracing::warn!(%folder, %name, size, "skipped a manifest that is too large");
                continue;
            }
            manifests.insert(profile.to_owned(), ManifestId(entry.id()));
        }
        Ok(manifests)
    }

    fn content(&self, id: Oid) -> Result<Vec<u8>, Error> {
        match self.git.find_blob(id) {
            Ok(blob) => Ok(blob.content().to_vec()),
            Err(source) => Err(Error::Read {
                what: id.to_string(),
                source,
            }),
        }
    }
}

/// Turns a folder that is too large into an error. The comparison that found the recipe has read
/// these folders already, so their size cannot be an expected outcome here.
fn within(cut: Cut, folder: &RecipeFolder) -> Error {
    match cut {
        Cut::Failed(error) => error,
        Cut::TooLarge(too_large) => too_large_at(too_large, folder),
    }
}

fn too_large_at(too_large: TooLarge, folder: &RecipeFolder) -> Error {
    Error::Read {
        what: folder.to_string(),
        source: git2::Error::from_str(&too_large.to_string()),
    }
}
