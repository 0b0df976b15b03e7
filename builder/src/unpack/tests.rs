use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use proptest::prelude::*;
use tar::{Builder, EntryType, Header};

use super::{Job, Unpacked, child};

/// Writes a tar archive; names are put into the header as they are, however bad.
struct Tar(Builder<Vec<u8>>);

impl Tar {
    fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    fn add(mut self, kind: EntryType, name: &str, link: &str, content: &str) -> Self {
        let mut header = Header::new_ustar();
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        old.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o6755);
        header.set_mtime(1_000_000_000);
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.0.append(&header, content.as_bytes()).unwrap();
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.add(EntryType::Regular, name, "", content)
    }

    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

fn plain() -> Vec<u8> {
    Tar::new()
        .add(EntryType::Directory, "tool-1.0/", "", "")
        .file("tool-1.0/src/main.c", "int main;")
        .add(EntryType::Symlink, "tool-1.0/link", "src/main.c", "")
        .add(
            EntryType::Link,
            "tool-1.0/same.c",
            "tool-1.0/src/main.c",
            "",
        )
        .bytes()
}

fn unpack(archive: &[u8], strip: u32) -> (tempfile::TempDir, Result<Unpacked, String>) {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("archive");
    fs::write(&source, archive).unwrap();
    let result = child::run(Job::Archive {
        source,
        root: folder.path().to_owned(),
        directory: "a/b/target".into(),
        strip,
    });
    (folder, result)
}

fn check_plain(archive: &[u8]) {
    let (folder, result) = unpack(archive, 1);
    let unpacked = result.unwrap();
    assert_eq!((unpacked.entries, unpacked.bytes), (4, 9));
    let target = folder.path().join("a/b/target");
    assert_eq!(
        fs::read_to_string(target.join("link")).unwrap(),
        "int main;"
    );
    let metadata = target.join("same.c").metadata().unwrap();
    assert_eq!(
        metadata.ino(),
        target.join("src/main.c").metadata().unwrap().ino()
    );
    assert_eq!(metadata.mtime(), 1_000_000_000);
    assert_eq!(
        metadata.permissions().mode(),
        0o100_755,
        "no setuid bit survives"
    );
}

#[test]
fn every_kind_of_tar_is_told_by_its_content() {
    let tar = plain();
    check_plain(&tar);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar).unwrap();
    check_plain(&gzip.finish().unwrap());
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(&tar).unwrap();
    check_plain(&bzip2.finish().unwrap());
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    xz.write_all(&tar).unwrap();
    check_plain(&xz.finish().unwrap());
    check_plain(&zstd::encode_all(&tar[..], 1).unwrap());
}

#[test]
fn zip_archives_are_unpacked_with_modes_and_links() {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file("tool/run.sh", options).unwrap();
    zip.write_all(b"#!/bin/sh\n").unwrap();
    zip.add_symlink("tool/link", "run.sh", options).unwrap();
    let (folder, result) = unpack(&zip.finish().unwrap().into_inner(), 1);
    assert_eq!(result.unwrap().bytes, 10);
    let target = folder.path().join("a/b/target");
    assert_eq!(
        fs::read_link(target.join("link")).unwrap(),
        Path::new("run.sh")
    );
    assert_eq!(
        target.join("run.sh").metadata().unwrap().mode() & 0o777,
        0o755
    );
}

