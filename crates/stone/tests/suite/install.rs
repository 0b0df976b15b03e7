use std::fs;

use super::tool::{Place, below, meta, package};

/// A folder of packages with its index: a program, and the library that it is linked with.
fn repository() -> Place {
    let place = Place::new();
    let mut library = meta("library");
    library.depends.clear();
    library.provides = ["soname(libc.so.6(x86_64))".parse().unwrap()].into();
    place.write("pool/sample.stone", package(&meta("sample")));
    place.write("pool/library.stone", package(&library));
    assert_eq!(place.stone(&["index", "pool"]).code, Some(0));
    place
}

fn install(place: &Place, index: &str, names: &[&str]) -> String {
    let mut arguments = vec!["install", "--index", index, "--to", "root"];
    arguments.extend(names);
    place.stone(&arguments).text()
}

/// Both packages have the same files: those of the first one stay, and it is an error.
#[test]
fn packages_come_with_what_they_depend_on() {
    let place = repository();
    insta::assert_snapshot!(
        "installed",
        install(&place, "pool/stone.index", &["sample"])
    );
    insta::assert_snapshot!("root", below(&place.path("root")).join("\n"));
    let again = install(&place, "pool/stone.index", &["library"]);
    insta::assert_snapshot!("occupied", again);
}

#[test]
fn an_index_is_a_url_too() {
    let place = repository();
    let url = format!("file://{}", place.path("pool/stone.index").display());
    let said = install(&place, &url, &["library"]);
    assert!(said.starts_with("exit code: 0\n"), "{said}");
    assert!(said.contains("library 1.2-3\n"), "{said}");
}

#[test]
fn what_nobody_provides_is_refused() {
    let place = repository();
    fs::remove_file(place.path("pool/library.stone")).unwrap();
    assert_eq!(place.stone(&["index", "pool"]).code, Some(0));
    let said = install(&place, "pool/stone.index", &["sample"]);
    insta::assert_snapshot!("no_provider", said);
    assert!(!place.path("root").exists());
}

#[test]
fn what_cannot_be_asked_for_is_told() {
    let place = repository();
    let said = install(&place, "pool/stone.index", &["no(such)kind", "sample"]);
    insta::assert_snapshot!("no_dependency", said);
    let said = install(&place, "nowhere", &["sample"]);
    insta::assert_snapshot!("no_index", said);
    assert!(!place.path("root").exists());
}
