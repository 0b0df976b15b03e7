use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;
use std::os::unix::fs::{PermissionsExt, symlink as make_symlink};

use proptest::prelude::*;

use super::{
    Contradiction, Folder, Inconsistent, Package, Place, ReadError, Surveyor, WriteError, write,
    write_keeping,
};
use crate::content::Slice;
use crate::layout::{Entry, Kind};
use crate::payload::{self, Encoding, Kind as PayloadKind, Level};
use crate::stone::{self, FileType, View};
use crate::testing::{
    FAST, Memory, entry, file, meta, package, plain_payload, raw_package, stone, symlink,
    unknown_payloads,
};
use crate::{Digest, Limits, Meta, attributes};

fn open(bytes: &[u8]) -> Result<Package<Cursor<&[u8]>>, ReadError> {
    Package::open(Cursor::new(bytes))
}

fn inconsistent(bytes: &[u8]) -> Inconsistent {
    match open(bytes).unwrap().verify() {
        Err(ReadError::Inconsistent(inconsistent)) => inconsistent,
        other => panic!("{other:?}"),
    }
}

fn slice(start: u64, bytes: &[u8]) -> Slice {
    Slice {
        start,
        end: start + bytes.len() as u64,
        digest: Digest::of(bytes),
    }
}

fn sample() -> Vec<Entry> {
    vec![
        file("bin/small", 0o755, b"small"),
        file("bin/large", 0o755, b"much larger"),
        file("bin/same", 0o644, b"small"),
        symlink("bin/link", "large"),
        file("share/empty", 0o644, b""),
        file("share/other", 0o644, b"other"),
        entry("share/folder", 0o040_700, Kind::Directory),
    ]
}

const SAMPLE_FILES: [&[u8]; 4] = [b"small", b"much larger", b"", b"other"];

#[test]
fn a_package_reads_back_with_its_largest_file_first() {
    let bytes = package(&sample(), &SAMPLE_FILES);
    let mut package = open(&bytes).unwrap();
    package.verify().unwrap();
    assert_eq!(package.meta(), &meta("test"));
    assert_eq!(package.layout(), sample());
    let expected = [
        slice(0, b"much larger"),
        slice(11, b"small"),
        slice(16, b"other"),
        slice(21, b""),
    ];
    assert_eq!(package.slices(), expected);
    let kinds: Vec<_> = package
        .reader()
        .payloads()
        .iter()
        .map(|at| at.header().kind)
        .collect();
    let expected = [
        PayloadKind::Meta,
        PayloadKind::Layout,
        PayloadKind::Index,
        PayloadKind::Content,
    ];
    assert_eq!(kinds, expected);
}

/// 16 MiB, of which some parts repeat and some do not compress: several of the
/// pieces that zstd gives to its workers.
fn mixed() -> Vec<u8> {
    let mut state = 0_u64;
    let mut bytes = Vec::with_capacity(16 << 20);
    while bytes.len() < 16 << 20 {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        let noise = (state ^ (state >> 29)).to_le_bytes();
        bytes.extend_from_slice(&noise);
        if bytes.len() & 0x3000 == 0 {
            bytes.extend_from_slice(b"the same again and again");
        }
    }
    bytes
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let large = mixed();
    let layout = [file("large", 0o644, &large), file("small", 0o644, b"small")];
    let threads = |workers| {
        let encoding = Encoding { workers, ..FAST };
        let mut contents = Memory::of(&[&large, b"small"]);
        let out = Cursor::new(Vec::new());
        write(out, &meta("test"), &layout, &mut contents, &encoding)
            .unwrap()
            .into_inner()
    };
    // No assert_eq: nobody wants to see the bytes.
    let alone = threads(0);
    assert!(alone == threads(0));
    let one = threads(1);
    for workers in [1, 2, 4] {
        assert!(one == threads(workers), "{workers} workers");
    }
    // Were they the same, the input would be too small for more than one worker.
    assert!(alone != one);
    assert!(alone.len() < 16 << 20);
}

#[test]
fn what_a_package_does_not_carry_is_left_out() {
    let meta = Meta {
        uri: Some("x".to_owned()),
        hash: Some("y".to_owned()),
        size: Some(1),
        build_depends: vec!["gcc".parse().unwrap()],
        ..meta("test")
    };
    let out = Cursor::new(Vec::new());
    let out = write(out, &meta, &[], &mut Memory::default(), &FAST).unwrap();
    let package = open(out.get_ref()).unwrap();
    assert_eq!(package.meta(), &crate::testing::meta("test"));
}

