use proptest::prelude::*;

use super::{
    Entry, Index, Invalid, Key, TakeError, Taken, WriteError, entries, write, write_keeping,
};
use crate::meta::{Primitive, RawRecord, Tag};
use crate::payload::{Decoder, Encoding, Level};
use crate::stone::FileType;
use crate::testing::{FAST, any_kept, any_meta, meta, stone, unknown_payloads};
use crate::{Limits, Meta};

fn published(source: &str, name: &str, hash: u8) -> Meta {
    Meta {
        source_id: source.to_owned(),
        uri: Some(format!("../../../pool/v0/{name}%23.stone")),
        hash: Some(format!("{hash:064x}")),
        size: Some(1234),
        ..meta(name)
    }
}

fn some() -> Index {
    Index::new(vec![
        published("b", "b-devel", 1),
        published("b", "b", 2),
        published("a", "z", 3),
    ])
}

fn invalid(change: impl FnOnce(&mut Meta)) -> Invalid {
    let mut meta = published("a", "a", 1);
    change(&mut meta);
    match Entry::new(&meta, &FAST) {
        Err(WriteError::Invalid { invalid, .. }) => invalid,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_index_reads_back_sorted() {
    let bytes = some().encode(&FAST).unwrap();
    let read = Index::read(&bytes[..]).unwrap();
    let names: Vec<&str> = read
        .packages
        .iter()
        .map(|meta| meta.name.as_str())
        .collect();
    assert_eq!(names, ["z", "b", "b-devel"]);
    assert_eq!(read.packages[0], published("a", "z", 3));
    assert!(read.validate().is_ok());
}

#[test]
fn payloads_that_are_not_understood_keep_their_places() {
    let [kind, compression, version] = unknown_payloads();
    let encode = |name, hash| published("a", name, hash).encode(&FAST).unwrap();
    let payloads = [
        encode("a", 1),
        kind,
        compression,
        encode("b", 2),
        version,
        encode("c", 3),
    ];
    let bytes = stone(FileType::Index, &payloads);
    let index = Index::decode(&bytes).unwrap();
    assert_eq!(index.packages.len(), 3);
    assert_eq!(index.encode(&FAST).unwrap(), bytes);
    let Taken { mut entries, kept } = entries(&bytes).unwrap();
    assert_eq!(index.kept(), kept);
    let rewritten = |entries: &[Entry]| {
        let mut out = Vec::new();
        write_keeping(entries, &kept, &mut out).unwrap();
        out
    };
    assert_eq!(rewritten(&entries), bytes);
    let changed = published("a", "b", 4);
    entries[1] = Entry::new(&changed, &FAST).unwrap();
    let mut payloads = payloads;
    payloads[3] = encode("b", 4);
    assert_eq!(rewritten(&entries), stone(FileType::Index, &payloads));
}

#[test]
fn entries_are_taken_from_an_index_as_they_are() {
    let level = |number| Encoding {
        level: Level::new(number).unwrap(),
        workers: 0,
    };
    let bytes = some().encode(&level(19)).unwrap();
    let mut entries = entries(&bytes).unwrap().entries;
    let mut same = Vec::new();
    write(&entries, &mut same).unwrap();
    assert_eq!(same, bytes);
    // One change is one new payload among those that were there.
    let changed = Meta {
        release: 4,
        ..published("b", "b", 4)
    };
    entries.retain(|entry| entry.key().name != "b");
    entries.push(Entry::new(&changed, &level(19)).unwrap());
    let mut after = Vec::new();
    write(&entries, &mut after).unwrap();
    let mut anew = some();
    anew.packages[1] = changed;
    assert_eq!(after, anew.encode(&level(19)).unwrap());
}

#[test]
fn entries_of_an_index_that_clients_refuse_are_not_taken() {
    let nameless = Meta {
        uri: None,
        ..published("a", "a", 1)
    };
    let bytes = stone(FileType::Index, &[nameless.encode(&FAST).unwrap()]);
    assert!(matches!(
        entries(&bytes),
        Err(TakeError::Invalid {
            offset: 32,
            source: WriteError::Invalid {
                invalid: Invalid::Missing {
                    tag: Tag::PackageUri
                },
                ..
            }
        })
    ));
    assert!(matches!(entries(b"x"), Err(TakeError::Stone(_))));
}

#[test]
fn encoded_entries_make_the_same_index() {
    let index = some();
    let entries = index
        .packages
        .iter()
        .map(|meta| Entry::new(meta, &FAST).unwrap());
    let entries: Vec<Entry> = entries.collect();
    let mut bytes = Vec::new();
    write(&entries, &mut bytes).unwrap();
    assert_eq!(bytes, index.encode(&FAST).unwrap());
}

#[test]
fn packages_that_clients_cannot_read_are_refused() {
    let missing = |tag| Invalid::Missing { tag };
    assert_eq!(invalid(|meta| meta.uri = None), missing(Tag::PackageUri));
    assert_eq!(invalid(|meta| meta.hash = None), missing(Tag::PackageHash));
    assert_eq!(invalid(|meta| meta.size = None), missing(Tag::PackageSize));
    assert_eq!(invalid(|meta| meta.name.clear()), missing(Tag::Name));
    assert_eq!(
        invalid(|meta| meta.source_id.clear()),
        missing(Tag::SourceId)
    );
    assert_eq!(invalid(|meta| meta.version.clear()), missing(Tag::Version));
    assert_eq!(
        invalid(|meta| meta.architecture.clear()),
        missing(Tag::Architecture)
    );
    assert!(matches!(
        invalid(|meta| meta.hash = Some("A".repeat(64))),
        Invalid::Hash { .. }
    ));
    for uri in ["a#b", "a?b", "a%2", "a%zz", "a b", "é", "a/", "a\\b"] {
        let refused = invalid(|meta| meta.uri = Some(uri.to_owned()));
        assert!(matches!(refused, Invalid::Uri { .. }), "{uri}");
    }
    assert_eq!(
        invalid(|meta| meta.build_depends.push("gcc".parse().unwrap())),
        Invalid::BuildDepends
    );
    let unknown = |tag, primitive: Primitive| RawRecord {
        tag,
        primitive: primitive.as_byte(),
        value: b"\0gcc\0".to_vec(),
    };
    for tag in [Tag::BuildDepends.number(), Tag::Provides.number(), 999] {
        assert_eq!(
            invalid(|meta| meta.other.push(unknown(tag, Primitive::Dependency))),
            Invalid::StrayDependency { tag }
        );
    }
    let mut index = some();
    index.packages[0].other = vec![
        unknown(999, Primitive::Provider),
        unknown(Tag::Depends.number(), Primitive::Dependency),
    ];
    assert!(index.validate().is_ok());
}

#[test]
fn the_same_file_twice_is_refused() {
    let mut index = some();
    index.packages.push(published("c", "c", 2));
    let error = index.validate().unwrap_err().to_string();
    assert_eq!(index.encode(&FAST).unwrap_err().to_string(), error);
    insta::assert_snapshot!(error);
}

#[test]
fn more_packages_than_the_header_counts_are_refused() {
    let entry = Entry::new(&published("a", "a", 1), &FAST).unwrap();
    let entries = std::iter::repeat_n(&entry, 65_536);
    assert!(matches!(
        write(entries, Vec::new()),
        Err(WriteError::TooMany { count: 65_536 })
    ));
}

/// A package that can stand in an index, with a hash of this number.
fn listed(mut meta: Meta, number: usize) -> Meta {
    let some = |text: String| format!("x{text}");
    let dependency = Primitive::Dependency.as_byte();
    meta.other.retain(|record| record.primitive != dependency);
    Meta {
        name: some(meta.name),
        version: some(meta.version),
        architecture: some(meta.architecture),
        source_id: some(meta.source_id),
        hash: Some(format!("{number:064x}")),
        size: Some(meta.size.unwrap_or_default()),
        build_depends: Vec::new(),
        ..meta
    }
}

prop_compose! {
    fn any_listed()(
        metas in prop::collection::vec((any_meta(), "([a-z]{1,3}/)?[a-z0-9+~:^.@=,-]{1,20}"), 0..5),
        first in 0..1000_usize,
    ) -> Vec<Meta> {
        let all = metas.into_iter().enumerate();
        let listed = |(number, (meta, uri)): (usize, (Meta, String))| Meta {
            uri: Some(uri),
            // Not in the order of their places.
            ..listed(meta, first * (number + 1) % 997 * 10 + number)
        };
        all.map(listed).collect()
    }
}

prop_compose! {
    fn any_index()(packages in any_listed())(
        kept in any_kept(packages.len()),
        packages in Just(packages),
    ) -> Index {
        Index { packages, kept }
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back_sorted(index in any_index()) {
        let bytes = index.encode(&FAST).unwrap();
        let mut sorted = index;
        sorted.packages.sort_by(|a, b| {
            let key = |meta: &Meta| (
                meta.source_id.clone(),
                meta.name.clone(),
                meta.release,
                meta.build_release,
                meta.hash.clone(),
            );
            key(a).cmp(&key(b))
        });
        prop_assert_eq!(&Index::decode(&bytes).unwrap(), &sorted);
        let Taken { entries, kept } = entries(&bytes).unwrap();
        let mut again = Vec::new();
        write_keeping(entries.iter().rev(), &kept, &mut again).unwrap();
        prop_assert_eq!(again, bytes);
    }

    #[test]
    fn an_entry_holds_its_package(packages in any_listed()) {
        for meta in packages {
            let entry = Entry::new(&meta, &FAST).unwrap();
            prop_assert_eq!(entry.key(), &Key::of(&meta));
            let mut decoder = Decoder::new(Limits::default());
            let plain = decoder.plain(entry.payload()).unwrap();
            let records = entry.payload().header().records;
            prop_assert_eq!(Meta::decode(&plain, records), Ok(meta));
        }
    }

    #[test]
    fn no_damage_panics(index in any_index(), at: prop::sample::Index, byte: u8) {
        let mut bytes = index.encode(&FAST).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let decoded = Index::decode(&bytes);
        prop_assert!(decoded.is_ok() || entries(&bytes).is_err());
    }
}
