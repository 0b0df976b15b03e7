use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::tool::{NANO, Place, below, meta, package};

fn mode(place: &Place, path: &str) -> u32 {
    fs::symlink_metadata(place.path(path))
        .unwrap()
        .permissions()
        .mode()
        & 0o7777
}

#[test]
fn a_package_is_laid_out_with_its_modes() {
    let place = Place::new();
    place.write("sample.stone", package(&meta("sample")));
    let ended = place.stone(&["extract", "sample.stone", "out"]);
    insta::assert_snapshot!("cleared", ended.text());
    insta::assert_snapshot!("laid_out", below(&place.path("out")).join("\n"));
    assert_eq!(mode(&place, "out/usr/bin/sample"), 0o755);
    assert_eq!(mode(&place, "out/usr/share/doc/two"), 0o600);
    assert_eq!(mode(&place, "out/usr/share/empty"), 0o750);
    assert_eq!(place.read("out/usr/share/doc/one"), b"one\n");
    // Nothing is replaced, and that is no error of the package.
    let again = place.stone(&["extract", "sample.stone", "out"]);
    insta::assert_snapshot!("exists", again.text());
}

#[test]
fn set_user_id_is_kept_on_request() {
    let place = Place::new();
    place.write("sample.stone", package(&meta("sample")));
    let ended = place.stone(&["extract", "--setuid", "sample.stone", "out"]);
    assert_eq!(
        ended.text(),
        "exit code: 0\n--- standard output\n--- standard error\n"
    );
    assert_eq!(mode(&place, "out/usr/bin/sample"), 0o4755);
}

#[test]
fn single_paths_are_extracted() {
    let place = Place::new();
    place.write("sample.stone", package(&meta("sample")));
    let extract = |folder: &str, paths: &[&str]| {
        let mut arguments = vec!["extract", "sample.stone", folder];
        arguments.extend(paths.iter().flat_map(|path| ["--file", path]));
        place.stone(&arguments)
    };
    assert_eq!(extract("one", &["/usr/share/doc/one"]).code, Some(0));
    assert_eq!(below(&place.path("one/usr/share")), ["doc", "doc/one"]);
    assert_eq!(
        extract("two", &["usr/share/doc/", "/usr/bin/link"]).code,
        Some(0)
    );
    assert_eq!(
        below(&place.path("two/usr/share")),
        ["doc", "doc/one", "doc/two"]
    );
    assert_eq!(below(&place.path("two/usr/bin")), ["link"]);
    assert_eq!(extract("all", &["/usr"]).code, Some(0));
    for missing in [
        "/usr/share/do",
        "/etc/passwd",
        "share/doc/one",
        "../usr/bin",
    ] {
        let ended = extract("none", &["/usr/bin/link", missing]);
        assert_eq!(ended.code, Some(1), "{missing}");
        assert!(ended.err.contains(missing), "{}", ended.err);
        assert!(!place.path("none").exists(), "nothing is unpacked");
    }
}

#[test]
fn a_real_package_is_extracted() {
    let Some(place) = Place::with_packages() else {
        return;
    };
    let ended = place.stone(&["extract", NANO, "out", "--file", "/usr/bin"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(
        below(&place.path("out")),
        ["usr", "usr/bin", "usr/bin/nano", "usr/bin/rnano"]
    );
    assert!(place.read("out/usr/bin/nano").starts_with(b"\x7fELF"));
}

#[test]
fn a_link_in_the_folder_leads_nowhere_else() {
    let place = Place::new();
    place.write("sample.stone", package(&meta("sample")));
    fs::create_dir_all(place.path("out/usr")).unwrap();
    fs::create_dir(place.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(place.path("elsewhere"), place.path("out/usr/bin")).unwrap();
    let ended = place.stone(&["extract", "sample.stone", "out"]);
    insta::assert_snapshot!(ended.text());
    assert_eq!(below(&place.path("elsewhere")), [""; 0]);
}
