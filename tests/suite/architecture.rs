//! What may depend on what: between the crates, and between the modules of a service.
//!
//! The tables below are the design; a new crate or layer has to be entered here before it passes.

mod features;
mod imports;
mod layout;
mod pages;
mod scan;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use scan::paths;

/// Every crate and the workspace's crates that it may depend on, in whatever way. For its tests
/// each may also use [`TESTBED`].
const CRATES: [(&str, &[&str]); 18] = [
    ("moss-format", &[]),
    ("api", &[]),
    ("moss-deps", &["moss-format"]),
    ("moss-db", &[]),
    ("moss-fetcher", &["api"]),
    ("service", &["api"]),
    ("forge", &["service", "moss-db", "plain-git"]),
    ("summit", SERVICE),
    ("avalanche", SERVICE),
    ("vessel", SERVICE),
    ("snekbook-dev", ALL),
    ("tests", ALL),
    ("moss-root", &["moss-deps", "moss-fetcher", "moss-format"]),
    ("stone", &["moss-format", "moss-root"]),
    ("xtask", &["moss-format", TESTBED]),
    ("machine", &["plain-git"]),
    ("plain-git", &["plain-git"]),
    (TESTBED, &["machine", "plain-git", "api", "moss-format"]),
];

/// What tests stand on, and nothing else may.
const TESTBED: &str = "testbed";

/// What a service may use: the libraries, and neither another service nor the forge.
const SERVICE: &[&str] = &[
    "api",
    "service",
    "moss-db",
    "moss-deps",
    "moss-fetcher",
    "moss-format",
    "plain-git",
];

const ALL: &[&str] = &[
    "api",
    "service",
    "moss-db",
    "moss-deps",
    "moss-fetcher",
    "moss-format",
    "moss-root",
    "forge",
    "summit",
    "avalanche",
    "vessel",
    "snekbook-dev",
    "machine",
    "plain-git",
];

/// The modules of a service that stand in an order, and which others each may use.
type Layers = &'static [(&'static str, &'static [&'static str])];

const SUMMIT: Layers = &[
    ("domain", &[]),
    ("config", &[]),
    ("db", &["domain"]),
    ("git", &["domain"]),
    ("github", &["domain", "db", "config"]),
    ("usecase", &["domain", "db", "git", "github", "config"]),
    ("http", &["domain", "github", "usecase", "config"]),
];

const VESSEL: Layers = &[
    ("domain", &[]),
    ("config", &["domain"]),
    ("db", &["domain"]),
    ("tree", &["domain"]),
    ("usecase", &["domain", "db", "tree", "config"]),
    ("http", &["domain", "db", "tree", "usecase", "config"]),
];

/// What of avalanche works on the machine: for the use cases, and knowing nothing of them.
const MACHINE: &[&str] = &[
    "folder", "git", "helper", "host", "log", "package", "report", "sandbox", "unpack",
];

const AVALANCHE: Layers = &[
    ("domain", &[]),
    ("db", &["domain"]),
    ("config", &["sandbox"]),
    ("folder", MACHINE),
    ("git", MACHINE),
    ("helper", MACHINE),
    ("host", MACHINE),
    ("log", MACHINE),
    ("package", MACHINE),
    ("report", MACHINE),
    ("sandbox", MACHINE),
    ("unpack", MACHINE),
    (
        "usecase",
        &[
            "domain", "db", "config", "folder", "git", "helper", "host", "log", "package",
            "report", "sandbox", "unpack",
        ],
    ),
    ("http", &["domain", "usecase", "config", "host", "log"]),
];

/// What a domain must not touch: threads of execution, the network, storage, files, the machine,
/// and the clock.
const OUTSIDE: [&[&str]; 25] = [
    &["tokio"],
    &["tokio_util"],
    &["futures_util"],
    &["axum"],
    &["hyper"],
    &["reqwest"],
    &["tower"],
    &["heed"],
    &["moss_db"],
    &["moss_fetcher"],
    &["octocrab"],
    &["git2"],
    &["service"],
    &["rand"],
    &["tracing"],
    &["std", "fs"],
    &["std", "net"],
    &["std", "env"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "sync", "mpsc"],
    &["std", "time", "SystemTime"],
    &["std", "time", "Instant"],
    &["rustix"],
    &["uuid"],
];

/// Types whose `now` reads the clock.
const CLOCKS: [&str; 4] = ["Timestamp", "Zoned", "SystemTime", "Instant"];

/// Ids whose `new` makes a fresh one, from the clock and from chance.
const FRESH: [&str; 2] = ["BuildId", "ImportId"];

