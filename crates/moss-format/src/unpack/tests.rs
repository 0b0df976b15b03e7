use std::fs;
use std::io::Cursor;
use std::os::unix::fs::{PermissionsExt, symlink as make_symlink};
use std::path::Path;

use anyhow::Result;

use super::{Error, FolderModes, Options, SetId, unpack, unpack_before_modes, unpack_some};
use crate::content::Slice;
use crate::layout::{Entry, Kind};
use crate::package::{Package, ReadError};
use crate::stone::View;
use crate::testing::{entry, file, package, raw_package, symlink};
use crate::{Digest, Limits, content};

fn unpack_bytes(bytes: &[u8], folder: &Path, options: &Options) -> Result<(), Error> {
    unpack(&mut Package::open(Cursor::new(bytes))?, folder, options)
}

fn mode(path: &Path) -> Result<u32> {
    Ok(fs::symlink_metadata(path)?.permissions().mode() & 0o7777)
}

fn sample() -> Vec<u8> {
    let layout = [
        file("bin/tool", 0o4755, b"#!/bin/sh\n"),
        file("bin/same", 0o600, b"#!/bin/sh\n"),
        symlink("bin/away", "/etc/passwd"),
        file("share/locked/data", 0o444, b"data"),
        file("share/locked/empty", 0o644, b""),
        entry("share/locked", 0o040_500, Kind::Directory),
        entry("share/sticky", 0o041_777, Kind::Directory),
    ];
    package(&layout, &[b"#!/bin/sh\n", b"data", b""])
}

#[test]
fn files_links_and_modes_are_laid_out() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("new/root");
    unpack_bytes(&sample(), &root, &Options::default())?;
    let usr = root.join("usr");
    assert_eq!(fs::read(usr.join("bin/tool"))?, b"#!/bin/sh\n");
    assert_eq!(fs::read(usr.join("bin/same"))?, b"#!/bin/sh\n");
    assert_eq!(fs::read(usr.join("share/locked/data"))?, b"data");
    assert_eq!(fs::read(usr.join("share/locked/empty"))?, b"");
    assert_eq!(
        fs::read_link(usr.join("bin/away"))?,
        Path::new("/etc/passwd")
    );
    assert_eq!(mode(&usr)?, 0o755);
    assert_eq!(mode(&usr.join("bin"))?, 0o755);
    assert_eq!(mode(&usr.join("bin/tool"))?, 0o755);
    assert_eq!(mode(&usr.join("bin/same"))?, 0o600);
    assert_eq!(mode(&usr.join("share/locked/data"))?, 0o444);
    assert_eq!(mode(&usr.join("share/locked"))?, 0o500);
    assert_eq!(mode(&usr.join("share/sticky"))?, 0o1777);
    // The temporary folder is removed by its owner, who may not be root.
    fs::set_permissions(usr.join("share/locked"), fs::Permissions::from_mode(0o700))?;
    Ok(())
}

#[test]
fn only_what_is_wanted_is_unpacked() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bytes = sample();
    let mut package = Package::open(Cursor::new(&bytes))?;
    let wanted = |entry: &Entry| entry.target.starts_with("bin/same");
    unpack_some(&mut package, folder.path(), &Options::default(), wanted)?;
    let usr = folder.path().join("usr");
    assert_eq!(fs::read(usr.join("bin/same"))?, b"#!/bin/sh\n");
    assert_eq!(fs::read_dir(usr.join("bin"))?.count(), 1);
    assert_eq!(fs::read_dir(&usr)?.count(), 1);
    // What is not wanted is checked as well.
    let mut damaged = bytes;
    *damaged.last_mut().unwrap() ^= 1;
    let mut package = Package::open(Cursor::new(&damaged))?;
    let other = tempfile::tempdir()?;
    let outcome = unpack_some(&mut package, other.path(), &Options::default(), |_| false);
    assert!(outcome.is_err_and(|error| !error.is_of_system()));
    Ok(())
}

#[test]
fn packages_that_share_a_folder_are_unpacked_before_it_gets_its_mode() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let locked = || entry("locked", 0o040_555, Kind::Directory);
    let first = package(&[locked(), file("locked/a", 0o644, b"a")], &[b"a"]);
    // Its mode for the folder does not count: the first one made it.
    let second = [
        entry("locked", 0o040_700, Kind::Directory),
        file("locked/b", 0o644, b"b"),
    ];
    let second = package(&second, &[b"b"]);
    let path = folder.path().join("usr/locked");
    let mut modes = FolderModes::default();
    for bytes in [&first, &second] {
        let mut package = Package::open(Cursor::new(bytes))?;
        let options = Options::default();
        unpack_before_modes(&mut package, folder.path(), &options, |_| true, &mut modes)?;
        // Root may write everywhere, so that the mode is looked at.
        assert_eq!(mode(&path)? & 0o700, 0o700);
    }
    modes.set(folder.path())?;
    assert_eq!(mode(&path)?, 0o555);
    assert_eq!(fs::read_dir(&path)?.count(), 2);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
    Ok(())
}

