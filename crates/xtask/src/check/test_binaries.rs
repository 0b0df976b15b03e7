//! Test binaries: those of all crates are compiled, those of the touched ones are run.
//!
//! `cargo test --package` would choose the features of dependencies for that package alone, and so
//! compile dozens of dependencies anew for each choice of packages. So all are compiled as
//! `cargo test --workspace` does, and what is run is started as cargo would start it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::plan::Plan;
use super::workspace::Workspace;

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

/// Compiles those of the whole workspace; none when that fails, of which cargo has said why.
pub(crate) fn compile(workspace: &Workspace) -> Result<Option<Vec<TestBinary>>> {
    let output = crate::cargo()
        .current_dir(&workspace.root)
        .args(["test", "--workspace", "--no-run", "--quiet"])
        .args(["--message-format", "json-render-diagnostics"])
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
            "the long tests of {package}, all but {}: cargo test --package {package} --test {SUITE}",
            chosen.join(" and ")
        )
    }
}