#[test]
fn a_package_without_files_has_no_content() {
    let payloads = |layout: &[Entry]| {
        let bytes = package(layout, &[]);
        let mut package = open(&bytes).unwrap();
        package.verify().unwrap();
        package.reader().payloads().len()
    };
    assert_eq!(payloads(&[]), 1);
    assert_eq!(payloads(&[symlink("a", "b")]), 2);
}

#[test]
fn one_file_is_extracted_and_checked() {
    let bytes = package(&sample(), &SAMPLE_FILES);
    let mut package = open(&bytes).unwrap();
    let mut out = Vec::new();
    package.extract(Digest::of(b"other"), &mut out).unwrap();
    assert_eq!(out, b"other");
    let missing = package.extract(Digest::of(b"missing"), &mut out);
    assert!(matches!(missing, Err(ReadError::NoFile { .. })));
}

#[test]
fn a_file_that_changed_is_not_packaged() {
    for bytes in [&b"smell"[..], b"small and more", b""] {
        let mut contents = Memory::of(&SAMPLE_FILES);
        contents.swap(Digest::of(b"small"), bytes);
        let out = Cursor::new(Vec::new());
        let error = write(out, &meta("test"), &sample(), &mut contents, &FAST).unwrap_err();
        assert!(matches!(error, WriteError::Changed { target, .. } if target == "bin/small"));
    }
}

/// Where the payload of this kind begins.
fn payload_at(bytes: &[u8], kind: PayloadKind) -> u64 {
    let mut payloads = View::new(bytes).unwrap().payloads().map(Result::unwrap);
    let found = payloads.find(|payload| payload.header().kind == kind);
    found.unwrap().offset()
}

#[test]
fn paths_that_contradict_each_other_are_found() {
    let folder = |target| entry(target, 0o040_755, Kind::Directory);
    let check = |layout: &[Entry]| {
        let bytes = raw_package(layout, &[], b"");
        let Inconsistent { place, what } = inconsistent(&bytes);
        assert_eq!(place.payload, payload_at(&bytes, PayloadKind::Layout));
        (place.record, what)
    };
    assert!(matches!(
        check(&[folder("x"), folder("../x")]),
        (Some(1), Contradiction::Path(_))
    ));
    assert!(matches!(
        check(&[folder("a"), folder("b"), symlink("a", "b")]),
        (Some(2), Contradiction::PathTwice { target }) if target == "a"
    ));
    assert!(matches!(
        check(&[symlink("a/b/c", "x"), symlink("a", "/")]),
        (Some(0), Contradiction::BelowFile { target, parent })
            if target == "a/b/c" && parent == "a"
    ));
    // Names that sort between a path and what lies below it.
    assert!(matches!(
        check(&[symlink("a", "x"), folder("a!b"), folder("a b"), folder("a/b")]),
        (Some(3), Contradiction::BelowFile { target, .. }) if target == "a/b"
    ));
    let fine = [
        folder("a"),
        folder("a/b"),
        symlink("a b", "x"),
        folder("a b c"),
    ];
    open(&raw_package(&fine, &[], b""))
        .unwrap()
        .verify()
        .unwrap();
    let written = write(
        Cursor::new(Vec::new()),
        &meta("test"),
        &[folder("../x")],
        &mut Memory::default(),
        &FAST,
    );
    assert!(matches!(
        written,
        Err(WriteError::Inconsistent(Contradiction::Path(_)))
    ));
}

#[test]
fn layout_and_index_must_name_the_same_files() {
    let a = file("a", 0o644, b"a");
    let link = symlink("link", "a");
    let check = |layout: &[Entry], slices: &[Slice], content: &[u8], kind, number| {
        let bytes = raw_package(layout, slices, content);
        let Inconsistent { place, what } = inconsistent(&bytes);
        let payload = payload_at(&bytes, kind);
        let record = Some(number);
        assert_eq!(place, Place { payload, record });
        what
    };
    let (in_layout, in_index) = (PayloadKind::Layout, PayloadKind::Index);
    assert!(matches!(
        check(&[link.clone(), a.clone()], &[], b"", in_layout, 1),
        Contradiction::NoContent { .. }
    ));
    assert!(matches!(
        check(&[link], &[slice(0, b"a")], b"a", in_index, 0),
        Contradiction::Unused { .. }
    ));
    assert!(matches!(
        check(&[a], &[slice(0, b"a"), slice(1, b"a")], b"aa", in_index, 1),
        Contradiction::FileTwice { .. }
    ));
}

