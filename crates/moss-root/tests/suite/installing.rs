//! What comes to lie where.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use moss_root::{Conflict, Error, IndexFault, LINKS};
use url::Url;

use super::shelf::{Shelf, names};

/// A program, its library, the C library, and something that nobody asked for.
fn shelf() -> Shelf {
    let mut shelf = Shelf::new();
    shelf.add(
        "app",
        &["soname(libapp.so.1(x86_64))"],
        &["binary(app)"],
        &[("bin/app", "an app"), ("share/both", "app's")],
    );
    shelf.add(
        "libapp",
        &["soname(libc.so.6(x86_64))"],
        &["soname(libapp.so.1(x86_64))"],
        &[
            ("lib/libapp.so.1", "-> libapp.so.1.0"),
            ("lib/libapp.so.1.0", "a library"),
            ("share/both", "libapp's"),
        ],
    );
    shelf.add(
        "libc",
        &[],
        &["soname(libc.so.6(x86_64))"],
        &[("lib/libc.so.6", "libc")],
    );
    shelf.add("other", &[], &[], &[("bin/other", "other")]);
    shelf
}

#[tokio::test]
async fn what_is_wanted_comes_with_all_that_it_depends_on() {
    let shelf = shelf();
    let installed = shelf.install(&["app"]).await.unwrap();
    let packages: Vec<&str> = installed.packages.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(packages, ["app", "libapp", "libc"]);
    let root = shelf.path("root");
    assert_eq!(
        names(&root),
        ["bin", "lib", "lib32", "lib64", "sbin", "usr"]
    );
    for (name, target) in LINKS {
        assert_eq!(fs::read_link(root.join(name)).unwrap(), Path::new(target));
    }
    assert_eq!(names(&root.join("usr/bin")), ["app"]);
    // Through the link at the top, and that of the package.
    let library = fs::read_to_string(root.join("lib64/libapp.so.1")).unwrap();
    assert_eq!(library, "a library");
    let mode = |path: &str| fs::metadata(root.join(path)).unwrap().mode() & 0o7777;
    assert_eq!(mode("usr/bin/app"), 0o755, "nothing is set-user-id");
    assert_eq!(mode(""), 0o755);
    assert_eq!(shelf.top(), ["index", "pool", "root"]);
}

#[tokio::test]
async fn the_first_of_two_files_at_one_path_is_kept() {
    let shelf = shelf();
    let installed = shelf.install(&["binary(app)"]).await.unwrap();
    let conflict = Conflict {
        path: "/usr/share/both".to_owned(),
        first: "app".to_owned(),
        second: "libapp".to_owned(),
    };
    insta::assert_snapshot!(
        conflict,
        @"app and libapp both have /usr/share/both: that of app is kept"
    );
    assert_eq!(installed.conflicts, [conflict]);
    let kept = fs::read_to_string(shelf.path("root/usr/share/both")).unwrap();
    assert_eq!(kept, "app's");
}

#[tokio::test]
async fn an_empty_folder_is_filled_and_another_one_left_alone() {
    let shelf = shelf();
    fs::create_dir(shelf.path("root")).unwrap();
    shelf.install(&["other"]).await.unwrap();
    let error = shelf.install(&["app"]).await.unwrap_err();
    assert!(matches!(error, Error::Occupied(_)), "{error}");
    assert!(error.is_of_system());
    assert_eq!(names(&shelf.path("root/usr/bin")), ["other"]);
}

/// References of an index lead from where it was asked for.
#[tokio::test]
async fn a_channel_is_read_over_http() {
    let mut shelf = shelf();
    shelf.add("local", &[], &[], &[("share/local", "local")]);
    let local = Url::from_file_path(shelf.path("pool/local.stone")).unwrap();
    shelf.say("local", |meta| meta.uri = Some(local.to_string()));
    shelf.index();
    let router = Router::new()
        .route(
            "/main/index/stone.index",
            serve(&shelf, "index/stone.index"),
        )
        .route("/main/pool/other.stone", serve(&shelf, "pool/other.stone"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/main/", listener.local_addr().unwrap());
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move { axum::serve(listener, router).await });
    let index: Url = format!("{base}index/stone.index").parse().unwrap();

    let error = shelf.install_from(index.clone(), &["app"]).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Fetch { .. }), "{error:?}");
    // A file of this machine is none of a remote index's business.
    let error = shelf.install_from(index.clone(), &["local"]).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Fetch { .. }), "{error:?}");
    shelf.install(&["local"]).await.unwrap();
    fs::remove_dir_all(shelf.path("root")).unwrap();
    shelf.install_from(index.clone(), &["other"]).await.unwrap();

    fs::remove_dir_all(shelf.path("root")).unwrap();
    let nowhere = index.join("other.index").unwrap();
    let error = shelf.install_from(nowhere, &["other"]).await.unwrap_err();
    let Error::Index { source, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(matches!(
        **source,
        IndexFault::Status(StatusCode::NOT_FOUND)
    ));
}

fn serve(shelf: &Shelf, path: &str) -> axum::routing::MethodRouter {
    let bytes = fs::read(shelf.path(path)).unwrap();
    get(move || async move { bytes })
}
