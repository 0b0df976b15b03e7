use proptest::prelude::*;

use super::{EncodeError, Entry, Error, Kind, UnsafePath, decode};
use crate::payload::Decoder;
use crate::testing::{FAST, entry, file, symlink};
use crate::{Digest, Limits, Short};

/// The plain bytes of a layout.
fn plain(entries: &[Entry]) -> Vec<u8> {
    let payload = super::encode(entries, &FAST).unwrap();
    let mut decoder = Decoder::new(Limits::default());
    decoder.plain(&payload).unwrap().into_owned()
}

/// One record, by hand.
fn record(kind: u8, source: &[u8], target: &[u8]) -> Vec<u8> {
    let mut record = vec![0; 12];
    record.extend([0; 4]);
    record.extend(u16::try_from(source.len()).unwrap().to_be_bytes());
    record.extend(u16::try_from(target.len()).unwrap().to_be_bytes());
    record.push(kind);
    record.extend([0; 11]);
    record.extend(source);
    record.extend(target);
    record
}

#[test]
fn a_record_has_the_bytes_of_the_format() {
    let expected = [
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xa1, 0xff, 0, 0, 0, 0][..],
        &[0, 4, 0, 9, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        b"nanobin/rnano",
    ];
    assert_eq!(plain(&[symlink("bin/rnano", "nano")]), expected.concat());
}

#[test]
fn old_targets_lose_slash_and_nul() {
    let read = decode(&record(3, b"", b"/share/empty\0"), 1).unwrap();
    assert_eq!(read, [entry("share/empty", 0, Kind::Directory)]);
}

#[test]
fn an_unknown_type_survives() {
    let bytes = record(77, b"\x01\x02", b"odd");
    let read = decode(&bytes, 1).unwrap();
    assert_eq!(plain(&read), bytes);
}

#[test]
fn a_tag_survives() {
    let mut bytes = record(3, b"", b"tagged");
    bytes[12..16].copy_from_slice(&0x0102_0304_u32.to_be_bytes());
    let read = decode(&bytes, 1).unwrap();
    assert_eq!(read[0].tag, 0x0102_0304);
    assert_eq!(plain(&read), bytes);
}

#[test]
fn faults_name_the_record() {
    let good = plain(&[file("a", 0o644, b"a")]);
    let offset = good.len() as u64;
    let fault = |record: &[u8]| decode(&[&good, record].concat(), 2).unwrap_err();
    assert_eq!(
        fault(&record(1, b"short", b"b")),
        Error::SourceLength {
            offset,
            length: 5,
            expected: 16
        }
    );
    assert_eq!(
        fault(&record(3, b"x", b"b")),
        Error::SourceLength {
            offset,
            length: 1,
            expected: 0
        }
    );
    assert_eq!(fault(&record(3, b"", b"a\0b")), Error::NotText { offset });
    assert_eq!(fault(&record(2, b"\xff", b"b")), Error::NotText { offset });
    assert_eq!(fault(&record(3, b"", b"/")), Error::Empty { offset });
    assert_eq!(fault(&record(2, b"", b"b")), Error::Empty { offset });
}

#[test]
fn the_count_of_records_must_fit_the_bytes() {
    let bytes = plain(&[entry("a", 0, Kind::Fifo)]);
    assert_eq!(
        decode(&bytes, 2),
        Err(Error::Short(Short {
            offset: 33,
            needed: 4,
            left: 0
        }))
    );
    assert_eq!(
        decode(&bytes, 0),
        Err(Error::Trailing {
            offset: 0,
            count: 33
        })
    );
}

#[test]
fn what_cannot_be_read_back_is_not_written() {
    let refused = |entry| super::encode(&[entry], &FAST).unwrap_err();
    let long = "x".repeat(65_536);
    assert!(matches!(
        refused(symlink("a", &long)),
        EncodeError::TooLong { .. }
    ));
    assert!(matches!(
        refused(symlink(&long, "a")),
        EncodeError::TooLong { .. }
    ));
    assert!(matches!(
        refused(symlink("a", "")),
        EncodeError::NotText { .. }
    ));
    assert!(matches!(
        refused(symlink("a\0", "b")),
        EncodeError::NotText { .. }
    ));
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    for target in [
        "",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a//b",
        "a/./b",
        "a/",
        "a\0",
    ] {
        let entry = entry(target, 0, Kind::Directory);
        assert!(entry.path().is_err(), "{target:?}");
    }
    let good = entry("share/..doc/a b", 0, Kind::Directory);
    assert_eq!(good.path(), Ok(vec!["share", "..doc", "a b"]));
}

#[test]
fn a_path_beyond_the_limit_is_refused() {
    let limit = Limits::default().path;
    // Of names of 127 bytes and a slash each.
    let path = format!("{}/", "x".repeat(127)).repeat(limit / 128);
    let longest = entry(&format!("{}x", &path[..limit - 1]), 0, Kind::Directory);
    assert_eq!(longest.target.len(), limit);
    assert!(longest.path().is_ok());
    let longer = entry(&format!("{path}x"), 0, Kind::Directory);
    assert!(matches!(
        longer.path(),
        Err(UnsafePath::TooLong { length, limit: 3072, .. }) if length == limit + 1
    ));
    let limits = Limits {
        path: 4,
        ..Limits::default()
    };
    assert!(
        entry("a/bc", 0, Kind::Directory)
            .path_within(&limits)
            .is_ok()
    );
    assert!(
        entry("a/bcd", 0, Kind::Directory)
            .path_within(&limits)
            .is_err()
    );
}

/// Systems refuse a longer name, and half of the package would be unpacked by then.
#[test]
fn a_name_that_no_system_takes_is_refused() {
    let longest = entry(&format!("a/{}", "x".repeat(255)), 0, Kind::Directory);
    assert!(longest.path().is_ok());
    let longer = entry(&format!("a/{}/b", "x".repeat(256)), 0, Kind::Directory);
    assert!(matches!(
        longer.path(),
        Err(UnsafePath::NameTooLong { length: 256, .. })
    ));
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        any::<u128>().prop_map(|digest| Kind::Regular(Digest::from_u128(digest))),
        "[^\0]{1,12}".prop_map(Kind::Symlink),
        Just(Kind::Directory),
        Just(Kind::CharDevice),
        Just(Kind::BlockDevice),
        Just(Kind::Fifo),
        Just(Kind::Socket),
        (8..=u8::MAX, any::<Vec<u8>>()).prop_map(|(number, source)| Kind::Other { number, source }),
    ]
}

prop_compose! {
    fn any_entry()(
        (uid, gid, mode, tag) in any::<(u32, u32, u32, u32)>(),
        kind in any_kind(),
        target in "[^\0/][^\0]{0,20}",
    ) -> Entry {
        Entry { uid, gid, mode, tag, kind, target }
    }
}

proptest! {
    #[test]
    fn an_entry_survives_json(entry in any_entry()) {
        let json = serde_json::to_string(&entry).unwrap();
        prop_assert_eq!(json.contains("\"tag\":"), entry.tag != 0);
        prop_assert_eq!(serde_json::from_str::<Entry>(&json).unwrap(), entry);
    }

    #[test]
    fn what_is_written_reads_back(entries in prop::collection::vec(any_entry(), 1..6)) {
        let count = u32::try_from(entries.len()).unwrap();
        prop_assert_eq!(decode(&plain(&entries), count), Ok(entries));
    }

    #[test]
    fn no_bytes_panic(plain: Vec<u8>, records in 0..4_u32) {
        let _ = decode(&plain, records);
    }
}