#[test]
fn half_of_the_files_is_named_by_its_payload() {
    let whole = package(&sample(), &SAMPLE_FILES);
    let without = |kind: PayloadKind, other: PayloadKind| {
        let payloads = View::new(&whole).unwrap().payloads().map(Result::unwrap);
        let kept: Vec<_> = payloads
            .filter(|payload| payload.header().kind != kind)
            .collect();
        let bytes = stone(FileType::Package, &kept);
        let found = inconsistent(&bytes);
        let payload = payload_at(&bytes, other);
        let record = None;
        assert_eq!(found.place, Place { payload, record });
        assert_eq!(found.what, Contradiction::Halved);
        found.to_string()
    };
    without(PayloadKind::Content, PayloadKind::Index);
    let text = without(PayloadKind::Index, PayloadKind::Content);
    assert!(text.contains("(the payload at byte "), "{text}");
}

#[test]
fn a_part_of_a_later_version_only_is_named() {
    let whole = package(&sample(), &SAMPLE_FILES);
    for part in [
        PayloadKind::Layout,
        PayloadKind::Index,
        PayloadKind::Content,
    ] {
        let payload = payload_at(&whole, part);
        let header = usize::try_from(payload).unwrap();
        for (at, byte) in [(header + 29, 2), (header + 31, 9)] {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            let found = inconsistent(&bytes);
            assert_eq!(found.what, Contradiction::NotUnderstood { part });
            assert_eq!(found.place.payload, payload);
        }
    }
    let mut bytes = whole;
    bytes[32 + 31] = 9;
    assert!(
        matches!(open(&bytes), Err(ReadError::NoMeta { payloads: 4, end })
        if end == bytes.len() as u64)
    );
}

#[test]
fn a_second_payload_of_a_kind_is_refused() {
    let one = meta("test").encode(&FAST).unwrap();
    let bytes = stone(FileType::Package, &[one.clone(), one.clone()]);
    let second = 64 + one.stored().len() as u64;
    assert!(matches!(
        open(&bytes),
        Err(ReadError::Twice { offset, .. }) if offset == second
    ));
    let bytes = stone(FileType::Package, &[]);
    assert!(matches!(
        open(&bytes),
        Err(ReadError::NoMeta {
            payloads: 0,
            end: 32
        })
    ));
}

#[test]
fn unknown_payloads_are_passed_over_but_verified() {
    let unknown = plain_payload(PayloadKind::Other(42), 3, b"from the future");
    let known = meta("test").encode(&FAST).unwrap();
    let mut bytes = stone(FileType::Package, &[known, unknown]);
    open(&bytes).unwrap().verify().unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    assert!(open(&bytes).unwrap().verify().is_err());
}

/// Nothing acts on attributes, and yet a package with malformed ones is not sound.
#[test]
fn attributes_are_verified() {
    let known = || meta("test").encode(&FAST).unwrap();
    let malformed = plain_payload(PayloadKind::Attributes, 7, b"garbage");
    let bytes = stone(FileType::Package, &[known(), malformed]);
    assert!(matches!(
        open(&bytes).unwrap().verify(),
        Err(ReadError::Stone(stone::Error::Attributes { .. }))
    ));
    let damaged = {
        let compressed = attributes::encode(&[], &FAST);
        assert!(compressed.is_err(), "no writer makes an empty one");
        let mut header = *plain_payload(PayloadKind::Attributes, 1, b"no zstd").header();
        header.compression = payload::Compression::Zstd;
        payload::Encoded::found(header, b"no zstd"[..].into(), 0)
    };
    let bytes = stone(FileType::Package, &[known(), damaged]);
    assert!(matches!(
        open(&bytes).unwrap().verify(),
        Err(ReadError::Stone(stone::Error::Payload(
            payload::Error::Decompress { .. }
        )))
    ));
}

/// Clients reject it, and so no package with one is sound.
#[test]
fn a_part_without_records_is_named() {
    let known = meta("test").encode(&FAST).unwrap();
    for part in [PayloadKind::Layout, PayloadKind::Index] {
        let empty = plain_payload(part, 0, b"");
        let bytes = stone(FileType::Package, &[known.clone(), empty]);
        assert_eq!(inconsistent(&bytes).what, Contradiction::Empty { part });
    }
}

#[test]
fn a_link_that_no_system_takes_is_named() {
    let long = |length| raw_package(&[symlink("a", &"x".repeat(length))], &[], b"");
    open(&long(4095)).unwrap().verify().unwrap();
    assert!(matches!(
        inconsistent(&long(4096)).what,
        Contradiction::LinkText { length: 4096, .. }
    ));
}