#[test]
fn set_user_id_is_kept_on_request() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bytes = package(&[file("bin/su", 0o6755, b"su")], &[b"su"]);
    let options = Options {
        set_id: SetId::Keep,
    };
    unpack_bytes(&bytes, folder.path(), &options)?;
    assert_eq!(mode(&folder.path().join("usr/bin/su"))?, 0o6755);
    Ok(())
}

#[test]
fn two_packages_share_folders_but_not_files() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let first = package(&[file("bin/a", 0o755, b"a")], &[b"a"]);
    let second = package(&[file("bin/b", 0o755, b"b")], &[b"b"]);
    unpack_bytes(&first, folder.path(), &Options::default())?;
    unpack_bytes(&second, folder.path(), &Options::default())?;
    let again = unpack_bytes(&second, folder.path(), &Options::default());
    assert!(matches!(again, Err(Error::Exists { target }) if target == "bin/b"));
    Ok(())
}

#[test]
fn a_folder_that_exists_keeps_its_mode() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let usr = folder.path().join("usr");
    fs::create_dir_all(usr.join("old"))?;
    fs::set_permissions(usr.join("old"), fs::Permissions::from_mode(0o750))?;
    let directory = |target: &str| entry(target, 0o040_700, Kind::Directory);
    let layout = [
        directory("old"),
        directory("new"),
        file("new/a", 0o644, b"a"),
        file("old/a", 0o644, b"a"),
    ];
    unpack_bytes(
        &package(&layout, &[b"a"]),
        folder.path(),
        &Options::default(),
    )?;
    assert_eq!(mode(&usr.join("old"))?, 0o750);
    assert_eq!(mode(&usr.join("new"))?, 0o700);
    Ok(())
}

/// A package with one file at a path that no writer accepts.
fn hostile(layout: &[Entry]) -> Vec<u8> {
    let slices = [Slice {
        start: 0,
        end: 4,
        digest: Digest::of(b"evil"),
    }];
    raw_package(layout, &slices, b"evil")
}

#[test]
fn a_package_does_not_leave_the_folder() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("root");
    let outside = folder.path().join("outside");
    fs::create_dir(&outside)?;
    let out = outside.to_str().unwrap_or_default();
    let evil = |target: &str| file(target, 0o755, b"evil");
    let layouts = [
        vec![evil("../../outside/x")],
        vec![evil("a/../../../outside/x")],
        vec![symlink("a", out), evil("a/x")],
        vec![evil("a/x"), symlink("a", out)],
        vec![symlink("a", out), evil("a")],
    ];
    for layout in layouts {
        let result = unpack_bytes(&hostile(&layout), &root, &Options::default());
        assert!(
            matches!(result, Err(Error::Package(ReadError::Inconsistent(_)))),
            "{layout:?}: {result:?}"
        );
        assert_eq!(fs::read_dir(&outside)?.count(), 0);
        assert!(!root.exists(), "refused before anything was written");
    }
    Ok(())
}

#[test]
fn links_in_the_folder_are_not_followed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let outside = folder.path().join("outside");
    fs::create_dir(&outside)?;
    let bytes = package(&[file("bin/x", 0o755, b"x")], &[b"x"]);
    for link in ["usr", "usr/bin", "usr/bin/x"] {
        let root = folder.path().join(link.replace('/', "-"));
        let link = root.join(link);
        fs::create_dir_all(link.parent().unwrap_or(&root))?;
        make_symlink(&outside, &link)?;
        let result = unpack_bytes(&bytes, &root, &Options::default());
        assert!(
            matches!(result, Err(Error::NotThrough { .. } | Error::Exists { .. })),
            "{result:?}"
        );
        assert_eq!(fs::read_dir(&outside)?.count(), 0);
    }
    Ok(())
}

#[test]
fn devices_are_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let layout = [
        file("dev/file", 0o644, b"file"),
        entry("dev/sda", 0o060_600, Kind::BlockDevice),
    ];
    let bytes = package(&layout, &[b"file"]);
    let result = unpack_bytes(&bytes, folder.path(), &Options::default());
    assert!(matches!(result, Err(Error::Unsupported { target }) if target == "dev/sda"));
    assert_eq!(fs::read_dir(folder.path())?.count(), 0);
    Ok(())
}

