//! The crates of the workspace, and which of them others depend on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// The crates of the workspace.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// Where it lies.
    pub(crate) root: PathBuf,
    /// Its crates, by name.
    pub(crate) crates: Vec<Crate>,
}

/// A crate of the workspace.
#[derive(Debug)]
pub(crate) struct Crate {
    /// The name of its package.
    pub(crate) name: String,
    /// Its folder, below the workspace's.
    pub(crate) folder: PathBuf,
    /// What it depends on.
    needs: Vec<Need>,
}

/// A dependency on another crate of the workspace, or on one from elsewhere.
#[derive(Debug)]
struct Need {
    name: String,
    by: By,
}

/// What of a crate needs a dependency.
#[derive(Debug, PartialEq, Eq)]
enum By {
    /// The library or the program, and so all that use these.
    Itself,
    /// The tests and benchmarks, which nothing else uses.
    Tests,
}

/// What `cargo metadata` writes, as far as it counts here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn read() -> Result<Self> {
        Self::parse(&crate::metadata()?)
    }

    /// Reads what `cargo metadata --no-deps` has written.
    pub(crate) fn parse(metadata: &[u8]) -> Result<Self> {
        let metadata: Metadata =
            serde_json::from_slice(metadata).context("cannot read what `cargo metadata` wrote")?;
        let root = metadata.workspace_root;
        let mut crates = Vec::new();
        for package in metadata.packages {
            let name = package.name;
            let folder = package.manifest_path.parent();
            let folder = folder
                .and_then(|folder| folder.strip_prefix(&root).ok())
                .with_context(|| format!("{name} lies outside of the workspace"))?
                .to_owned();
            let needs = package.dependencies.into_iter().map(|dependency| Need {
                name: dependency.name,
                by: match dependency.kind.as_deref() {
                    Some("dev") => By::Tests,
                    _ => By::Itself,
                },
            });
            crates.push(Crate {
                name,
                folder,
                needs: needs.collect(),
            });
        }
        crates.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { root, crates })
    }

    /// The crate whose folder a file lies in; none for a file of the whole workspace.
    pub(crate) fn find_crate_of(&self, file: &Path) -> Option<&str> {
        let holds = |one: &&Crate| file.starts_with(&one.folder);
        let crates = self.crates.iter().filter(holds);
        // Folders may lie in each other.
        let inmost = crates.max_by_key(|one| one.folder.components().count())?;
        Some(&inmost.name)
    }

    /// The crates that have to be compiled anew when these have changed, without these themselves.
    /// Who needs a crate for its tests only hands nothing on.
    pub(crate) fn dependents<'a>(&'a self, changed: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
        let mut compiled = changed.clone();
        loop {
            let more = self.that_need(&compiled, |by| *by == By::Itself);
            let before = compiled.len();
            compiled.extend(more);
            if compiled.len() == before {
                break;
            }
        }
        let tested = self.that_need(&compiled, |by| *by == By::Tests);
        compiled.extend(tested);
        compiled.retain(|name| !changed.contains(name));
        compiled
    }

    fn that_need(&self, crates: &BTreeSet<&str>, counts: fn(&By) -> bool) -> BTreeSet<&str> {
        let needs = |one: &&Crate| {
            let mut needs = one.needs.iter();
            needs.any(|need| counts(&need.by) && crates.contains(need.name.as_str()))
        };
        let crates = self.crates.iter().filter(needs);
        crates.map(|one| one.name.as_str()).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A workspace as `cargo metadata` describes it: `suite` needs `bot`, that needs `service`, that
    /// needs `formats`; and a kit for tests that stands on `formats`.
    pub(crate) fn sample() -> Workspace {
        let package = |name: &str, folder: &str, needs: &[(&str, Option<&str>)]| {
            let needs = needs
                .iter()
                .map(|(name, kind)| serde_json::json!({ "name": name, "kind": kind }));
            serde_json::json!({
                "name": name,
                "manifest_path": format!("/w/{folder}/Cargo.toml"),
                "dependencies": needs.collect::<Vec<_>>(),
            })
        };
        let metadata = serde_json::json!({
            "workspace_root": "/w",
            "packages": [
                package("suite", "tests", &[("bot", None), ("kit", None), ("serde", None)]),
                package("bot", "bot", &[("service", None), ("kit", Some("dev"))]),
                package("service", "crates/service", &[("formats", None), ("kit", Some("dev"))]),
                package("formats", "crates/formats", &[("kit", Some("dev"))]),
                package("kit", "crates/kit", &[("formats", None)]),
                package("alone", "crates/alone", &[("cc", Some("build")), ("kit", Some("dev"))]),
                package("reader", "crates/reader", &[("alone", None)]),
                package("inner", "crates/formats/inner", &[]),
            ],
        });
        Workspace::parse(metadata.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn files_belong_to_the_inmost_crate() {
        let workspace = sample();
        let found = |file: &str| workspace.find_crate_of(Path::new(file));
        assert_eq!(found("bot/src/main.rs"), Some("bot"));
        assert_eq!(found("crates/formats/Cargo.toml"), Some("formats"));
        assert_eq!(found("crates/formats/inner/src/lib.rs"), Some("inner"));
        assert_eq!(found("tests/suite/main.rs"), Some("suite"));
        assert_eq!(found("robot/src/main.rs"), None);
        assert_eq!(found("botany/lib.rs"), None);
        assert_eq!(found("Cargo.toml"), None);
    }

    #[test]
    fn dependents_are_all_that_are_compiled_anew() {
        let workspace = sample();
        let dependents = |changed: &[&'static str]| {
            let changed = changed.iter().copied().collect();
            let dependents = workspace.dependents(&changed).into_iter();
            dependents.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(dependents(&[]), [""; 0]);
        assert_eq!(dependents(&["suite"]), [""; 0]);
        assert_eq!(dependents(&["bot"]), ["suite"]);
        assert_eq!(dependents(&["service"]), ["bot", "suite"]);
        assert_eq!(dependents(&["alone"]), ["reader"]);
        // The tests of `alone` stand on the kit, but `reader` uses none of them.
        assert_eq!(
            dependents(&["kit"]),
            ["alone", "bot", "formats", "service", "suite"]
        );
        assert_eq!(
            dependents(&["formats"]),
            ["alone", "bot", "kit", "service", "suite"]
        );
    }

    #[test]
    fn this_workspace_is_read() {
        let workspace = Workspace::read().unwrap();
        assert_eq!(
            workspace.find_crate_of(Path::new("crates/xtask/src/main.rs")),
            Some("xtask")
        );
        let changed = BTreeSet::from(["moss-deps"]);
        assert!(workspace.dependents(&changed).contains("summit"));
    }
}
