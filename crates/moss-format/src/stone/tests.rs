use std::borrow::Cow;
use std::io::Cursor;

use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::{Error, FileType, Header, Reader, View, WriteError, Writer};
use crate::payload::{self, Compression, Decoder, Encoded, Kind};
use crate::testing::{FAST, file, meta, package, plain_payload, stone};
use crate::{Index, Limits, Manifest, Short};

/// A payload with these stored bytes and claims.
fn claimed(stored: &[u8], plain_size: u64, compression: Compression) -> Encoded<'static> {
    let header = payload::Header {
        stored_size: stored.len() as u64,
        plain_size,
        checksum: xxh3_64(stored),
        records: 1,
        version: payload::VERSION,
        kind: Kind::Meta,
        compression,
    };
    Encoded::found(header, Cow::Owned(stored.to_vec()), 32)
}

fn decode(payload: &Encoded<'_>, limits: Limits) -> Result<Vec<u8>, payload::Error> {
    let mut decoder = Decoder::new(limits);
    decoder.plain(payload).map(Cow::into_owned)
}

/// Both readers' first fault, which must be the same.
fn fault(bytes: &[u8]) -> String {
    let by_view = View::new(bytes).and_then(|view| view.payloads().collect::<Result<Vec<_>, _>>());
    let by_reader = Reader::open(Cursor::new(bytes));
    let text = by_view.unwrap_err().to_string();
    assert_eq!(by_reader.unwrap_err().to_string(), text);
    text
}

#[test]
fn the_header_has_the_bytes_of_the_format() {
    let header = Header {
        payloads: 4,
        file_type: FileType::Package,
    };
    let expected = [
        &b"\0mos\x00\x04"[..],
        &[
            0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 4, 0, 0, 5, 0, 0, 6, 0, 0, 7,
        ],
        &[1, 0, 0, 0, 1],
    ];
    assert_eq!(header.to_bytes().as_slice(), expected.concat());
}

#[test]
fn faults_of_the_container_name_their_offset() {
    let good = stone(FileType::Manifest, &[plain_payload(Kind::Meta, 1, b"abc")]);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        fault(&bytes)
    };
    let faults = [
        fault(b""),
        fault(&good[..20]),
        with(0, b'x'),
        with(9, 1),
        with(27, 9),
        with(31, 2),
        fault(&good[..40]),
        fault(&good[..good.len() - 1]),
        fault(&[&good[..], b"more"].concat()),
        with(39, 0xff),
        with(5, 2),
    ];
    insta::assert_snapshot!(faults.join("\n"));
}

#[test]
fn a_file_without_payloads_is_valid() {
    let bytes = stone(FileType::Manifest, &[]);
    assert_eq!(Manifest::decode(&bytes).unwrap(), Manifest::default());
    assert!(
        Reader::open(Cursor::new(bytes))
            .unwrap()
            .payloads()
            .is_empty()
    );
}

#[test]
fn another_type_of_file_is_refused() {
    let bytes = stone(FileType::Index, &[]);
    assert!(matches!(
        Manifest::decode(&bytes),
        Err(Error::WrongFileType {
            offset: 27,
            expected: FileType::Manifest,
            found: FileType::Index
        })
    ));
}

#[test]
fn a_payload_cut_at_any_byte_is_an_error() {
    let layout = [file("bin/a", 0o755, b"content of a"), file("b", 0o644, b"")];
    let bytes = package(&layout, &[b"content of a", b""]);
    for end in 0..bytes.len() {
        let error = Reader::open(Cursor::new(&bytes[..end])).unwrap_err();
        assert!(matches!(error, Error::Short(_)), "cut at {end}: {error:?}");
    }
}

#[test]
fn damage_of_stored_bytes_is_named() {
    let mut bytes = stone(FileType::Manifest, &[meta("test").encode(&FAST).unwrap()]);
    *bytes.last_mut().unwrap() ^= 1;
    assert!(matches!(
        Manifest::decode(&bytes),
        Err(Error::Payload(payload::Error::Checksum { offset: 32, .. }))
    ));
}

#[test]
fn a_whole_file_is_read_up_to_the_limit() {
    let bytes = stone(FileType::Manifest, &[meta("test").encode(&FAST).unwrap()]);
    let within = |file| Limits {
        file,
        ..Limits::default()
    };
    let size = bytes.len() as u64;
    assert!(Manifest::read_within(&bytes[..], within(size)).is_ok());
    let limit = size - 1;
    assert!(matches!(
        Manifest::read_within(&bytes[..], within(limit)),
        Err(Error::TooLarge { limit: at }) if at == limit
    ));
    let bytes = stone(FileType::Index, &[]);
    assert!(matches!(
        Index::read_within(&bytes[..], within(31)),
        Err(Error::TooLarge { limit: 31 })
    ));
}

