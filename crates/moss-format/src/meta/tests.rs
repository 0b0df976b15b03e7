use proptest::prelude::*;

use super::{Error, Meta, Primitive, RawRecord, Tag};
use crate::payload::Decoder;
use crate::testing::{FAST, any_meta, meta};
use crate::{Limits, Short};

/// The bytes of records as they lie in a payload.
fn plain(records: &[RawRecord]) -> Vec<u8> {
    let mut plain = Vec::new();
    for record in records {
        plain.extend(u32::try_from(record.value.len()).unwrap().to_be_bytes());
        plain.extend(record.tag.to_be_bytes());
        plain.extend([record.primitive, 0]);
        plain.extend(&record.value);
    }
    plain
}

fn decode(records: &[RawRecord]) -> Result<Meta, Error> {
    Meta::decode(&plain(records), u32::try_from(records.len()).unwrap())
}

fn record(tag: Tag, primitive: Primitive, value: &[u8]) -> RawRecord {
    RawRecord {
        tag: tag.number(),
        primitive: primitive.as_byte(),
        value: value.to_vec(),
    }
}

/// The records of a plain package, and one more.
fn with(extra: RawRecord) -> Vec<RawRecord> {
    let mut records = meta("test").to_records().unwrap();
    records.push(extra);
    records
}

/// The same, with the record of its tag replaced.
fn replaced(other: &RawRecord) -> Vec<RawRecord> {
    let mut records = meta("test").to_records().unwrap();
    for record in &mut records {
        if record.tag == other.tag {
            *record = other.clone();
        }
    }
    records
}

#[test]
fn tags_have_their_numbers() {
    for tag in Tag::ALL {
        assert_eq!(Tag::from_number(tag.number()), Some(tag));
    }
    assert_eq!(Tag::from_number(0), None);
    assert_eq!(Tag::from_number(21), None);
}

#[test]
fn texts_lose_the_nuls_at_their_end_and_may_have_none() {
    for value in [&b"abc"[..], b"abc\0", b"abc\0\0"] {
        let read = decode(&replaced(&record(Tag::Summary, Primitive::String, value))).unwrap();
        assert_eq!(read.summary, "abc");
    }
    let read = decode(&replaced(&record(Tag::Summary, Primitive::String, b""))).unwrap();
    assert_eq!(read.summary, "");
}

#[test]
fn numbers_come_in_any_integer_type() {
    let numbers: [(Primitive, &[u8]); 8] = [
        (Primitive::I8, &[7]),
        (Primitive::U8, &[7]),
        (Primitive::I16, &[0, 7]),
        (Primitive::U16, &[0, 7]),
        (Primitive::I32, &[0, 0, 0, 7]),
        (Primitive::U32, &[0, 0, 0, 7]),
        (Primitive::I64, &[0, 0, 0, 0, 0, 0, 0, 7]),
        (Primitive::U64, &[0, 0, 0, 0, 0, 0, 0, 7]),
    ];
    for (primitive, value) in numbers {
        let read = decode(&replaced(&record(Tag::Release, primitive, value))).unwrap();
        assert_eq!(read.release, 7, "{primitive:?}");
    }
}

#[test]
fn the_first_record_of_a_field_wins_and_the_second_survives() {
    let second = record(Tag::Name, Primitive::String, b"other\0");
    let read = decode(&with(second.clone())).unwrap();
    assert_eq!(read.name, "test");
    assert_eq!(read.other, [second]);
}

#[test]
fn what_is_not_known_survives() {
    let unknown = [
        RawRecord {
            tag: 999,
            primitive: 77,
            value: vec![1, 2, 3],
        },
        record(Tag::Depends, Primitive::Dependency, b"\x63new kind\0"),
        record(Tag::Conflicts, Primitive::Dependency, b"\x01libz.so.1\0"),
        record(Tag::License, Primitive::U8, &[1]),
    ];
    for record in unknown {
        let read = decode(&with(record.clone())).unwrap();
        assert_eq!(read.other, [record]);
        assert_eq!(decode(&read.to_records().unwrap()).unwrap(), read);
    }
}

