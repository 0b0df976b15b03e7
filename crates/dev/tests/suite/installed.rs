//! The last step of the main job, on channels whose program cannot be used.

use std::fs;
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use moss_format::index::{self, Entry};
use moss_format::package::{self, Folder};
use moss_format::payload::Encoding;
use moss_format::{Limits, Meta};
use service::error::Chain;
use snekbook_dev::installed::{Error, install_and_run};
use url::Url;

use crate::program;

/// A channel with `sneksay` alone, which is a script for a shell that nobody brings.
fn channel(folder: &Path, depends: &[&str]) -> Url {
    let files = folder.join("files");
    fs::create_dir_all(files.join("bin")).unwrap();
    let script = files.join("bin/sneksay");
    fs::write(&script, "#!/bin/sh\necho hi\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let meta = Meta {
        name: "sneksay".to_owned(),
        version: "1.0".to_owned(),
        release: 1,
        build_release: 1,
        architecture: "x86_64".to_owned(),
        source_id: "sneksay".to_owned(),
        depends: depends.iter().map(|text| text.parse().unwrap()).collect(),
        ..Meta::default()
    };
    let mut content = Folder::open(&files).unwrap();
    let (layout, encoding) = (content.scan().unwrap(), Encoding::default());
    let out = Cursor::new(Vec::new());
    let written = package::write(out, &meta, &layout, &mut content, &encoding).unwrap();
    let stone = folder.join("sneksay.stone");
    fs::write(&stone, written.into_inner()).unwrap();
    let surveyed = package::survey(&[stone], 1.try_into().unwrap(), Limits::default());
    let meta = Meta {
        uri: Some("sneksay.stone".to_owned()),
        ..surveyed.into_iter().next().unwrap().unwrap()
    };
    let mut bytes = Vec::new();
    index::write(&[Entry::new(&meta, &encoding).unwrap()], &mut bytes).unwrap();
    let path = folder.join("stone.index");
    fs::write(&path, bytes).unwrap();
    Url::from_file_path(path).unwrap()
}

async fn refused(depends: &[&str]) -> (Error, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let index = channel(folder.path(), depends);
    let installed = folder.path().join("installed");
    let error = install_and_run(&index, &installed, program::BINARY.into()).await;
    let error = error.unwrap_err();
    let text = Chain(&error).to_string();
    (error, text)
}

#[tokio::test]
async fn a_channel_that_lacks_something_is_refused_in_a_clients_words() {
    let (error, text) = refused(&["soname(libc.so.6(x86_64))"]).await;
    assert!(matches!(error, Error::Install { .. }), "{error:?}");
    insta::assert_snapshot!(
        text,
        @"sneksay cannot be installed: No such name: soname(libc.so.6(x86_64)), needed by sneksay"
    );
}

/// The machine has a shell; the root in which the program runs has none.
#[tokio::test]
async fn nothing_of_the_machine_helps_a_program_out() {
    let (error, text) = refused(&[]).await;
    assert!(matches!(error, Error::Run { .. }), "{error:?}");
    assert!(
        text.contains("cannot run /usr/bin/sneksay: No such file"),
        "{text}"
    );
}
