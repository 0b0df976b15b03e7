use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use moss_format::payload::{self, Compression, Encoded, Encoding, Level};
use moss_format::stone::{FileType, View, Writer};
use moss_format::{Index, Manifest, Meta};

use super::tool::{NANO, Place, meta, package};

#[test]
fn a_real_package_is_shown() {
    let Some(place) = Place::with_packages() else {
        return;
    };
    insta::assert_snapshot!(place.stone(&["inspect", NANO]).text());
    let files = place.stone(&["inspect", "--files", NANO]);
    assert!(
        files.out.contains("/usr/bin/rnano -> nano\n"),
        "{}",
        files.out
    );
    assert_eq!(files.out.matches(" /usr/").count(), 91);
}

#[test]
fn a_package_is_shown_for_people_and_for_machines() {
    let place = Place::new();
    place.write("sample.stone", package(&meta("sample")));
    insta::assert_snapshot!("package", place.stone(&["inspect", "sample.stone"]).text());
    let files = place.stone(&["inspect", "--files", "sample.stone"]);
    insta::assert_snapshot!("package_files", files.out);
    insta::assert_snapshot!(
        "package_json",
        place.stone(&["inspect", "--json", "sample.stone"]).out
    );
}

#[test]
fn manifests_and_indexes_are_shown() {
    let place = Place::new();
    let fast = Encoding::default();
    let build_depends = ["binary(make)".parse().unwrap(), "cmake".parse().unwrap()];
    let metas = [meta("sample"), meta("sample-devel")];
    let manifest = Manifest::of_build(&metas, &build_depends);
    place.write("manifest.x86_64.bin", manifest.encode(&fast).unwrap());
    insta::assert_snapshot!(
        "manifest",
        place.stone(&["inspect", "manifest.x86_64.bin"]).text()
    );
    let listed = |(number, meta): (usize, &Meta)| Meta {
        uri: Some(format!("../{}.stone", meta.name)),
        hash: Some(format!("{number:064x}")),
        size: Some(12_345),
        ..meta.clone()
    };
    let index = Index::new(metas.iter().enumerate().map(listed).collect());
    place.write("stone.index", index.encode(&fast).unwrap());
    insta::assert_snapshot!("index", place.stone(&["inspect", "stone.index"]).text());
    place.write("empty.index", Index::default().encode(&fast).unwrap());
    insta::assert_snapshot!(
        "empty_index",
        place.stone(&["inspect", "empty.index"]).text()
    );
}

#[test]
fn what_is_not_understood_is_shown_as_such() {
    // The second payload gets a kind and a compression of a later version.
    let bytes = package(&meta("sample"));
    let payloads = View::new(&bytes).unwrap().payloads().take(2);
    let payloads: Vec<Encoded<'_>> = payloads.collect::<Result<_, _>>().unwrap();
    let mut writer = Writer::new(Vec::new(), FileType::Package, 2).unwrap();
    for payload in &payloads {
        writer.payload(payload).unwrap();
    }
    let mut bytes = writer.finish().unwrap();
    let second = usize::try_from(payloads[1].offset()).unwrap();
    bytes[second + 30] = 77;
    bytes[second + 31] = 9;
    let place = Place::new();
    place.write("later.stone", bytes);
    let shown = place.stone(&["inspect", "later.stone"]);
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    assert!(shown.out.contains("unknown-77"), "{}", shown.out);
    assert!(shown.out.contains("unknown-9"), "{}", shown.out);
    assert_eq!(payload::Kind::from_byte(77), payload::Kind::Other(77));
    assert_eq!(Compression::from_byte(9), Compression::Other(9));
}

#[test]
fn metadata_of_a_later_version_is_passed_over() {
    let encode = |name: &str| meta(name).encode(&Encoding::default()).unwrap();
    let mut writer = Writer::new(Vec::new(), FileType::Manifest, 3).unwrap();
    for name in ["first", "second", "third"] {
        writer.payload(&encode(name)).unwrap();
    }
    let mut bytes = writer.finish().unwrap();
    let offsets: Vec<usize> = View::new(&bytes)
        .unwrap()
        .payloads()
        .map(|payload| usize::try_from(payload.unwrap().offset()).unwrap())
        .collect();
    bytes[offsets[0] + 31] = 9;
    bytes[offsets[1] + 29] = 2;
    let place = Place::new();
    place.write("manifest.x86_64.bin", &bytes);
    insta::assert_snapshot!(place.stone(&["inspect", "manifest.x86_64.bin"]).text());
    let json = place
        .stone(&["inspect", "--json", "manifest.x86_64.bin"])
        .out;
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["payloads"][1]["version"], 2);
    assert_eq!(read["payloads"][2]["version"], serde_json::Value::Null);
    assert_eq!(
        place.stone(&["verify", "manifest.x86_64.bin"]).out,
        "manifest.x86_64.bin: build manifest, sound, with 2 payloads that are not understood\n"
    );
}

#[test]
fn nothing_in_a_package_steers_the_terminal() {
    let hostile = "\u{1b}]0;title\u{7}\u{9b}31m\u{202e}x\rmore";
    let meta = Meta {
        summary: hostile.to_owned(),
        description: format!("first\n{hostile}"),
        homepage: hostile.to_owned(),
        ..meta("sample")
    };
    let place = Place::new();
    place.write("\u{1b}[2J.stone", package(&meta));
    for arguments in [
        &["inspect", "\u{1b}[2J.stone"][..],
        &["inspect", "--json", "\u{1b}[2J.stone"],
        &["verify", "\u{1b}[2J.stone"],
        &["verify", "\u{1b}[2K.missing"],
        &["extract", "\u{1b}[2J.stone", "out", "--file", "\u{1b}[2J"],
    ] {
        let shown = place.stone(arguments);
        let steers = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!shown.out.contains(steers), "{shown:?}");
        assert!(!shown.err.contains(steers), "{shown:?}");
    }
    let json = place.stone(&["inspect", "--json", "\u{1b}[2J.stone"]).out;
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["packages"][0]["summary"], hostile);
}

/// As `stone inspect … | head -1`.
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new();
    let metas = (0..5000).map(|number| Meta {
        uri: Some(format!("{number}.stone")),
        hash: Some(format!("{number:064x}")),
        size: Some(1),
        ..meta(&format!("package-{number}"))
    });
    let index = Index::new(metas.collect());
    let fast = Encoding {
        level: Level::FASTEST,
        workers: 0,
    };
    place.write("stone.index", index.encode(&fast).unwrap());
    let mut running = place
        .command(&["inspect", "stone.index"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(running.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    assert!(line.starts_with("stone.index: repository index"));
    drop(out);
    let ended = running.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(ended.stderr, b"");
}

#[test]
fn a_full_disk_is_a_fault_of_the_system() {
    let place = Place::new();
    place.write("sample.stone", package(&meta("sample")));
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = place
        .command(&["inspect", "sample.stone"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!("full_disk", String::from_utf8(output.stderr).unwrap());
}
