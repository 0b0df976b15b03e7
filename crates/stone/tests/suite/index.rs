use std::fs;

use moss_format::{Index, Meta};

use super::tool::{Place, below, meta, package};

fn uris(bytes: &[u8]) -> Vec<String> {
    let index = Index::decode(bytes).unwrap();
    index.validate().unwrap();
    let metas = index.packages.into_iter();
    metas.map(|meta| meta.uri.unwrap()).collect()
}

#[test]
fn packages_of_a_folder_are_indexed() {
    let place = Place::new();
    place.write("packages/b-1.stone", package(&meta("b")));
    place.write("packages/below/a #1+2.stone", package(&meta("a")));
    place.write("packages/c:3.stone", package(&meta("c")));
    place.write("packages/readme.txt", "no package");
    let ended = place.stone(&["index", "packages"]);
    insta::assert_snapshot!(ended.text());
    let bytes = place.read("packages/stone.index");
    assert_eq!(
        uris(&bytes),
        ["below/a%20%231+2.stone", "b-1.stone", "./c:3.stone"]
    );
    let verified = place.stone(&["verify", "--packages", "packages/stone.index"]);
    assert_eq!(verified.code, Some(0), "{}", verified.err);
    // An index elsewhere leads to the same packages, and the same folder gives the same bytes.
    fs::create_dir_all(place.path("history/1/x86_64")).unwrap();
    let output = "history/1/x86_64/stone.index";
    assert_eq!(
        place.stone(&["index", "packages", "-o", output]).code,
        Some(0)
    );
    assert_eq!(uris(&place.read(output))[1], "../../../packages/b-1.stone");
    assert_eq!(place.stone(&["verify", "--packages", output]).code, Some(0));
    assert_eq!(place.stone(&["index", "packages"]).code, Some(0));
    assert_eq!(place.read("packages/stone.index"), bytes);
}

#[test]
fn nothing_is_written_when_a_package_is_wrong() {
    let place = Place::new();
    place.write("good.stone", package(&meta("good")));
    place.write("stone.index", "the old one");
    let nameless = Meta {
        name: String::new(),
        ..meta("x")
    };
    place.write("bad/nameless.stone", package(&nameless));
    let cut = package(&meta("cut"));
    place.write("bad/cut.stone", &cut[..cut.len() / 2]);
    let ended = place.stone(&["index", "."]);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(
        &place.path("").canonicalize().unwrap().display().to_string(),
        "[place]",
    );
    settings.bind(|| insta::assert_snapshot!(ended.text()));
    assert_eq!(place.read("stone.index"), b"the old one");
    assert_eq!(
        below(&place.path("")).len(),
        5,
        "no part of an index is left"
    );
}

#[test]
fn a_missing_folder_is_a_fault_of_the_system() {
    let place = Place::new();
    assert_eq!(place.stone(&["index", "nowhere"]).code, Some(2));
    fs::create_dir(place.path("there")).unwrap();
    assert_eq!(
        place
            .stone(&["index", "there", "-o", "nowhere/stone.index"])
            .code,
        Some(2)
    );
    let empty = place.stone(&["index", "there"]);
    assert_eq!(empty.code, Some(0), "{}", empty.err);
    assert_eq!(uris(&place.read("there/stone.index")), [""; 0]);
}

/// Nobody writes to it, and nobody is waited for.
#[test]
fn a_pipe_is_no_package() {
    let place = Place::new();
    let made = std::process::Command::new("mkfifo")
        .arg(place.path("pipe.stone"))
        .status();
    assert!(made.unwrap().success());
    let ended = place.stone(&["index", "."]);
    assert_eq!(ended.code, Some(1), "{}", ended.text());
    assert!(ended.err.contains("it is no regular file"), "{}", ended.err);
}
