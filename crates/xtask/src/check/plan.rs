//! What is checked of a change, and what is left to other commands.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::workspace::Workspace;

/// Files outside of the crates, or folders of them, and the crate whose tests read them.
const READ_BY: [(&str, &str); 3] = [
    ("docs/protocol.md", "api"),
    ("docs/recipe-lints.md", "moss-format"),
    ("examples", "snekbook-dev"),
];

/// Files outside of the crates, or folders of them, that say how all crates are compiled and linted.
const COMPILED_BY: [&str; 5] = [
    "Cargo.toml",
    "Cargo.lock",
    ".cargo",
    "clippy.toml",
    "rust-toolchain.toml",
];

/// The command of the tests that read the pages.
const PAGES: &str = "cargo test -p tests --test suite -- architecture calls trying";

/// Files that slow tests read, or folders of them, and the command that runs these tests.
const READ_BY_SLOW_TESTS: [(&str, &str); 6] = [
    ("docs", PAGES),
    ("README.md", PAGES),
    ("CHANGELOG.md", PAGES),
    ("CONTRIBUTING.md", PAGES),
    ("SECURITY.md", PAGES),
    (".ci", ".ci/run"),
];

/// A workspace of its own, whose dependencies nothing else has.
const FUZZ: &str = "crates/moss-format/fuzz";

/// What is checked of a change.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The crates whose files changed: linted and tested.
    pub(crate) touched: BTreeSet<String>,
    /// The crates that are compiled anew for them: linted, with their tests.
    pub(crate) dependents: BTreeSet<String>,
    /// What of the change the check does not look at, and the command that does.
    pub(crate) left_out: Vec<String>,
}

impl Plan {
    /// The plan for these changed files of the workspace, which are named from its root.
    pub(crate) fn new(workspace: &Workspace, files: &BTreeSet<PathBuf>) -> Self {
        let mut touched = BTreeSet::new();
        let mut all_compiled = false;
        let mut left_out = Vec::new();
        for file in files {
            if file.starts_with(FUZZ) {
                continue;
            }
            touched.extend(workspace.find_crate_of(file).or_else(|| reader_of(file)));
            all_compiled |= COMPILED_BY.iter().any(|by| file.starts_with(by));
        }
        let dependents: BTreeSet<&str> = if all_compiled {
            let all = workspace.crates.iter().map(|one| one.name.as_str());
            all.filter(|name| !touched.contains(name)).collect()
        } else {
            workspace.dependents(&touched)
        };
        if files.iter().any(|file| file.starts_with(FUZZ)) {
            left_out.push(format!("{FUZZ}; cargo xtask fuzz --short"));
        }
        for (read, command) in READ_BY_SLOW_TESTS {
            if files.iter().any(|file| file.starts_with(read)) {
                left_out.push(format!("tests that read {read}; {command}"));
            }
        }
        if !dependents.is_empty() {
            let names: Vec<&str> = dependents.iter().copied().collect();
            left_out.push(format!(
                "the tests of {}, which were only linted; cargo test --workspace",
                names.join(", ")
            ));
        }
        let owned = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect();
        Self {
            touched: owned(touched),
            dependents: owned(dependents),
            left_out,
        }
    }
}

fn reader_of(file: &Path) -> Option<&'static str> {
    let mut readers = READ_BY.into_iter();
    readers.find_map(|(path, reader)| file.starts_with(path).then_some(reader))
}

#[cfg(test)]
mod tests {
    use super::super::workspace::tests::sample;
    use super::*;

    fn plan(files: &[&str]) -> Plan {
        Plan::new(&sample(), &files.iter().map(PathBuf::from).collect())
    }

    fn listed(names: &BTreeSet<String>) -> Vec<&str> {
        names.iter().map(String::as_str).collect()
    }

    #[test]
    fn touched_crates_are_tested_and_dependents_compiled() {
        let plan = plan(&["crates/service/src/lib.rs", "tests/suite/main.rs"]);
        assert_eq!(listed(&plan.touched), ["service", "suite"]);
        assert_eq!(listed(&plan.dependents), ["bot"]);
        assert_eq!(
            plan.left_out,
            ["the tests of bot, which were only linted; cargo test --workspace"]
        );
    }

    #[test]
    fn a_crate_without_dependents_leaves_nothing_out() {
        let plan = plan(&["tests/suite/main.rs"]);
        assert_eq!(listed(&plan.dependents), [""; 0]);
        assert_eq!(plan.left_out, [""; 0]);
    }

    #[test]
    fn documents_touch_the_crate_that_reads_them() {
        let plan = plan(&["docs/protocol.md", "README.md", "docs/forge.md"]);
        assert_eq!(listed(&plan.touched), ["api"]);
        assert_eq!(
            plan.left_out[..2],
            ["docs", "README.md"].map(|read| format!("tests that read {read}; {PAGES}"))
        );
    }

    #[test]
    fn what_all_are_compiled_by_makes_dependents_of_all() {
        let all = sample().crates.len();
        for file in ["Cargo.lock", ".cargo/config.toml", "clippy.toml"] {
            let plan = plan(&[file, "bot/src/main.rs"]);
            assert_eq!(listed(&plan.touched), ["bot"], "{file}");
            assert_eq!(plan.dependents.len(), all - 1, "{file}");
        }
        // Neither is the workspace's own.
        let plan = plan(&["bot/Cargo.toml"]);
        assert_eq!(listed(&plan.dependents), ["suite"]);
    }

    #[test]
    fn the_fuzz_targets_are_left_to_their_own_command() {
        let plan = plan(&["crates/moss-format/fuzz/fuzz_targets/index.rs"]);
        assert_eq!(listed(&plan.touched), [""; 0]);
        assert_eq!(
            plan.left_out,
            ["crates/moss-format/fuzz; cargo xtask fuzz --short"]
        );
    }

    #[test]
    fn all_that_the_tables_name_is_there() {
        let workspace = Workspace::read().unwrap();
        let files = READ_BY
            .iter()
            .chain(&READ_BY_SLOW_TESTS)
            .map(|(file, _)| file);
        for file in files.chain(&COMPILED_BY).chain([&FUZZ]) {
            assert!(workspace.root.join(file).exists(), "{file} is not there");
        }
        for (file, reader) in READ_BY {
            assert_eq!(workspace.find_crate_of(Path::new(file)), None, "{file}");
            let mut crates = workspace.crates.iter();
            assert!(crates.any(|one| one.name == reader), "{reader}");
        }
    }
}
