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
fn no_test_stands_where_nothing_compiles_it() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for package in packages() {
        let targets = package["targets"].as_array().into_iter().flatten();
        for target in targets.filter(|target| target["test"] == false) {
            let root = Path::new(target["src_path"].as_str().expect("a path"));
            let (kind, files) = match target["kind"][0].as_str() {
                Some("lib") => (Kind::Library, rust_files(root.parent().expect("a folder"))),
                Some("bin") => (Kind::Binary, vec![root.to_owned()]),
                // Benchmarks have no tests.
                Some(_) | None => continue,
            };
            for file in files {
                seen += 1;
                let found = find_untested(kind, &read(&file)).map(str::to_owned);
                wrong.extend(found.map(|line| format!("{}: {line}", file.display())));
            }
        }
    }
    assert!(seen > 0, "no file was looked at");
    assert!(
        wrong.is_empty(),
        "nothing compiles these for tests: move them to the library, or remove `test = false` from \
         the crate's Cargo.toml\n{}",
        wrong.join("\n")
    );
}

#[test]
fn a_test_that_nothing_compiles_is_seen() {
    for line in ["#[test]", "#[tokio::test(flavor = \"x\")]", "#[cfg(test)]"] {
        let text = format!("mod a;\n\n    {line}\n    fn x() {{}}");
        assert_eq!(find_untested(Kind::Library, &text), Some(line));
    }
    for line in ["mod a;", "pub mod a;", "pub(crate) mod a;"] {
        assert_eq!(find_untested(Kind::Binary, line), Some(line));
        assert_eq!(find_untested(Kind::Library, line), None);
    }
    for none in ["fn main() {}", "#[derive(Debug)]\nstruct Test; // #[test]"] {
        assert_eq!(find_untested(Kind::Binary, none), None);
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Library,
    Binary,
}

/// The first line that begins a test, or in a binary a module: tests could stand in its file.
fn find_untested(kind: Kind, text: &str) -> Option<&str> {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| {
        let is_test = line.starts_with("#[") && line.contains("test");
        let line = line
            .trim_start_matches("pub(crate) ")
            .trim_start_matches("pub ");
        is_test || kind == Kind::Binary && line.starts_with("mod ")
    })
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
