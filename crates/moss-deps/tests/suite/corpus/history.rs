//! The recipes of the corpus bundle as its commits changed them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::path::Path;

use moss_format::recipe::{FILE_NAMES, Recipe};
use moss_format::{Dependency, Manifest};

const MANIFEST: &str = "manifest.x86_64.bin";
/// The object that is none: what git names where a file is not there.
const NONE: &str = "0000000000000000000000000000000000000000";

/// The main line of the bundle, the oldest commit first.
pub(crate) struct History {
    commits: Vec<Vec<Changed>>,
    recipes: HashMap<String, Recipe>,
    manifests: HashMap<String, Manifest>,
}

/// A file that a commit changed.
struct Changed {
    folder: String,
    name: String,
    object: String,
}

/// The recipes at one commit.
#[derive(Default)]
pub(crate) struct State {
    folders: BTreeMap<String, Folder>,
}

#[derive(Default)]
struct Folder {
    /// By its possible names; the first that is there counts.
    recipes: [Option<String>; FILE_NAMES.len()],
    manifest: Option<String>,
}

/// A recipe and what it provided when it was built; some never were.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'history> {
    pub(crate) recipe: &'history Recipe,
    pub(crate) manifest: Option<&'history Manifest>,
}

impl History {
    /// None where there is no corpus.
    pub(crate) fn read() -> Option<Self> {
        let bundle = testbed::corpus::find()?.join("recipes-2025.bundle");
        let folder = tempfile::tempdir().unwrap();
        let cloned = testbed::git()
            .args(["-c", "init.defaultBranch=main"])
            .args(["clone", "--quiet", "--bare", "--branch", "main"])
            .args([&bundle, folder.path()])
            .status()
            .unwrap();
        assert!(cloned.success(), "cannot clone {}", bundle.display());
        let log = git(
            folder.path(),
            &[
                "log",
                "--first-parent",
                "--diff-merges=first-parent",
                "--reverse",
                "--raw",
                "--no-abbrev",
                "--no-renames",
                "--format=tformat:commit",
                "main",
            ],
        );
        let commits = commits(&String::from_utf8(log).unwrap());
        let objects: BTreeSet<_> = commits.iter().flatten().map(|file| &file.object).collect();
        let contents = contents(folder.path(), &objects);
        let mut history = Self {
            commits: Vec::new(),
            recipes: HashMap::new(),
            manifests: HashMap::new(),
        };
        for file in commits.iter().flatten() {
            let (object, bytes) = (&file.object, contents.get(&file.object));
            if FILE_NAMES.contains(&file.name.as_str()) {
                // One recipe of the history cannot be read.
                let text = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok());
                if let Some((recipe, _)) = text.and_then(|text| Recipe::parse(text).ok()) {
                    history.recipes.insert(object.clone(), recipe);
                }
            } else if let Some(bytes) = bytes {
                history
                    .manifests
                    .insert(object.clone(), Manifest::decode(bytes).unwrap());
            }
        }
        history.commits = commits;
        Some(history)
    }

    pub(crate) fn commits(&self) -> usize {
        self.commits.len()
    }

    /// Goes on by a commit; returns the folders that it changed.
    pub(crate) fn step<'history>(
        &'history self,
        state: &mut State,
        commit: usize,
    ) -> BTreeSet<&'history str> {
        let files = &self.commits[commit];
        for file in files {
            let object = Some(file.object.clone()).filter(|object| object != NONE);
            let folder = state.folders.entry(file.folder.clone()).or_default();
            match FILE_NAMES.iter().position(|name| *name == file.name) {
                Some(position) => folder.recipes[position] = object,
                None => folder.manifest = object,
            }
        }
        files.iter().map(|file| file.folder.as_str()).collect()
    }

    /// The recipe in a folder, if there is one that can be read.
    pub(crate) fn entry(&self, state: &State, folder: &str) -> Option<Entry<'_>> {
        let folder = state.folders.get(folder)?;
        let object = folder.recipes.iter().flatten().next()?;
        let recipe = self.recipes.get(object)?;
        let manifest = folder
            .manifest
            .as_ref()
            .map(|object| &self.manifests[object]);
        Some(Entry { recipe, manifest })
    }

    /// All recipes.
    pub(crate) fn entries(&self, state: &State) -> BTreeMap<String, Entry<'_>> {
        let folders = state.folders.keys();
        folders
            .filter_map(|folder| Some((folder.clone(), self.entry(state, folder)?)))
            .collect()
    }

    /// The recipes at the tip that were built.
    pub(crate) fn tip(&self) -> BTreeMap<String, Entry<'_>> {
        let mut state = State::default();
        for commit in 0..self.commits() {
            self.step(&mut state, commit);
        }
        let mut entries = self.entries(&state);
        entries.retain(|_, entry| entry.manifest.is_some());
        entries
    }
}

impl Entry<'_> {
    /// What its build needs, apart from what a manifest says.
    pub(crate) fn build_dependencies(&self) -> impl Iterator<Item = Dependency> {
        let dependencies = self.recipe.build_dependencies();
        dependencies.map(|dependency| (**dependency).clone())
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = testbed::git()
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// The lines of `git log --raw`: of a file its modes, objects before and after, what was done, and
/// after a tab its path.
fn commits(log: &str) -> Vec<Vec<Changed>> {
    let mut commits: Vec<Vec<Changed>> = Vec::new();
    for line in log.lines() {
        if line == "commit" {
            commits.push(Vec::new());
        }
        let Some((what, path)) = line.split_once('\t') else {
            continue;
        };
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if name == MANIFEST || FILE_NAMES.contains(&name) {
            commits.last_mut().unwrap().push(Changed {
                folder: folder.to_owned(),
                name: name.to_owned(),
                object: what.split(' ').nth(3).unwrap().to_owned(),
            });
        }
    }
    commits
}

fn contents(folder: &Path, objects: &BTreeSet<&String>) -> HashMap<String, Vec<u8>> {
    let wanted = folder.join("wanted");
    let lines: String = objects
        .iter()
        .filter(|object| **object != NONE)
        .map(|object| format!("{object}\n"))
        .collect();
    std::fs::write(&wanted, lines).unwrap();
    let output = testbed::git()
        .current_dir(folder)
        .args(["cat-file", "--batch"])
        .stdin(File::open(wanted).unwrap())
        .output()
        .unwrap();
    // An object is a line with its name, kind and length, its bytes, and the end of a line.
    let (mut rest, mut contents) = (output.stdout.as_slice(), HashMap::new());
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let head = std::str::from_utf8(&rest[..end]).unwrap();
        let [object, "blob", length] = head.split(' ').collect::<Vec<_>>()[..] else {
            panic!("git has no {head}");
        };
        let (bytes, more) = rest[end + 1..].split_at(length.parse().unwrap());
        contents.insert(object.to_owned(), bytes.to_vec());
        rest = &more[1..];
    }
    contents
}