#[test]
fn faults_name_the_field_and_the_offset() {
    let start = plain(&meta("test").to_records().unwrap()).len() as u64;
    let offset = start + 8;
    let fault = |tag, primitive, value: &[u8]| decode(&with(record(tag, primitive, value)));
    assert_eq!(
        fault(Tag::Depends, Primitive::Dependency, b""),
        Err(Error::NoKind {
            tag: Tag::Depends,
            offset
        })
    );
    assert_eq!(
        fault(Tag::License, Primitive::String, b"\xff\0"),
        Err(Error::NotUtf8 {
            tag: Tag::License,
            offset
        })
    );
    assert_eq!(
        fault(Tag::License, Primitive::String, b"a\0b\0"),
        Err(Error::NulInside {
            tag: Tag::License,
            offset
        })
    );
    assert_eq!(
        fault(Tag::PackageSize, Primitive::I8, &[0xff]),
        Err(Error::Number {
            tag: Tag::PackageSize,
            offset
        })
    );
    assert_eq!(
        fault(Tag::PackageSize, Primitive::U64, &[1]),
        Err(Error::Number {
            tag: Tag::PackageSize,
            offset
        })
    );
    assert!(matches!(
        fault(Tag::Provides, Primitive::Provider, b"\x01\0"),
        Err(Error::Dependency { offset: at, .. }) if at == offset
    ));
}

#[test]
fn a_missing_field_is_named() {
    let records = meta("test").to_records().unwrap();
    let (_, without_name) = records.split_first().unwrap();
    let offset = plain(without_name).len() as u64;
    assert_eq!(
        decode(without_name),
        Err(Error::Missing {
            tag: Tag::Name,
            offset
        })
    );
}

#[test]
fn the_count_of_records_must_fit_the_bytes() {
    let records = meta("test").to_records().unwrap();
    let (bytes, count) = (plain(&records), u32::try_from(records.len()).unwrap());
    let end = bytes.len() as u64;
    assert_eq!(
        Meta::decode(&bytes, count + 1),
        Err(Error::Short(Short {
            offset: end,
            needed: 4,
            left: 0
        }))
    );
    assert!(matches!(
        Meta::decode(&bytes, count - 1),
        Err(Error::Trailing { count: 16, .. })
    ));
    let claim = [0xff, 0xff, 0xff, 0xff, 0, 1, 9, 0, b'x'];
    assert_eq!(
        Meta::decode(&claim, 1),
        Err(Error::Short(Short {
            offset: 8,
            needed: u32::MAX.into(),
            left: 1
        }))
    );
}

#[test]
fn a_nul_is_not_written() {
    let mut hostile = meta("test");
    hostile.summary = "a\0b".to_owned();
    assert!(hostile.encode(&FAST).is_err());
}

#[test]
fn file_names_stay_in_their_folder() {
    assert_eq!(
        meta("nano").file_name().unwrap(),
        "nano-1.0-3-1-x86_64.stone"
    );
    for name in ["", "../x", ".x", "a/b", "a b", "a\n"] {
        assert!(meta(name).file_name().is_err(), "{name:?}");
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(meta in any_meta()) {
        let payload = meta.encode(&FAST).unwrap();
        let plain = Decoder::new(Limits::default()).plain(&payload).unwrap().into_owned();
        prop_assert_eq!(Meta::decode(&plain, payload.header().records), Ok(meta));
    }

    #[test]
    fn metadata_survives_json(meta in any_meta()) {
        let json = serde_json::to_string(&meta).unwrap();
        prop_assert_eq!(serde_json::from_str::<Meta>(&json).unwrap(), meta);
    }

    #[test]
    fn no_bytes_panic(plain: Vec<u8>, records in 0..4_u32) {
        let _ = Meta::decode(&plain, records);
    }

    #[test]
    fn no_damage_panics(meta in any_meta(), at: prop::sample::Index, byte: u8) {
        let records = meta.to_records().unwrap();
        let mut bytes = plain(&records);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Meta::decode(&bytes, u32::try_from(records.len()).unwrap());
    }
}
