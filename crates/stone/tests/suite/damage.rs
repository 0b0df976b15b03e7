//! Damaged copies: each is named, by `verify` at the latest, and never by a crash.

use std::fs;

use moss_format::layout::{self, Entry, Kind};
use moss_format::payload::{self, Encoding};
use moss_format::stone::{self, View};
use moss_format::{Index, Meta};

use super::tool::{NANO, Place, meta, package};

fn index(metas: Vec<Meta>) -> Vec<u8> {
    Index::new(metas).encode(&Encoding::default()).unwrap()
}

fn listed(name: &str, bytes: &[u8], hash: &str) -> Meta {
    Meta {
        uri: Some(format!("{name}.stone")),
        hash: Some(hash.to_owned()),
        size: Some(bytes.len() as u64),
        ..meta(name)
    }
}

/// The places where a payload or its header begins or ends.
fn boundaries(bytes: &[u8]) -> Vec<usize> {
    let mut at = vec![0, 4, 31, 32];
    for payload in View::new(bytes).unwrap().payloads() {
        let payload = payload.unwrap();
        let start = usize::try_from(payload.offset()).unwrap();
        let header = usize::try_from(payload::HEADER_SIZE).unwrap();
        at.extend([start, start + 1, start + header, start + header + 1]);
    }
    at.push(bytes.len() - 1);
    at.retain(|at| *at < bytes.len());
    at.sort_unstable();
    at.dedup();
    at
}

/// Verifies all of these at once, and expects every one to be named as wrong.
fn all_are_named(place: &Place, names: &[String]) -> String {
    let mut arguments = vec!["verify"];
    arguments.extend(names.iter().map(String::as_str));
    let ended = place.stone(&arguments);
    assert_eq!(ended.code, Some(1), "{}", ended.text());
    assert_eq!(ended.out, "");
    for name in names {
        let named = format!("error: {name}: ");
        assert_eq!(
            ended.err.matches(&named).count(),
            1,
            "{name}\n{}",
            ended.err
        );
    }
    assert_eq!(ended.err.lines().count(), names.len(), "{}", ended.err);
    ended.err
}

fn cut_everywhere(place: &Place, bytes: &[u8]) -> Vec<String> {
    let cut = |at: usize| {
        let name = format!("cut-at-{at}");
        place.write(&name, &bytes[..at]);
        name
    };
    boundaries(bytes).into_iter().map(cut).collect()
}

#[test]
fn a_package_cut_at_any_boundary_is_named() {
    let place = Place::new();
    let names = cut_everywhere(&place, &package(&meta("sample")));
    let said = all_are_named(&place, &names);
    assert_eq!(said.matches("ends early").count(), names.len(), "{said}");
    for name in names {
        for command in ["inspect", "extract"] {
            let mut arguments = vec![command, &name];
            arguments.extend((command == "extract").then_some("out"));
            assert_eq!(place.stone(&arguments).code, Some(1), "{command} {name}");
        }
    }
}

#[test]
fn a_real_package_cut_at_any_boundary_is_named() {
    let Some(place) = Place::with_packages() else {
        return;
    };
    let names = cut_everywhere(&place, &place.read(NANO));
    all_are_named(&place, &names);
}

#[test]
fn a_flipped_byte_is_named_wherever_it_is() {
    let place = Place::new();
    for (kind, bytes) in [
        ("package", package(&meta("sample"))),
        (
            "index",
            index(vec![listed("sample", b"x", &"0".repeat(64))]),
        ),
    ] {
        // An index may have payloads of a later version, kind or compression.
        let is_kind = |at: usize| kind == "index" && (60..64).contains(&at);
        let read = (0..bytes.len()).filter(|at| !is_kind(*at));
        let flipped = read.map(|at| {
            let name = format!("{kind}-{at}");
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x10;
            place.write(&name, bytes);
            name
        });
        let names: Vec<String> = flipped.collect();
        all_are_named(&place, &names);
    }
}

#[test]
fn bytes_behind_the_end_are_named() {
    let place = Place::new();
    place.write(
        "longer.stone",
        [&package(&meta("sample"))[..], b"more"].concat(),
    );
    place.write("text.stone", "just some text, and no stone at all");
    place.write("empty.stone", "");
    let names = ["longer.stone", "text.stone", "empty.stone"].map(str::to_owned);
    insta::assert_snapshot!(all_are_named(&place, &names));
}

#[test]
fn all_files_are_looked_at_and_the_worst_counts() {
    let place = Place::new();
    place.write("good.stone", package(&meta("sample")));
    place.write("bad.stone", "bad");
    fs::create_dir(place.path("folder.stone")).unwrap();
    let files = ["missing.stone", "bad.stone", "folder.stone", "good.stone"];
    let ended = place.stone(&[&["verify"], &files[..]].concat());
    insta::assert_snapshot!(ended.text());
}