#[test]
fn a_payload_beyond_the_limit_is_verified_all_the_same() {
    let payload = plain_payload(Kind::Other(77), 1, &[5; 100_000]);
    let mut bytes = stone(FileType::Delta, std::slice::from_ref(&payload));
    let limits = Limits {
        payload: 10,
        ..Limits::default()
    };
    let verify = |bytes: &[u8]| {
        let mut reader = Reader::with_limits(Cursor::new(bytes), limits).unwrap();
        let at = reader.payloads()[0];
        assert!(reader.read(&at).is_err());
        reader.verify(&at)
    };
    assert!(verify(&bytes).is_ok());
    *bytes.last_mut().unwrap() ^= 1;
    assert!(matches!(
        verify(&bytes),
        Err(Error::Payload(payload::Error::Checksum { offset: 32, .. }))
    ));
}

#[test]
fn a_bomb_is_cut_at_its_claim_and_at_the_limit() {
    let bomb = zstd::bulk::compress(&vec![0; 10 << 20], 19).unwrap();
    let small = decode(&claimed(&bomb, 1000, Compression::Zstd), Limits::default());
    assert!(matches!(
        small,
        Err(payload::Error::PlainSize {
            offset: 32,
            expected: 1000,
            found: 1001
        })
    ));
    let limits = Limits {
        payload: 1 << 20,
        ..Limits::default()
    };
    let large = decode(&claimed(&bomb, 10 << 20, Compression::Zstd), limits);
    assert!(matches!(large, Err(payload::Error::Limit { .. })));
    let short = decode(
        &claimed(&bomb, u64::MAX, Compression::Zstd),
        Limits::default(),
    );
    assert!(matches!(short, Err(payload::Error::Limit { .. })));
}

#[test]
fn many_payloads_share_one_limit() {
    let limits = Limits {
        payloads: 100,
        ..Limits::default()
    };
    let mut decoder = Decoder::new(limits);
    // Three bytes, and what one record takes beside them.
    let payload = plain_payload(Kind::Meta, 1, b"abc");
    assert!(decoder.plain(&payload).is_ok());
    assert!(matches!(
        decoder.plain(&payload),
        Err(payload::Error::Limit {
            size: 134,
            limit: 100,
            ..
        })
    ));
}

/// Records of next to no bytes take memory all the same: some 90 KB of them, in few payloads, would
/// come to seven GiB.
#[test]
fn many_small_records_are_refused_at_the_default_limits() {
    let record = [0, 0, 0, 1, 0, 99, 1, 0, 7];
    let plain = record.repeat(1 << 22);
    let stored = zstd::bulk::compress(&plain, 3).unwrap();
    let header = payload::Header {
        stored_size: stored.len() as u64,
        plain_size: plain.len() as u64,
        checksum: xxhash_rust::xxh3::xxh3_64(&stored),
        records: 1 << 22,
        version: payload::VERSION,
        kind: Kind::Meta,
        compression: Compression::Zstd,
    };
    let payload = payload::Encoded::found(header, stored.into(), 32);
    let mut decoder = Decoder::new(Limits::default());
    let taken = (0..29).take_while(|_| decoder.plain(&payload).is_ok());
    // At 73 bytes for each record.
    assert_eq!(taken.count(), 1);
}

#[test]
fn records_may_ask_for_any_window() {
    // A frame by hand: window of 2^31 bytes, no content size, one empty block.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0, 0xa8, 1, 0, 0];
    let read = decode(&claimed(&frame, 0, Compression::Zstd), Limits::default());
    assert_eq!(read.unwrap(), b"");
}

#[test]
fn well_compressed_records_read() {
    let plain = vec![b'x'; 5 << 20];
    let stored = zstd::bulk::compress(&plain, 19).unwrap();
    let claim = plain.len() as u64;
    let read = decode(
        &claimed(&stored, claim, Compression::Zstd),
        Limits::default(),
    );
    assert_eq!(read.unwrap(), plain);
}

#[test]
fn a_frame_without_content_size_reads() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    std::io::Write::write_all(&mut encoder, b"hello").unwrap();
    let stored = encoder.finish().unwrap();
    let read = decode(&claimed(&stored, 5, Compression::Zstd), Limits::default());
    assert_eq!(read.unwrap(), b"hello");
}