/// The payloads of a package, with others put in between.
fn with_others(bytes: &[u8]) -> Vec<u8> {
    let payloads: Result<Vec<_>, _> = View::new(bytes).unwrap().payloads().collect();
    let [meta, layout, index, content] = payloads.unwrap().try_into().unwrap();
    let [kind, compression, version] = unknown_payloads();
    let pair = attributes::Attribute {
        key: b"key".to_vec(),
        value: b"value".to_vec(),
    };
    let attributes = attributes::encode(&[pair], &FAST).unwrap();
    let all = [
        compression,
        meta,
        kind.clone(),
        attributes,
        layout,
        version,
        index,
        content,
        kind,
    ];
    stone(FileType::Package, &all)
}

#[test]
fn payloads_that_are_not_understood_keep_their_places() {
    let bytes = with_others(&package(&sample(), &SAMPLE_FILES));
    let mut package = open(&bytes).unwrap();
    package.verify().unwrap();
    let kept = package.kept().unwrap();
    let places: Vec<usize> = kept.iter().map(|kept| kept.place).collect();
    assert_eq!(places, [0, 1, 1, 2, 4]);
    let surveyed = Surveyor::default().read(&bytes[..]).unwrap();
    assert_eq!(surveyed.name, package.meta().name);
    let out = Cursor::new(Vec::new());
    let (meta, layout) = (package.meta(), package.layout());
    let mut contents = Memory::of(&SAMPLE_FILES);
    let again = write_keeping(out, meta, layout, &mut contents, &FAST, &kept).unwrap();
    assert_eq!(again.into_inner(), bytes);
    let limits = Limits {
        payload: 16 << 10,
        payloads: 1000,
        ..Limits::default()
    };
    let large = plain_payload(PayloadKind::Other(9), 1, &[0; 999]);
    let known = self::meta("test").encode(&FAST).unwrap();
    let bytes = stone(FileType::Package, &[known, large.clone(), large]);
    let mut package = Package::open_within(Cursor::new(&bytes), limits).unwrap();
    assert!(matches!(
        package.kept(),
        Err(stone::Error::Payload(payload::Error::Limit {
            size: 1998,
            ..
        }))
    ));
}

#[test]
fn a_folder_is_scanned_depth_first() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let root = folder.path();
    for path in ["bin", "share/doc", "share/empty", "share/secret"] {
        fs::create_dir_all(root.join(path))?;
    }
    fs::write(root.join("bin/b"), b"b")?;
    fs::write(root.join("bin/B"), b"B")?;
    fs::write(root.join("share/doc/readme"), b"")?;
    fs::write(root.join("share/secret/key"), b"key")?;
    make_symlink("../bin/b", root.join("share/link"))?;
    let modes = [
        ("bin/b", 0o755),
        ("bin/B", 0o4755),
        ("share/doc/readme", 0o644),
    ];
    let folders = [
        ("bin", 0o755),
        ("share", 0o755),
        ("share/doc", 0o755),
        ("share/empty", 0o755),
    ];
    let secret = [("share/secret/key", 0o600), ("share/secret", 0o700)];
    for (path, mode) in modes.into_iter().chain(folders).chain(secret) {
        fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode))?;
    }
    let mut source = Folder::open(root)?;
    let entries = source.scan()?;
    let lines = entries
        .iter()
        .map(|entry| format!("{:06o} {} {:?}", entry.mode, entry.target, entry.kind));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    let out = write(
        Cursor::new(Vec::new()),
        &meta("test"),
        &entries,
        &mut source,
        &FAST,
    )?;
    let mut package = open(out.get_ref())?;
    package.verify()?;
    assert_eq!(package.layout(), entries);
    Ok(())
}

/// A disk that fails after some bytes.
struct Failing<'a> {
    bytes: Cursor<&'a [u8]>,
    good: u64,
}

impl std::io::Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.bytes.position() >= self.good {
            return Err(rustix::io::Errno::IO.into());
        }
        self.bytes.read(buffer)
    }
}

impl std::io::Seek for Failing<'_> {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.bytes.seek(to)
    }
}