/// What a kind of file has no use for is not looked into, and verify says so.
#[test]
fn what_is_not_understood_is_counted() {
    let place = Place::new();
    let entry = Entry {
        uid: 0,
        gid: 0,
        mode: 0o040_755,
        tag: 0,
        kind: Kind::Directory,
        target: "share".to_owned(),
    };
    let layout = layout::encode(&[entry], &Encoding::default()).unwrap();
    let mut writer = stone::Writer::new(Vec::new(), stone::FileType::Manifest, 1).unwrap();
    writer.payload(&layout).unwrap();
    let bytes = writer.finish().unwrap();
    place.write("odd.bin", bytes);
    let ended = place.stone(&["verify", "odd.bin"]);
    assert_eq!(
        ended.out,
        "odd.bin: build manifest, sound, with 1 payload that is not understood\n"
    );
}

/// Each fault of an index as a whole comes with its place.
#[test]
fn an_index_out_of_order_or_with_a_hash_twice_is_named() {
    let place = Place::new();
    let metas = ["a", "b"].map(|name| listed(name, b"x", &format!("{name:0>64}")));
    let sound = index(metas.to_vec());
    let payloads: Vec<_> = View::new(&sound)
        .unwrap()
        .payloads()
        .map(Result::unwrap)
        .collect();
    let write = |name: &str, payloads: &[&payload::Encoded<'_>]| {
        let out = Vec::new();
        let mut writer = stone::Writer::new(out, stone::FileType::Index, payloads.len()).unwrap();
        for payload in payloads {
            writer.payload(payload).unwrap();
        }
        place.write(name, writer.finish().unwrap());
    };
    write("order.index", &[&payloads[1], &payloads[0]]);
    write("twice.index", &[&payloads[0], &payloads[0]]);
    place.write("lacks.index", {
        let lacking = meta("a").encode(&Encoding::default()).unwrap();
        let mut writer = stone::Writer::new(Vec::new(), stone::FileType::Index, 1).unwrap();
        writer.payload(&lacking).unwrap();
        writer.finish().unwrap()
    });
    let names = ["order.index", "twice.index", "lacks.index"].map(str::to_owned);
    insta::assert_snapshot!(all_are_named(&place, &names));
}

/// A reference that cannot lead to a package is a fault of the index, not of the system.
#[test]
fn an_index_that_leads_nowhere_is_at_fault() {
    let place = Place::new();
    fs::create_dir(place.path("folder.stone")).unwrap();
    place.write("file.stone", "x");
    let pipe = std::process::Command::new("mkfifo")
        .arg(place.path("pipe.stone"))
        .status();
    assert!(pipe.unwrap().success());
    let long = "x".repeat(300);
    for uri in ["folder.stone", "file.stone/x", "pipe.stone", &long] {
        let leading = Meta {
            uri: Some(uri.to_owned()),
            ..listed("a", b"x", &"0".repeat(64))
        };
        place.write("stone.index", index(vec![leading]));
        let ended = place.stone(&["verify", "--packages", "stone.index"]);
        assert_eq!(ended.code, Some(1), "{}", ended.text());
    }
    let nul = Meta {
        uri: Some("a%00b".to_owned()),
        ..listed("a", b"x", &"0".repeat(64))
    };
    assert!(Index::new(vec![nul]).encode(&Encoding::default()).is_err());
}

#[test]
fn a_wrong_hash_in_an_index_is_named() {
    let place = Place::new();
    let bytes = package(&meta("sample"));
    for name in ["right", "changed", "cut"] {
        place.write(&format!("{name}.stone"), &bytes);
    }
    let indexed = place.stone(&["index", "."]);
    // Copies have one hash, of which clients would keep one.
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(
        &place.path("").canonicalize().unwrap().display().to_string(),
        "[place]",
    );
    settings.add_filter("[0-9a-f]{64}", "[sha256]");
    settings.bind(|| insta::assert_snapshot!("same_hash", indexed.text()));
    for name in ["changed", "cut"] {
        place.write(&format!("{name}.stone"), package(&meta(name)));
    }
    assert_eq!(place.stone(&["index", "."]).code, Some(0));
    let sound = place.stone(&["verify", "--packages", "stone.index"]);
    assert_eq!(
        sound.text(),
        "exit code: 0\n--- standard output\nstone.index: repository index, sound\n--- standard error\n"
    );
    let mut changed = place.read("changed.stone");
    *changed.last_mut().unwrap() ^= 1;
    place.write("changed.stone", changed);
    let cut = place.read("cut.stone");
    place.write("cut.stone", &cut[..cut.len() - 1]);
    fs::remove_file(place.path("right.stone")).unwrap();
    let ended = place.stone(&["verify", "--packages", "stone.index"]);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(
        &place.path("").canonicalize().unwrap().display().to_string(),
        "[place]",
    );
    settings.add_filter("[0-9a-f]{64}", "[sha256]");
    settings.bind(|| insta::assert_snapshot!("wrong_hash", ended.text()));
    // Without the packages the index is as it was.
    assert_eq!(place.stone(&["verify", "stone.index"]).code, Some(0));
}