#[test]
fn unknown_versions_and_compressions_are_named() {
    let unknown = decode(
        &claimed(b"abc", 3, Compression::Other(9)),
        Limits::default(),
    );
    assert!(matches!(
        unknown,
        Err(payload::Error::UnknownCompression { compression: 9, .. })
    ));
    let payload = claimed(b"abc", 3, Compression::None);
    let header = payload::Header {
        version: 2,
        ..*payload.header()
    };
    let payload = Encoded::found(header, Cow::Borrowed(payload.stored()), 32);
    assert!(matches!(
        decode(&payload, Limits::default()),
        Err(payload::Error::UnknownVersion { version: 2, .. })
    ));
}

#[test]
fn payloads_are_counted_when_written() {
    let payload = plain_payload(Kind::Meta, 1, b"abc");
    let mut writer = Writer::new(Vec::new(), FileType::Index, 1).unwrap();
    assert!(writer.payload(&payload).is_ok());
    assert!(matches!(writer.payload(&payload), Err(WriteError::Count)));
    let writer = Writer::new(Vec::new(), FileType::Index, 1).unwrap();
    assert!(matches!(writer.finish(), Err(WriteError::Count)));
    let too_many = Writer::new(Vec::new(), FileType::Index, 65_536);
    assert!(matches!(
        too_many,
        Err(WriteError::TooMany { count: 65_536, .. })
    ));
}

#[test]
fn a_copied_payload_is_as_long_as_it_says() {
    let payload = plain_payload(Kind::Content, 0, b"abc");
    let copy = |stored: &[u8]| {
        let mut writer = Writer::new(Vec::new(), FileType::Package, 1).unwrap();
        writer.copy(payload.header(), stored)?;
        writer.finish()
    };
    let expected = stone(FileType::Package, std::slice::from_ref(&payload));
    assert_eq!(copy(b"abc").unwrap(), expected);
    for (stored, long) in [(&b"ab"[..], 2), (b"abcd", 4), (b"", 0)] {
        assert!(matches!(
            copy(stored),
            Err(WriteError::StoredSize { expected: 3, found }) if found == long
        ));
    }
}

#[test]
fn a_payload_without_records_is_not_made() {
    assert!(matches!(
        Encoded::encode(Kind::Layout, 0, b"", &FAST),
        Err(payload::EncodeError::NoRecords)
    ));
}

#[test]
fn the_claim_of_a_stored_size_takes_no_memory() {
    let mut bytes = stone(
        FileType::Package,
        &[plain_payload(Kind::Content, 0, b"abc")],
    );
    bytes[32] = 0x7f;
    let expected = Short {
        offset: 64,
        needed: 0x7f00_0000_0000_0003,
        left: 3,
    };
    assert!(matches!(
        Reader::open(Cursor::new(&bytes)),
        Err(Error::Short(short)) if short == expected
    ));
}

prop_compose! {
    fn any_payload()(kind: u8, compression: u8, version: u16, records: u32, plain_size: u64,
        stored: Vec<u8>) -> Encoded<'static> {
        let header = payload::Header {
            stored_size: stored.len() as u64,
            plain_size,
            checksum: xxh3_64(&stored),
            records,
            version,
            kind: Kind::from_byte(kind),
            compression: Compression::from_byte(compression),
        };
        Encoded::found(header, Cow::Owned(stored), 0)
    }
}

proptest! {
    #[test]
    fn payloads_of_any_kind_read_back(payloads in prop::collection::vec(any_payload(), 0..6)) {
        let bytes = stone(FileType::Delta, &payloads);
        let view = View::new(&bytes).unwrap();
        let read: Vec<_> = view.payloads().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(&read, &payloads);
        let mut reader = Reader::open(Cursor::new(&bytes)).unwrap();
        for (at, payload) in reader.payloads().to_vec().iter().zip(&payloads) {
            prop_assert_eq!(&reader.read(at).unwrap(), payload);
        }
        prop_assert_eq!(&stone(FileType::Delta, &read), &bytes);
        let located = reader.payloads().to_vec();
        let mut writer = Writer::new(Vec::new(), FileType::Delta, located.len()).unwrap();
        for at in &located {
            writer.copy(at.header(), reader.stream(at).unwrap()).unwrap();
        }
        prop_assert_eq!(writer.finish().unwrap(), bytes);
    }

    #[test]
    fn no_bytes_panic(tail: Vec<u8>, payloads: u16) {
        let header = Header { payloads, file_type: FileType::Manifest };
        let bytes = [&header.to_bytes()[..], &tail].concat();
        let _ = Manifest::decode(&bytes);
        let _ = Reader::open(Cursor::new(&bytes));
    }

    #[test]
    fn no_damage_panics(at: prop::sample::Index, byte: u8) {
        let layout = [file("bin/a", 0o755, b"content of a"), file("b", 0o644, b"")];
        let mut bytes = package(&layout, &[b"content of a", b""]);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(mut package) = crate::package::Package::open(Cursor::new(&bytes)) {
            let _ = package.verify();
        }
    }
}