/// Lines above which a file is refused, tests aside.
const MAX_LINES: usize = 800;

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies in the workspace")
}

#[test]
fn crates_depend_in_one_direction() {
    let found = workspace_dependencies();
    assert!(found.len() >= 12, "only these crates were seen: {found:?}");
    let wrong = wrong_dependencies(&found);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_wrong_dependency_is_seen() {
    let crates = |pairs: &[(&str, &[&str])]| {
        pairs
            .iter()
            .map(|(name, on)| {
                let on = on.iter().map(|on| (*on).to_owned()).collect();
                ((*name).to_owned(), on)
            })
            .collect::<BTreeMap<_, _>>()
    };
    let wrong = wrong_dependencies(&crates(&[
        ("summit", &["api", "forge"]),
        ("avalanche", &["vessel"]),
        ("moss-format", &["api"]),
        ("moss-deps", &["moss-format"]),
        ("vessel", &["testbed"]),
        ("surprise", &[]),
    ]));
    insta::assert_snapshot!(wrong.join("\n"), @r"
    avalanche must not depend on vessel
    moss-format must not depend on api
    summit must not depend on forge
    surprise has no place in the table of crates
    vessel must not depend on testbed
    ");
}

#[test]
fn the_layers_of_summit_are_kept() {
    check_service("bot", SUMMIT);
}

#[test]
fn the_layers_of_vessel_are_kept() {
    check_service("repo", VESSEL);
}

#[test]
fn the_layers_of_avalanche_are_kept() {
    check_service("builder", AVALANCHE);
}

#[test]
fn a_wrong_use_is_seen() {
    let domain = |source: &str| wrong_uses(&["domain", "build"], source, SUMMIT);
    // Nothing of this is wrong.
    let good = r##"
        //! Speaks of tokio::spawn and crate::db::Tables.
        use std::{collections::BTreeMap, fmt::{self, Write as _}};
        use super::{name::RepositoryId, plan};
        use jiff::Timestamp; /* use std::fs; /* nested */ use heed::Env; */
        const TEXT: &str = "std::fs::read"; const RAW: &str = r#"git2::"Repository"#;
        fn lives<'a>(c: char) -> bool { c == '"' || c == '\'' || c == 'a' }
        fn later(now: Timestamp) -> u64 { plan::begin(now).std::<u8>() }
        #[cfg(test)]
        mod tests { use std::fs; use super::*; fn x() { tokio::spawn(async {}); } }
    "##;
    assert_eq!(domain(good), Vec::<String>::new());
    for (bad, seen) in [
        ("use tokio::sync::Notify;", "tokio::sync::Notify"),
        ("use ::heed::Env;", "heed::Env"),
        ("use std::{fmt, fs::File};", "std::fs::File"),
        ("use std::fs;", "std::fs"),
        ("fn f() { let x = std::fs::read(p); }", "std::fs::read"),
        ("fn f() { jiff::Timestamp::now() }", "jiff::Timestamp::now"),
        ("fn f() { Timestamp::now() }", "Timestamp::now"),
        ("fn f() { BuildId::new() }", "BuildId::new"),
        ("fn f() { uuid::Uuid::now_v7() }", "uuid::Uuid::now_v7"),
        ("use crate::{name::X, db::{self, Tables}};", "crate::db"),
        ("use super::super::usecase::*;", "crate::usecase::*"),
        ("mod inner { use super::super::super::git; }", "crate::git"),
        ("fn f(c: char) { if c == '\\'' { git2::x() } }", "git2::x"),
        ("use git2;", "git2"),
        // What a skipped module hides ends with it.
        ("mod tests { mod deep {} } use axum::Json;", "axum::Json"),
    ] {
        let wrong = domain(bad);
        assert!(
            wrong
                .iter()
                .any(|wrong| wrong.contains(&format!("`{seen}`"))),
            "{bad}: {wrong:?}"
        );
    }
    // Layers above may use what is below, and not what is above.
    let up = "use crate::usecase::Summit;";
    assert_eq!(
        wrong_uses(&["http", "page"], up, SUMMIT),
        Vec::<String>::new()
    );
    assert_eq!(wrong_uses(&["db"], up, SUMMIT).len(), 1);
    assert_eq!(wrong_uses(&["start"], up, SUMMIT), Vec::<String>::new());
}

#[test]
fn files_are_short_and_lie_beside_their_folders() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for folder in ["bot", "builder", "repo", "crates", "tests"] {
        for file in rust_files(&root().join(folder)) {
            seen += 1;
            let shown = file.strip_prefix(root()).unwrap_or(&file).display();
            if file.file_name().is_some_and(|name| name == "mod.rs") {
                wrong.push(format!("{shown} should lie beside its folder"));
            }
            let lines = read(&file).lines().count();
            if lines > MAX_LINES && !is_test(&file) {
                wrong.push(format!(
                    "{shown} has {lines} lines; {MAX_LINES} are allowed"
                ));
            }
        }
    }
    assert!(seen > 100, "only {seen} files were seen");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The packages of the workspace, as `cargo metadata` lists them.
fn packages() -> Vec<serde_json::Value> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let packages = metadata["packages"].as_array().expect("there are packages");
    packages.clone()
}

/// Every crate of the workspace with those of the workspace that it depends on.
fn workspace_dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let packages = packages();
    let name = |value: &serde_json::Value| value["name"].as_str().expect("a name").to_owned();
    let ours: BTreeSet<String> = packages.iter().map(name).collect();
    packages
        .iter()
        .map(|package| {
            let on = package["dependencies"].as_array().into_iter().flatten();
            // The package of the suite is all tests.
            let is_test = |on: &serde_json::Value| {
                on["name"] == TESTBED && (on["kind"] == "dev" || package["name"] == "tests")
            };
            let on = on.filter(|on| !is_test(on)).map(name);
            (name(package), on.filter(|on| ours.contains(on)).collect())
        })
        .collect()
}

