//! What is refused, in which words, and that nothing is left of it.

use std::fs;

use moss_root::Error;

use super::shelf::Shelf;

/// Installs `wanted`, which must fail and leave nothing; gives the error and its causes.
async fn refused(shelf: &Shelf, wanted: &[&str]) -> (Error, String) {
    let before = shelf.top();
    let error = shelf.install(wanted).await.unwrap_err();
    assert_eq!(shelf.top(), before, "nothing is left: {error}");
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    (error, text)
}

#[tokio::test]
async fn what_nobody_provides_is_named_with_those_who_need_it() {
    let mut shelf = Shelf::new();
    shelf.add(
        "app",
        &["lib", "interpreter(/lib64/ld.so(x86_64))"],
        &[],
        &[("a", "a")],
    );
    shelf.add("lib", &["soname(libc.so.6(x86_64))"], &[], &[("b", "b")]);
    let (error, text) = refused(&shelf, &["app", "unknown"]).await;
    assert!(!error.is_of_system());
    insta::assert_snapshot!(text);
    let (_, text) = refused(&shelf, &[]).await;
    insta::assert_snapshot!(text, @"no package is named");
}

#[tokio::test]
async fn a_stone_is_what_the_index_says() {
    let mut shelf = Shelf::new();
    shelf.add("one", &[], &[], &[("one", "1")]);
    shelf.add("two", &[], &[], &[("two", "2")]);
    // Its bytes are others than those that the index names.
    let path = shelf.path("pool/one.stone");
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (error, text) = refused(&shelf, &["one"]).await;
    assert!(matches!(error, Error::Fetch { .. }), "{error:?}");
    assert!(!error.is_of_system());
    assert!(text.contains("SHA-256"), "{text}");

    // It is another version than the index says.
    shelf.say("two", |meta| meta.version = "2.0".to_owned());
    let (error, text) = refused(&shelf, &["two"]).await;
    assert!(matches!(error, Error::OtherPackage { .. }), "{error:?}");
    insta::assert_snapshot!(text, @"the stone of the package two 2.0-1 is that of two 1.0-1");
}

#[tokio::test]
async fn no_file_goes_through_the_link_of_another_package() {
    let mut shelf = Shelf::new();
    fs::create_dir(shelf.path("outside")).unwrap();
    let outside = format!("-> {}", shelf.path("outside").display());
    shelf.add("first", &[], &[], &[("lib/app", &outside)]);
    shelf.add("second", &["first"], &[], &[("lib/app/file", "escaped")]);
    let (error, text) = refused(&shelf, &["second"]).await;
    assert!(matches!(error, Error::Lay { .. }), "{error:?}");
    assert!(text.contains("no directory"), "{text}");
    assert_eq!(fs::read_dir(shelf.path("outside")).unwrap().count(), 0);
}

#[tokio::test]
async fn what_is_no_index_is_told() {
    let shelf = Shelf::new();
    let index = shelf.index();
    fs::write(index.to_file_path().unwrap(), "<html>").unwrap();
    let error = shelf.install_from(index.clone(), &["app"]).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Index { .. }) && !error.is_of_system());
    let ftp = index.as_str().replace("file:", "ftp:").parse().unwrap();
    let error = shelf.install_from(ftp, &["app"]).await.unwrap_err();
    assert!(matches!(error, Error::Index { .. }) && !error.is_of_system());
    assert_eq!(shelf.top(), ["index", "pool"]);
}
