//! Where integration tests lie: each crate's are one binary, `tests/suite/main.rs`, and each topic is
//! a module of it. One binary is linked once and runs its tests side by side.

use std::path::Path;

use serde_json::{Value, json};

use super::{packages, read, rust_files};

#[test]
fn integration_tests_are_one_binary_in_each_crate() {
    let packages = packages();
    let mut wrong = wrong_targets(&packages);
    let mut seen = 0;
    for package in &packages {
        let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
        let crate_folder = manifest.parent().expect("it lies in the crate");
        let folder = if package["name"] == "tests" {
            crate_folder.to_owned()
        } else {
            crate_folder.join("tests")
        };
        let suite = folder.join("suite");
        if !folder.is_dir() {
            continue;
        }
        for file in rust_files(&folder) {
            seen += 1;
            let shown = file.display();
            if !file.starts_with(&suite) && package["name"] != "tests" {
                wrong.push(format!("{shown} lies outside of tests/suite"));
            } else if file.starts_with(&suite) && !is_part_of(&suite, &file) {
                wrong.push(format!("{shown} is no module: no `mod` line names it"));
            }
        }
    }
    assert!(seen > 100, "only {seen} files were seen");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_wrong_test_binary_is_seen() {
    let target =
        |name: &str, path: &str| json!({ "kind": ["test"], "name": name, "src_path": path });
    let package = |name: &str, targets: &[Value]| json!({ "name": name, "targets": targets });
    let library = json!({ "kind": ["lib"], "name": "api", "src_path": "/w/api/src/lib.rs" });
    let right = target("suite", "/w/api/tests/suite/main.rs");
    let wrong = wrong_targets(&[
        package("right", &[library, right]),
        package("none", &[]),
        package("file", &[target("cli", "/w/file/tests/cli.rs")]),
        package("flat", &[target("suite", "/w/flat/tests/suite.rs")]),
        package("named", &[target("it", "/w/named/tests/suite/main.rs")]),
    ]);
    insta::assert_snapshot!(wrong.join("\n"), @r"
    file: the test binary cli of /w/file/tests/cli.rs should be a module of tests/suite/main.rs
    flat: the test binary suite of /w/flat/tests/suite.rs should be a module of tests/suite/main.rs
    named: the test binary it of /w/named/tests/suite/main.rs should be a module of tests/suite/main.rs
    ");
}

#[test]
fn a_target_that_is_not_compiled_for_tests_has_none() {
    let mut untested = 0;
    for package in packages() {
        let targets = package["targets"].as_array().into_iter().flatten();
        // Benchmarks are no part of this.
        let targets =
            targets.filter(|target| matches!(target["kind"][0].as_str(), Some("lib" | "bin")));
        for target in targets.filter(|target| target["test"] == false) {
            untested += 1;
            let root = Path::new(target["src_path"].as_str().expect("a path"));
            let files = match target["kind"][0] == "lib" {
                true => rust_files(root.parent().expect("it lies in a folder")),
                false => vec![root.to_owned()],
            };
            for file in files {
                let text = read(&file);
                let mut lines = text.lines().map(str::trim);
                let has = |line: &str| {
                    line.starts_with("#[") && line.ends_with("test]")
                        || target["kind"][0] == "bin" && line.starts_with("mod ")
                };
                assert!(
                    !lines.any(has),
                    "{}: nothing would run its tests: remove `test = false` from the crate's Cargo.toml",
                    file.display()
                );
            }
        }
    }
    assert!(untested > 5, "only {untested} targets were seen");
}

/// The binaries of integration tests other than the one that each crate may have.
fn wrong_targets(packages: &[Value]) -> Vec<String> {
    let mut wrong = Vec::new();
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        let targets = package["targets"].as_array().into_iter().flatten();
        for target in targets.filter(|target| target["kind"][0] == "test") {
            let path = target["src_path"].as_str().expect("a path");
            if target["name"] != "suite" || !Path::new(path).ends_with("tests/suite/main.rs") {
                let binary = target["name"].as_str().expect("a name");
                wrong.push(format!(
                    "{name}: the test binary {binary} of {path} should be a module of \
                     tests/suite/main.rs"
                ));
            }
        }
    }
    wrong
}

/// Whether the file is the root of the suite, or a `mod` line of its parent names it. Without one
/// nothing compiles its tests, and nobody misses them.
fn is_part_of(suite: &Path, file: &Path) -> bool {
    let main = suite.join("main.rs");
    if file == main {
        return true;
    }
    let folder = file.parent().expect("it lies in the suite");
    let parent = if folder == suite {
        main
    } else {
        folder.with_extension("rs")
    };
    let stem = file.file_stem().expect("it has a name").to_string_lossy();
    let wanted = format!("mod {stem};");
    parent.is_file()
        && read(&parent).lines().any(|line| {
            let line = line.trim_start_matches("pub(crate) ");
            line == wanted
        })
}