fn wrong_dependencies(found: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let table: BTreeMap<&str, &[&str]> = CRATES.into_iter().collect();
    let mut wrong = Vec::new();
    for (name, on) in found {
        match table.get(name.as_str()) {
            Some(allowed) => wrong.extend(
                on.iter()
                    .filter(|on| !allowed.contains(&on.as_str()))
                    .map(|on| format!("{name} must not depend on {on}")),
            ),
            None => wrong.push(format!("{name} has no place in the table of crates")),
        }
    }
    wrong
}

fn check_service(folder: &str, layers: Layers) {
    let source = root().join(folder).join("src");
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for file in rust_files(&source)
        .into_iter()
        .filter(|file| !is_test(file))
    {
        let module = module_of(&source, &file);
        let module: Vec<&str> = module.iter().map(String::as_str).collect();
        let text = read(&file);
        seen.extend(module.first().map(|layer| (*layer).to_owned()));
        let shown = file
            .strip_prefix(root())
            .unwrap_or(&file)
            .display()
            .to_string();
        let found = wrong_uses(&module, &text, layers);
        wrong.extend(found.into_iter().map(|found| format!("{shown}:{found}")));
    }
    for (layer, _) in layers {
        assert!(
            seen.contains(*layer),
            "{folder} has no {layer}: the table is old"
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The uses in one module's source that its layer does not allow.
fn wrong_uses(module: &[&str], source: &str, layers: Layers) -> Vec<String> {
    let module: Vec<String> = module.iter().map(|part| (*part).to_owned()).collect();
    let Some((layer, allowed)) = layers
        .iter()
        .find(|(layer, _)| Some(*layer) == module.first().map(String::as_str))
    else {
        return Vec::new();
    };
    let mut wrong = Vec::new();
    for found in paths(&module, source) {
        let path: Vec<&str> = found.path.iter().map(String::as_str).collect();
        let upward = match path.as_slice() {
            ["crate", other, ..] => {
                other != layer
                    && !allowed.contains(other)
                    && (*layer == "domain" || layers.iter().any(|(known, _)| known == other))
            }
            _ => false,
        };
        let outside = OUTSIDE.iter().any(|outside| path.starts_with(outside));
        let clock = path
            .windows(2)
            .any(|pair| CLOCKS.contains(&pair[0]) && pair[1] == "now");
        let fresh = path
            .windows(2)
            .any(|pair| FRESH.contains(&pair[0]) && pair[1] == "new");
        if upward || (*layer == "domain" && (outside || clock || fresh)) {
            wrong.push(format!(
                "{}: {layer} must not use `{}`",
                found.line,
                path.join("::")
            ));
        }
    }
    wrong
}

fn module_of(source: &Path, file: &Path) -> Vec<String> {
    let below = file
        .strip_prefix(source)
        .expect("the file lies in the source");
    let parts = below.with_extension("");
    parts
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .filter(|part| part != "lib")
        .collect()
}

fn is_test(file: &Path) -> bool {
    let below = file.strip_prefix(root()).unwrap_or(file);
    below
        .iter()
        .any(|part| matches!(part.to_str(), Some("tests" | "tests.rs" | "benches")))
}

pub(crate) fn read(file: &Path) -> String {
    std::fs::read_to_string(file).expect("the source can be read")
}

pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    for entry in entries {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
