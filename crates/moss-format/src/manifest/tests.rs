use super::Manifest;
use super::jsonc::{self, Package, Source};
use crate::meta::Tag;
use crate::payload::Kind;
use crate::stone::FileType;
use crate::testing::{FAST, file, meta, plain_payload, stone, symlink, unknown_payloads};
use crate::{Meta, manifest::Mismatch};

fn built() -> Vec<Meta> {
    let mut program = meta("zprogram");
    program.depends = [
        "soname(libc.so.6(x86_64))".parse().unwrap(),
        "bash".parse().unwrap(),
    ]
    .into();
    program.provides = ["binary(zprogram)".parse().unwrap()].into();
    program.hash = Some("abc".to_owned());
    vec![program, meta("zprogram-dbginfo"), meta("library")]
}

fn committed() -> Manifest {
    let needs = ["zlib", "pkgconfig(ncursesw)", "binary(m4)", "zlib"];
    Manifest::of_build(&built(), &needs.map(|need| need.parse().unwrap()))
}

#[test]
fn a_build_is_sorted_and_stripped_of_what_a_manifest_lacks() {
    let manifest = committed();
    let names: Vec<&str> = manifest
        .packages
        .iter()
        .map(|meta| meta.name.as_str())
        .collect();
    assert_eq!(names, ["library", "zprogram"]);
    for meta in &manifest.packages {
        assert_eq!((meta.build_release, &meta.hash), (0, &None));
        let needs: Vec<String> = meta.build_depends.iter().map(ToString::to_string).collect();
        assert_eq!(needs, ["binary(m4)", "pkgconfig(ncursesw)", "zlib"]);
    }
}

#[test]
fn payloads_that_are_not_understood_keep_their_places() {
    let [kind, compression, version] = unknown_payloads();
    let attributes = plain_payload(Kind::Attributes, 1, b"key and value");
    let payloads = [
        kind,
        meta("b").encode(&FAST).unwrap(),
        compression,
        version,
        meta("a").encode(&FAST).unwrap(),
        attributes,
    ];
    let bytes = stone(FileType::Manifest, &payloads);
    let mut manifest = Manifest::decode(&bytes).unwrap();
    assert_eq!(manifest.packages, [meta("b"), meta("a")]);
    let places: Vec<usize> = manifest.kept().iter().map(|kept| kept.place).collect();
    assert_eq!(places, [0, 1, 1, 2]);
    assert_eq!(manifest.encode(&FAST).unwrap(), bytes);
    // Those behind the last package stay there.
    manifest.packages.clear();
    let left = [0, 2, 3, 5].map(|at: usize| payloads[at].clone());
    let expected = stone(FileType::Manifest, &left);
    assert_eq!(manifest.encode(&FAST).unwrap(), expected);
}

#[test]
fn the_same_build_matches() {
    let committed = committed();
    assert_eq!(committed.mismatches(&committed), []);
    // Older writers counted build dependencies among the others.
    let mut older = committed.clone();
    for meta in &mut older.packages {
        meta.depends.extend(meta.build_depends.drain(..));
    }
    assert_eq!(older.mismatches(&committed), []);
}

#[test]
fn another_build_says_where_it_differs() {
    let committed = committed();
    let mut other = committed.clone();
    other.packages[0].name = "renamed".to_owned();
    other.packages[1].version = "2.0".to_owned();
    other.packages[1].provides.clear();
    let mismatches = committed.mismatches(&other);
    assert!(matches!(
        &mismatches[1],
        Mismatch::Field {
            tag: Tag::Version,
            ..
        }
    ));
    let text: Vec<String> = mismatches.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn the_form_for_people_leaves_out_empty_lists_and_debug_packages() {
    let manifest = committed();
    let layout = [
        symlink("lib/z.so", "z.so.1"),
        file("bin/zprogram", 0o755, b""),
    ];
    let debug = meta("zprogram-dbginfo");
    let packages = [
        Package {
            meta: &manifest.packages[1],
            layout: &layout,
        },
        Package {
            meta: &debug,
            layout: &layout,
        },
        Package {
            meta: &manifest.packages[0],
            layout: &[],
        },
    ];
    let source = Source {
        name: "program",
        version: "1.0",
        release: 3,
    };
    let mut out = Vec::new();
    jsonc::write(&mut out, source, packages).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}
