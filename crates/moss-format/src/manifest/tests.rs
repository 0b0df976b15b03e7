use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::Manifest;
use super::jsonc::{self, Package, Source};
use crate::layout::Entry;
use crate::meta::Tag;
use crate::payload::Kind;
use crate::stone::FileType;
use crate::testing::{
    FAST, any_kept, any_meta, file, meta, plain_payload, stone, symlink, unknown_payloads,
};
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

prop_compose! {
    fn any_manifest()(packages in prop::collection::vec(any_meta(), 0..4))(
        kept in any_kept(packages.len()),
        packages in Just(packages),
    ) -> Manifest {
        Manifest { packages, kept }
    }
}

/// Packages by their names, and what each installs.
fn any_build() -> impl Strategy<Value = BTreeMap<String, (Meta, Vec<String>)>> {
    let targets = prop::collection::vec("[a-z]{1,3}(/[ -~é]{1,5}){0,2}", 0..5);
    let one = (any_meta(), any::<bool>(), targets);
    prop::collection::vec(one, 0..4).prop_map(|packages| {
        let named = |(mut meta, debug, targets): (Meta, bool, Vec<String>)| {
            if debug {
                meta.name.push_str("-dbginfo");
            }
            (meta.name.clone(), (meta, targets))
        };
        packages.into_iter().map(named).collect()
    })
}

/// The list under this key, which is left out when it is empty.
fn listed(body: &Value, key: &str) -> Vec<String> {
    let Some(list) = body.get(key) else {
        return Vec::new();
    };
    let list = list.as_array().unwrap();
    assert!(!list.is_empty(), "{key} is empty and written");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list.iter().map(text).collect()
}

fn texts<T: ToString>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    items.into_iter().map(|item| item.to_string()).collect()
}

proptest! {
    #[test]
    fn what_is_written_reads_back(manifest in any_manifest()) {
        let bytes = manifest.encode(&FAST).unwrap();
        prop_assert_eq!(Manifest::decode(&bytes).unwrap(), manifest);
    }

    #[test]
    fn the_form_for_people_says_what_the_packages_say(
        build in any_build(),
        name in any::<String>(),
        version in any::<String>(),
        release: u64,
    ) {
        let layouts: Vec<Vec<Entry>> = build
            .values()
            .map(|(_, targets)| targets.iter().map(|target| file(target, 0o644, b"")).collect())
            .collect();
        let packages = build
            .values()
            .zip(&layouts)
            .map(|((meta, _), layout)| Package { meta, layout });
        let source = Source { name: &name, version: &version, release };
        let mut out = Vec::new();
        jsonc::write(&mut out, source, packages).unwrap();
        let text = String::from_utf8(out).unwrap();
        let (comment, json) = text.split_once('\n').unwrap();
        prop_assert!(comment.starts_with("/** ") && comment.ends_with(" */"));
        let read: Value = serde_json::from_str(json).unwrap();
        prop_assert_eq!(&read["manifest-version"], "0.2");
        prop_assert_eq!(read["source-name"].as_str(), Some(name.as_str()));
        prop_assert_eq!(read["source-version"].as_str(), Some(version.as_str()));
        prop_assert_eq!(&read["source-release"], &Value::String(release.to_string()));
        prop_assert_eq!(read.as_object().unwrap().len(), 5);
        let bodies = read["packages"].as_object().unwrap();
        let shown = build.iter().filter(|(name, _)| !name.ends_with("-dbginfo"));
        prop_assert_eq!(bodies.len(), shown.clone().count());
        for (name, (meta, targets)) in shown {
            let body = &bodies[name];
            prop_assert_eq!(body["name"].as_str(), Some(name.as_str()));
            prop_assert_eq!(listed(body, "build-depends"), texts(&meta.build_depends));
            prop_assert_eq!(listed(body, "depends"), texts(&meta.depends));
            prop_assert_eq!(listed(body, "provides"), texts(&meta.provides));
            let mut files: Vec<String> =
                targets.iter().map(|target| format!("/usr/{target}")).collect();
            files.sort();
            prop_assert_eq!(listed(body, "files"), files);
        }
    }
}

/// Two packages of one name are two packages, also where they differ in nothing else.
#[test]
fn packages_of_one_name_are_counted() {
    let one = Manifest::new(vec![meta("a"), meta("b")]);
    let two = Manifest::new(vec![meta("a"), meta("b"), meta("a")]);
    let other = Meta {
        release: 9,
        ..meta("a")
    };
    let text = |committed: &Manifest, built: &Manifest| {
        let found = committed.mismatches(built).into_iter();
        found.map(|found| found.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(text(&two, &two), [""; 0]);
    assert_eq!(
        text(&one, &two),
        [r#"the build made the package "a", which the manifest lacks"#]
    );
    assert_eq!(text(&two, &one), [r#"the build made no package "a""#]);
    let changed = Manifest::new(vec![meta("a"), meta("b"), other]);
    assert_eq!(text(&two, &changed).len(), 1);
}

#[test]
fn payloads_that_are_not_understood_are_compared() {
    let plain = Manifest::new(vec![meta("a")]);
    let [unknown, ..] = unknown_payloads();
    let known = meta("a").encode(&FAST).unwrap();
    let bytes = stone(FileType::Manifest, &[known, unknown]);
    let odd = Manifest::decode(&bytes).unwrap();
    assert_eq!(odd.mismatches(&odd), []);
    assert_eq!(plain.mismatches(&odd), [Mismatch::Kept]);
}