#[test]
fn stripping_takes_as_many_folders_as_asked() {
    let tar = Tar::new().file("a/b/deep", "1").file("top", "2").bytes();
    let (folder, result) = unpack(&tar, 2);
    assert_eq!(result.unwrap().entries, 2);
    let names: Vec<_> = fs::read_dir(folder.path().join("a/b/target"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["deep"]);
}

#[test]
fn what_would_leave_the_folder_is_refused() {
    let cases = [
        (Tar::new().file("x/../../evil", ""), "leads outside"),
        (Tar::new().file("/etc/evil", ""), "leads outside"),
        (
            Tar::new().add(EntryType::Link, "link", "../../archive", ""),
            "leads outside",
        ),
        (
            Tar::new().add(EntryType::Link, "link", "/etc/passwd", ""),
            "leads outside",
        ),
        (
            Tar::new().add(EntryType::Link, "link", "absent", ""),
            "is not there",
        ),
        (
            Tar::new()
                .add(EntryType::Symlink, "out", "../..", "")
                .file("out/evil", ""),
            "through a link",
        ),
        (
            Tar::new().add(EntryType::Symlink, "out", "/etc", "").add(
                EntryType::Link,
                "passwd",
                "out/passwd",
                "",
            ),
            "through a link",
        ),
        (
            Tar::new().add(EntryType::Symlink, "out", "/etc", "").add(
                EntryType::Directory,
                "out/evil",
                "",
                "",
            ),
            "through a link",
        ),
    ];
    for (tar, expected) in cases {
        let (folder, result) = unpack(&tar.bytes(), 0);
        let error = result.unwrap_err();
        assert!(error.contains(expected), "{error}");
        assert!(!folder.path().join("evil").exists() && !folder.path().join("a/evil").exists());
    }
}

#[test]
fn a_file_over_a_link_replaces_the_link() {
    let tar = Tar::new()
        .add(EntryType::Symlink, "name", "../../../archive", "")
        .file("name", "new");
    let (folder, result) = unpack(&tar.bytes(), 0);
    result.unwrap();
    assert_eq!(
        fs::read_to_string(folder.path().join("a/b/target/name")).unwrap(),
        "new"
    );
    assert_ne!(fs::read(folder.path().join("archive")).unwrap(), b"new");
}

#[test]
fn a_link_of_one_archive_does_not_lead_another_out() {
    let folder = tempfile::tempdir().unwrap();
    let (build, victim) = (folder.path().join("build"), folder.path().join("victim"));
    fs::create_dir(&build).unwrap();
    fs::create_dir(&victim).unwrap();
    let unpack = |tar: Tar, directory: &str| {
        let source = folder.path().join("archive");
        fs::write(&source, tar.bytes()).unwrap();
        child::run(Job::Archive {
            source,
            root: build.clone(),
            directory: directory.into(),
            strip: 0,
        })
    };
    let links = Tar::new()
        .add(EntryType::Symlink, "l", "../../victim", "")
        .add(EntryType::Directory, "d", "", "");
    unpack(links, "a").unwrap();
    let evil = || Tar::new().add(EntryType::Symlink, "c", "/etc/cron.d/x", "");
    for directory in ["a/l", "a/l/x"] {
        insta::allow_duplicates! {
            insta::with_settings!({filters => vec![(directory, "[directory]")]}, {
                insta::assert_snapshot!(unpack(evil(), directory).unwrap_err());
            });
        }
    }
    assert_eq!(fs::read_dir(&victim).unwrap().count(), 0);
    // Real recipes put one source into the folder of another.
    unpack(Tar::new().file("isl.c", ""), "a/d").unwrap();
    assert!(build.join("a/d/isl.c").exists());
}

#[test]
fn what_is_no_archive_is_named_so() {
    let (_folder, result) = unpack(b"just some text", 1);
    insta::assert_snapshot!(result.unwrap_err());
    let mut cut = zstd::encode_all(&plain()[..], 1).unwrap();
    cut.truncate(cut.len() / 2);
    let (_folder, result) = unpack(&cut, 1);
    assert!(result.unwrap_err().contains("damaged"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever the names are, nothing appears beside the target.
    #[test]
    fn no_name_leads_out(
        entries in prop::collection::vec(
            (0..4u8, "(/|\\.\\./|\\./|[ab]/){0,4}[abc]", "(/|\\.\\./|[ab]/){0,4}[abc]"), 0..8),
        strip in 0..3u32,
    ) {
        let mut tar = Tar::new();
        for (kind, name, link) in &entries {
            tar = match kind {
                0 => tar.add(EntryType::Directory, name, "", ""),
                1 => tar.add(EntryType::Symlink, name, link, ""),
                2 => tar.add(EntryType::Link, name, link, ""),
                _ => tar.file(name, "content"),
            };
        }
        let (folder, _) = unpack(&tar.bytes(), strip);
        let mut names = Vec::new();
        for parent in ["", "a", "a/b"] {
            for entry in fs::read_dir(folder.path().join(parent)).unwrap() {
                names.push(entry.unwrap().file_name());
            }
        }
        names.sort();
        prop_assert_eq!(names, ["a", "archive", "b", "target"]);
        prop_assert_eq!(fs::read(folder.path().join("archive")).unwrap(), tar_bytes(&entries));
    }
}

fn tar_bytes(entries: &[(u8, String, String)]) -> Vec<u8> {
    let mut tar = Tar::new();
    for (kind, name, link) in entries {
        tar = match kind {
            0 => tar.add(EntryType::Directory, name, "", ""),
            1 => tar.add(EntryType::Symlink, name, link, ""),
            2 => tar.add(EntryType::Link, name, link, ""),
            _ => tar.file(name, "content"),
        };
    }
    tar.bytes()
}
