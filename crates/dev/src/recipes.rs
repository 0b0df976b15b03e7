//! The recipes that are pushed: the samples, or those of a folder.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// The names that a recipe's file may have.
const RECIPE_FILES: [&str; 2] = ["stone.yaml", "stone.yml"];

/// Where a recipe keeps its patches and files, none of which is a recipe.
const FILES: &str = "pkg";

/// A file of a recipe's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path in the folder, with `/` between the parts.
    pub path: String,
    /// Its bytes.
    pub content: Cow<'static, [u8]>,
}

/// A recipe's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// Where it lies in the repository; its last part is the recipe's name.
    pub folder: String,
    /// What is in it.
    pub files: Vec<File>,
}

impl Recipe {
    /// The file that says how it is built.
    pub fn definition(&self) -> Option<&File> {
        let mut files = self.files.iter();
        files.find(|file| RECIPE_FILES.contains(&file.path.as_str()))
    }

    /// The name by which a person picks it.
    pub fn name(&self) -> &str {
        self.folder.rsplit('/').next().unwrap_or(&self.folder)
    }
}

/// Recipes, sorted by folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipes(Vec<Recipe>);

/// Recipes that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder cannot be searched.
    #[error("cannot search {} for recipes", folder.display())]
    Search {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A name cannot stand in a repository.
    #[error("{0:?} is not UTF-8")]
    Name(PathBuf),
    /// The folder has none.
    #[error("{} holds no recipe: no folder in it has a stone.yaml", .0.display())]
    None(PathBuf),
    /// Names were asked for that no recipe has.
    #[error(
        "there is no recipe {}; there are: {}",
        quoted(.asked),
        known.join(", ")
    )]
    Unknown {
        /// Those that are not there.
        asked: Vec<String>,
        /// Those that are.
        known: Vec<String>,
    },
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// The folder that stood in the way, and why, without saying either twice.
fn search(folder: &Path, error: walkdir::Error) -> Error {
    Error::Search {
        folder: error.path().unwrap_or(folder).to_owned(),
        source: match error.into_io_error() {
            Some(error) => error,
            None => io::Error::other("a link leads back to a folder above it"),
        },
    }
}

impl Recipes {
    /// These recipes.
    pub fn new(mut recipes: Vec<Recipe>) -> Self {
        recipes.sort_by(|a, b| a.folder.cmp(&b.folder));
        Self(recipes)
    }

    /// The recipes in `folder`, at any depth, as summit finds them: a recipe can lie below another
    /// one's folder, but not in its `pkg`.
    ///
    /// # Errors
    /// When something cannot be read, or no recipe is there.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let mut recipes = Vec::new();
        let mut walk = WalkDir::new(folder).min_depth(1).into_iter();
        while let Some(entry) = walk.next() {
            let entry = entry.map_err(|error| search(folder, error))?;
            if !entry.file_type().is_dir() {
                continue;
            }
            if entry.file_name() == ".git" {
                walk.skip_current_dir();
                continue;
            }
            let is_own = entry.path().parent().is_some_and(has_recipe);
            if entry.file_name() == FILES && is_own {
                walk.skip_current_dir();
                continue;
            }
            if has_recipe(entry.path()) {
                recipes.push(Recipe {
                    folder: relative(entry.path(), folder)?,
                    files: files(entry.path())?,
                });
            }
        }
        if recipes.is_empty() {
            return Err(Error::None(folder.to_owned()));
        }
        Ok(Self::new(recipes))
    }

    /// Only the recipes with these names; all, when no name is given.
    ///
    /// # Errors
    /// When a name is no recipe's.
    pub fn only(mut self, names: &[String]) -> Result<Self, Error> {
        if names.is_empty() {
            return Ok(self);
        }
        let known: Vec<String> = self
            .0
            .iter()
            .map(|recipe| recipe.name().to_owned())
            .collect();
        let asked: Vec<String> = names
            .iter()
            .filter(|name| !known.contains(name))
            .cloned()
            .collect();
        if !asked.is_empty() {
            return Err(Error::Unknown { asked, known });
        }
        self.0
            .retain(|recipe| names.iter().any(|name| name == recipe.name()));
        Ok(self)
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &Recipe> {
        self.0.iter()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Writes them below `folder`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        for recipe in &self.0 {
            for file in &recipe.files {
                let path = folder.join(&recipe.folder).join(&file.path);
                let parent = path.parent().unwrap_or(folder);
                std::fs::create_dir_all(parent)
                    .and_then(|()| std::fs::write(&path, &file.content))
                    .map_err(|source| Error::File { path, source })?;
            }
        }
        Ok(())
    }
}

