//! The test binaries of the touched crates: compiled by cargo, and started as cargo would.
//!
//! `cargo test --package` would choose the features of dependencies for the packages that are named,
//! and compile dozens of dependencies anew for each choice of them. So [`FEATURES`] are named too.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::plan::Plan;
use super::workspace::Workspace;

/// Packages that together have cargo choose the same features of dependencies as for the whole
/// workspace, so that nothing is compiled once more.
const FEATURES: [&str; 2] = ["tests", "moss-deps"];

/// Integration tests that take longer than all else of a check together.
const LONG: [Long; 2] = [
    Long {
        package: "tests",
        run: &["architecture::"],
    },
    Long {
        package: "avalanche",
        run: &["cli::", "packaging::"],
    },
];

/// The name of every crate's binary of integration tests.
const SUITE: &str = "suite";

struct Long {
    package: &'static str,
    /// The beginnings of the names of those that are run all the same.
    run: &'static [&'static str],
}

/// A test binary that was compiled.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TestBinary {
    package: String,
    /// The name of what it tests: the library, the program, or [`SUITE`].
    target: String,
    executable: PathBuf,
    /// The folder of its crate, in which cargo starts it.
    folder: PathBuf,
}

/// What cargo tells of each thing that it has compiled, or found to be fresh.
#[derive(Deserialize)]
struct Message {
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    profile: Option<Profile>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// Compiles those of the touched crates; none when that fails, of which cargo has said why.
pub(crate) fn compile(workspace: &Workspace, plan: &Plan) -> Result<Option<Vec<TestBinary>>> {
    let mut cargo = crate::cargo();
    cargo
        .current_dir(&workspace.root)
        .args(["test", "--no-run", "--quiet"])
        .args(["--message-format", "json-render-diagnostics"]);
    let touched = plan.touched.iter().map(String::as_str);
    for package in touched.chain(FEATURES) {
        cargo.args(["--package", package]);
    }
    let output = cargo
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run `cargo test --no-run`")?;
    if !output.status.success() {
        return Ok(None);
    }
    let told = String::from_utf8_lossy(&output.stdout);
    Ok(Some(parse(workspace, &told)?))
}

fn parse(workspace: &Workspace, told: &str) -> Result<Vec<TestBinary>> {
    let mut binaries = Vec::new();
    for line in told.lines() {
        let message: Message =
            serde_json::from_str(line).context("cannot read what `cargo test --no-run` wrote")?;
        if !message.profile.is_some_and(|profile| profile.test) {
            continue;
        }
        let Some((manifest, target)) = message.manifest_path.zip(message.target) else {
            continue;
        };
        let (Some(executable), Some(folder)) = (message.executable, manifest.parent()) else {
            continue;
        };
        let below = folder.strip_prefix(&workspace.root).unwrap_or(folder);
        if let Some(package) = workspace.find_crate_of(below) {
            binaries.push(TestBinary {
                package: package.to_owned(),
                target: target.name,
                executable,
                folder: folder.to_owned(),
            });
        }
    }
    Ok(binaries)
}

/// Runs those of the touched crates, and notes in the plan what of them was left out. Says whether
/// all passed.
pub(crate) fn run(binaries: &[TestBinary], plan: &mut Plan) -> Result<bool> {
    let mut passed = true;
    for binary in binaries {
        if !plan.touched.contains(&binary.package) {
            continue;
        }
        let chosen = binary.chosen();
        crate::say(format_args!("    {} {}", binary.package, binary.target));
        passed &= start(binary, chosen)?;
        if !chosen.is_empty() {
            plan.left_out.push(binary.left_out(chosen));
        }
    }
    Ok(passed)
}

fn start(binary: &TestBinary, chosen: &[&str]) -> Result<bool> {
    let mut command = Command::new(&binary.executable);
    command
        .current_dir(&binary.folder)
        .env("CARGO_MANIFEST_DIR", &binary.folder)
        .arg("--quiet")
        .args(chosen);
    let named = || format!("cannot run {}", binary.executable.display());
    Ok(command.status().with_context(named)?.success())
}

impl TestBinary {
    /// The beginnings of the names of the tests to run; none for all.
    fn chosen(&self) -> &'static [&'static str] {
        let is_it = |long: &&Long| long.package == self.package && self.target == SUITE;
        LONG.iter().find(is_it).map_or(&[], |long| long.run)
    }