#[test]
fn a_failing_disk_is_told_from_a_bad_package() {
    let bytes = package(&sample(), &SAMPLE_FILES);
    let content = payload_at(&bytes, PayloadKind::Content) + 32;
    for good in [0, 40, content] {
        let failing = Failing {
            bytes: Cursor::new(&bytes),
            good,
        };
        let error = Package::open(failing)
            .and_then(|mut package| package.verify())
            .unwrap_err();
        assert!(error.is_of_system(), "{good}: {error:?}");
    }
    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() ^= 0xff;
    let error = open(&damaged).unwrap().verify().unwrap_err();
    assert!(!error.is_of_system(), "{error:?}");
}

/// The contents that files are made of; several paths have one of them.
const POOL: [&[u8]; 5] = [b"", b"a", b"b", b"some longer text", &[0; 5000]];

fn any_entry_kind() -> impl Strategy<Value = (u32, Kind)> {
    let mode = 0..0o10_000_u32;
    let content = prop::sample::select(POOL.map(Digest::of).to_vec());
    prop_oneof![
        3 => (mode.clone(), content).prop_map(|(mode, digest)| {
            (0o100_000 | mode, Kind::Regular(digest))
        }),
        1 => "[^\0]{1,9}".prop_map(|text| (0o120_777, Kind::Symlink(text))),
        2 => mode.clone().prop_map(|mode| (0o040_000 | mode, Kind::Directory)),
        1 => mode.prop_map(|mode| (0o010_000 | mode, Kind::Fifo)),
    ]
}

/// A layout with anything in it that can stand beside each other, in any order.
fn any_layout() -> impl Strategy<Value = Vec<Entry>> {
    let target = "[ab]{1,2}(/[ab ]{1,2}){0,3}";
    let paths = prop::collection::btree_map(target, any_entry_kind(), 0..12);
    let possible = paths.prop_map(|paths| {
        let is_folder = |parent: &str| {
            let there = paths.get(parent);
            there.is_none_or(|(_, kind)| *kind == Kind::Directory)
        };
        let parents = |target: &str| -> Vec<String> {
            let slashes = target.match_indices('/');
            slashes.map(|(at, _)| target[..at].to_owned()).collect()
        };
        let fits = |target: &&String| parents(target).iter().all(|parent| is_folder(parent));
        let targets: Vec<&String> = paths.keys().filter(fits).collect();
        let new = |target: &&String| {
            let (mode, kind) = paths[*target].clone();
            entry(target, mode, kind)
        };
        targets.iter().map(new).collect::<Vec<Entry>>()
    });
    possible.prop_shuffle()
}

proptest! {
    #[test]
    fn any_layout_reads_back(layout in any_layout(), level in 1..6, workers in 0..3_u32) {
        let level = Level::new(level).unwrap();
        let encoding = Encoding { level, workers };
        let out = Cursor::new(Vec::new());
        let mut contents = Memory::of(&POOL);
        let bytes = write(out, &meta("test"), &layout, &mut contents, &encoding)
            .unwrap()
            .into_inner();
        let mut package = open(&bytes).unwrap();
        package.verify().unwrap();
        prop_assert_eq!(package.layout(), &layout);
        let distinct: BTreeSet<Digest> = layout.iter().filter_map(Entry::digest).collect();
        let slices = package.slices().to_vec();
        prop_assert_eq!(slices.len(), distinct.len(), "each content once");
        prop_assert!(slices.is_sorted_by_key(|slice| std::cmp::Reverse(slice.size())));
        let mut unpacked = 0;
        for bytes in POOL {
            let digest = Digest::of(bytes);
            let paths = layout.iter().filter(|entry| entry.digest() == Some(digest));
            unpacked += paths.count() as u64 * bytes.len() as u64;
            let mut out = Vec::new();
            let extracted = package.extract(digest, &mut out);
            prop_assert_eq!(extracted.is_ok(), distinct.contains(&digest));
            if extracted.is_ok() {
                prop_assert_eq!(out, bytes);
            }
        }
        prop_assert_eq!(package.unpacked_size(&layout), unpacked);
    }

    #[test]
    fn any_files_read_back(files in prop::collection::btree_map("[a-z]{1,8}", any::<Vec<u8>>(), 0..8)) {
        let layout: Vec<Entry> = files.iter().map(|(name, bytes)| file(name, 0o644, bytes)).collect();
        let contents: Vec<&[u8]> = files.values().map(Vec::as_slice).collect();
        let bytes = package(&layout, &contents);
        let mut package = open(&bytes).unwrap();
        package.verify().unwrap();
        prop_assert_eq!(package.layout(), &layout);
        for bytes in contents {
            let mut out = Vec::new();
            package.extract(Digest::of(bytes), &mut out).unwrap();
            prop_assert_eq!(out, bytes);
        }
    }
}