/// How many recipes a repository with the files `paths` has, as summit finds them.
pub fn count_among<'a>(paths: impl Iterator<Item = &'a str>) -> usize {
    let folders: BTreeSet<&str> = paths
        .filter_map(|path| path.rsplit_once('/'))
        .filter(|(_, file)| RECIPE_FILES.contains(file))
        .map(|(folder, _)| folder)
        .collect();
    let is_file_of_another = |folder: &str| {
        let own = format!("/{FILES}/");
        let within = format!("{folder}/");
        within
            .match_indices(&own)
            .any(|(at, _)| folders.contains(&within[..at]))
    };
    let own = folders.iter().filter(|folder| !is_file_of_another(folder));
    own.count()
}

fn has_recipe(folder: &Path) -> bool {
    RECIPE_FILES.iter().any(|name| folder.join(name).is_file())
}

/// The files of a recipe; those of recipes below it are theirs.
fn files(folder: &Path) -> Result<Vec<File>, Error> {
    let mut files = Vec::new();
    let own = folder.join(FILES);
    let walk = WalkDir::new(folder).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(|entry| {
        let path = entry.path();
        let is_another = entry.depth() > 0 && !path.starts_with(&own) && has_recipe(path);
        !is_another
    }) {
        let entry = entry.map_err(|error| search(folder, error))?;
        if entry.file_type().is_dir() {
            continue;
        }
        // A link is taken as what it leads to: the repository must stand on its own.
        let content = std::fs::read(entry.path()).map_err(|source| Error::File {
            path: entry.path().to_owned(),
            source,
        })?;
        files.push(File {
            path: relative(entry.path(), folder)?,
            content: content.into(),
        });
    }
    Ok(files)
}

fn relative(path: &Path, folder: &Path) -> Result<String, Error> {
    let below = path.strip_prefix(folder).unwrap_or(path);
    match below.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(Error::Name(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_searched_at_any_depth_and_written_the_same() {
        let from = tempfile::tempdir().unwrap();
        for (path, content) in [
            ("n/nano/stone.yaml", "name: nano"),
            ("n/nano/pkg/fix.patch", "-+"),
            ("n/nano/pkg/inner/stone.yaml", "not a recipe of its own"),
            ("n/nano/extra/syntax/stone.yaml", "name: nano-syntax"),
            ("n/nano/extra/readme", "nano's"),
            ("pkg/tool/stone.yaml", "name: tool"),
            ("old/stone.yml", "name: old"),
            ("notes/readme", "no recipe"),
            (".git/stone.yaml", "git's own"),
        ] {
            let path = from.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let recipes = Recipes::read(from.path()).unwrap();
        let found: Vec<_> = recipes.iter().map(|r| (r.name(), r.files.len())).collect();
        assert_eq!(found, [("nano", 4), ("syntax", 1), ("old", 1), ("tool", 1)]);

        let to = tempfile::tempdir().unwrap();
        recipes.write(to.path()).unwrap();
        assert_eq!(Recipes::read(to.path()).unwrap(), recipes);
    }

    #[test]
    fn recipes_are_counted_as_they_are_found() {
        let paths = [
            "n/nano/stone.yaml",
            "n/nano/stone.yml",
            "n/nano/pkg/inner/stone.yaml",
            "n/nano/extra/syntax/stone.yaml",
            "pkg/tool/stone.yaml",
            "notes/readme",
            "stone.yaml.orig",
            "",
        ];
        assert_eq!(count_among(paths.into_iter()), 3);
    }

    #[test]
    fn names_pick_recipes_and_unknown_ones_are_told() {
        let recipes = crate::examples::recipes();
        let picked = recipes.clone().only(&["sneksay".to_owned()]).unwrap();
        assert_eq!(
            picked.iter().map(Recipe::name).collect::<Vec<_>>(),
            ["sneksay"]
        );
        assert_eq!(recipes.clone().only(&[]).unwrap(), recipes);
        let error = recipes
            .only(&["sneksay".to_owned(), "python".to_owned()])
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no recipe `python`; there are: snekcoil, sneksay"
        );
    }

    #[test]
    fn a_folder_without_recipes_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let error = Recipes::read(folder.path()).unwrap_err();
        assert!(matches!(error, Error::None(_)), "{error}");
        let error = Recipes::read(&folder.path().join("missing")).unwrap_err();
        let chain = service::error::Chain(&error).to_string();
        let wanted = format!(
            "cannot search {} for recipes: No such file or directory (os error 2)",
            folder.path().join("missing").display()
        );
        assert_eq!(chain, wanted);
    }
}