    fn left_out(&self, chosen: &[&str]) -> String {
        let package = &self.package;
        format!(
            "the long tests of {package}, all but those of {}; cargo test --package {package}",
            chosen.join(" and ")
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::workspace::tests::sample;
    use super::*;

    #[test]
    fn cargo_tells_which_binaries_it_has() {
        let told = [
            r#"{"reason":"compiler-artifact","manifest_path":"/w/bot/Cargo.toml","target":{"name":"bot"},"profile":{"test":false},"executable":"/w/target/debug/bot"}"#,
            r#"{"reason":"compiler-artifact","manifest_path":"/w/bot/Cargo.toml","target":{"name":"suite"},"profile":{"test":true},"executable":"/w/target/debug/deps/suite-1"}"#,
            r#"{"reason":"compiler-artifact","manifest_path":"/registry/serde/Cargo.toml","target":{"name":"serde"},"profile":{"test":false},"executable":null}"#,
            r#"{"reason":"build-script-executed","package_id":"serde"}"#,
            r#"{"reason":"build-finished","success":true}"#,
        ];
        let found = parse(&sample(), &told.join("\n")).unwrap();
        let wanted = TestBinary {
            package: "bot".to_owned(),
            target: SUITE.to_owned(),
            executable: PathBuf::from("/w/target/debug/deps/suite-1"),
            folder: PathBuf::from("/w/bot"),
        };
        assert_eq!(found, [wanted]);
        let said = parse(&sample(), "no JSON").unwrap_err().to_string();
        assert_eq!(said, "cannot read what `cargo test --no-run` wrote");
    }

    #[test]
    fn all_tests_of_a_crate_are_run_but_long_ones() {
        let binary = |package: &str, target: &str| TestBinary {
            package: package.to_owned(),
            target: target.to_owned(),
            executable: PathBuf::new(),
            folder: PathBuf::new(),
        };
        assert_eq!(binary("api", SUITE).chosen(), [""; 0]);
        assert_eq!(binary("avalanche", "avalanche").chosen(), [""; 0]);
        let long = binary("avalanche", SUITE);
        assert_eq!(long.chosen(), ["cli::", "packaging::"]);
        assert_eq!(
            long.left_out(long.chosen()),
            "the long tests of avalanche, all but those of cli:: and packaging::; cargo test \
             --package avalanche"
        );
    }

    #[test]
    fn the_crates_with_long_tests_are_there_and_so_are_the_topics() {
        let workspace = Workspace::read().unwrap();
        for long in LONG {
            let mut crates = workspace.crates.iter();
            let found = crates.find(|one| one.name == long.package).unwrap();
            let folder = workspace.root.join(&found.folder);
            let suites = ["suite", "tests/suite"].map(|suite| folder.join(suite));
            let suite = suites.into_iter().find(|suite| suite.is_dir()).unwrap();
            for topic in long.run {
                let file = suite.join(topic.trim_end_matches(':'));
                assert!(file.with_extension("rs").is_file(), "{topic} is no topic");
            }
        }
    }

    /// Each dependency with its features, as cargo chooses them for these packages.
    fn features(packages: &[&str]) -> BTreeSet<String> {
        let output = crate::cargo()
            .current_dir(Workspace::read().unwrap().root)
            .args(["tree", "--offline", "--prefix", "none"])
            .args(["--edges", "normal,build,dev", "--format", "{p} {f}"])
            .args(packages)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let tree = String::from_utf8(output.stdout).unwrap();
        // What stands there again is marked.
        let lines = tree.lines().map(|line| line.trim_end_matches(" (*)"));
        let foreign = lines.filter(|line| !line.contains(" (/"));
        foreign.map(str::to_owned).collect()
    }

    #[test]
    fn the_features_are_those_of_the_workspace() {
        let named = FEATURES.map(|package| ["--package", package]).concat();
        let all = features(&["--workspace"]);
        let strange: Vec<String> = features(&named).difference(&all).cloned().collect();
        assert_eq!(strange, [""; 0], "FEATURES lacks a package");
    }
}