/// A hundred paths with one content of a mebibyte.
fn repeated() -> Vec<u8> {
    let content = vec![7; 1 << 20];
    let path = |number| file(&format!("share/copy-{number}"), 0o644, &content);
    let layout: Vec<Entry> = (0..100).map(path).collect();
    package(&layout, &[&content])
}

#[test]
fn one_content_at_many_paths_is_cut_at_the_limit() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("root");
    let bytes = repeated();
    let within = |unpacked| Limits {
        content: 2 << 20,
        unpacked,
        ..Limits::default()
    };
    let open = |limits| Package::open_within(Cursor::new(&bytes), limits);
    let mut package = open(within(10 << 20))?;
    package.verify()?;
    let all = 100 << 20;
    assert_eq!(package.unpacked_size(package.layout()), all);
    let refused = unpack(&mut package, &root, &Options::default());
    assert!(
        matches!(refused, Err(Error::Limit { what: "bytes", size, limit: 0xa0_0000 }) if size == all),
        "{refused:?}"
    );
    assert!(!root.exists(), "nothing was written");
    // What is not wanted does not count.
    let ten = |entry: &Entry| entry.target.starts_with("share/copy-9") && entry.target.len() > 12;
    unpack_some(&mut package, &root, &Options::default(), ten)?;
    assert_eq!(fs::read_dir(root.join("usr/share"))?.count(), 10);
    let other = folder.path().join("other");
    unpack(&mut open(within(all))?, &other, &Options::default())?;
    assert_eq!(fs::read_dir(other.join("usr/share"))?.count(), 100);
    Ok(())
}

#[test]
fn paths_are_counted_with_their_folders_and_cut_at_the_limit() -> Result<()> {
    let folder = tempfile::tempdir()?;
    // Folders: a, a/b, a/b/c, a/d, a!b, e; and seven entries, one of which is one of these.
    let layout = [
        symlink("a/b/c/one", "x"),
        symlink("a/b/c/two", "x"),
        entry("a/b/c", 0o040_700, Kind::Directory),
        symlink("a!b/c", "x"),
        symlink("a/d/one", "x"),
        symlink("e/f", "x"),
        symlink("g", "x"),
    ];
    let bytes = package(&layout, &[]);
    let unpack_within = |unpacked_paths, root: &str| {
        let limits = Limits {
            unpacked_paths,
            ..Limits::default()
        };
        let mut package = Package::open_within(Cursor::new(&bytes), limits)?;
        unpack(&mut package, &folder.path().join(root), &Options::default())
    };
    let refused = unpack_within(11, "less");
    assert!(
        matches!(
            refused,
            Err(Error::Limit {
                what: "paths",
                size: 12,
                limit: 11
            })
        ),
        "{refused:?}"
    );
    assert!(!folder.path().join("less").exists());
    unpack_within(12, "enough")?;
    let deep = "x/".repeat(1000);
    let layout: Vec<Entry> = (0..5000)
        .map(|number| symlink(&format!("{number}/{deep}x"), "x"))
        .collect();
    let bomb = package(&layout, &[]);
    assert!(bomb.len() < 100_000, "{}", bomb.len());
    let refused = unpack_bytes(&bomb, &folder.path().join("deep"), &Options::default());
    assert!(matches!(refused, Err(Error::Limit { what: "paths", .. })));
    Ok(())
}

#[test]
fn damaged_content_is_found() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let slices = [Slice {
        start: 0,
        end: 4,
        digest: Digest::of(b"good"),
    }];
    let bytes = raw_package(&[file("a", 0o644, b"good")], &slices, b"evil");
    let result = unpack_bytes(&bytes, folder.path(), &Options::default());
    assert!(matches!(
        result,
        Err(Error::Package(ReadError::Content(content::Error::Digest {
            offset: 0,
            ..
        })))
    ));
    Ok(())
}

#[test]
fn a_contradiction_is_named_with_its_place() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bytes = raw_package(&[symlink("a", "x"), symlink("a", "y")], &[], b"");
    let error = unpack_bytes(&bytes, folder.path(), &Options::default()).unwrap_err();
    let layout = View::new(&bytes)?.payloads().nth(1).unwrap()?.offset();
    assert_eq!(
        error.to_string(),
        format!(
            "the path \"a\" stands twice in the layout (record 1 of the payload at byte {layout})"
        )
    );
    Ok(())
}
