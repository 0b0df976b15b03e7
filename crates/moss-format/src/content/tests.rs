use proptest::prelude::*;

use super::{Error, IndexError, Slice, Visit, decode_index, encode_index, walk};
use crate::payload::{self, Decoder};
use crate::testing::{FAST, plain_payload};
use crate::{Digest, Limits};

fn slices(files: &[&[u8]]) -> Vec<Slice> {
    let mut start = 0;
    let slice = |bytes: &&[u8]| {
        let end = start + bytes.len() as u64;
        let slice = Slice {
            start,
            end,
            digest: Digest::of(bytes),
        };
        start = end;
        slice
    };
    files.iter().map(slice).collect()
}

/// The files that `walk` shows.
fn read(slices: &[Slice], content: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    let payload = plain_payload(payload::Kind::Content, 0, content);
    let mut files = Vec::new();
    walk::<Error>(
        payload.stored(),
        (100, payload.header()),
        slices,
        &Limits::default(),
        |_, file| {
            let mut bytes = Vec::new();
            // `walk` reports why reading failed.
            if file.read_to_end(&mut bytes).is_ok() {
                files.push(bytes);
            }
            Ok(Visit::Continue)
        },
    )?;
    Ok(files)
}

#[test]
fn files_come_in_the_order_of_the_content() {
    let mut slices = slices(&[b"hello", b"", b"world"]);
    slices.reverse();
    let files = read(&slices, b"helloworld").unwrap();
    assert_eq!(files, [&b"hello"[..], b"", b"world"]);
}

#[test]
fn unread_files_are_checked_too() {
    let payload = plain_payload(payload::Kind::Content, 0, b"hellowormd");
    let error = walk::<Error>(
        payload.stored(),
        (100, payload.header()),
        &slices(&[b"hello", b"world"]),
        &Limits::default(),
        |_, _| Ok(Visit::Continue),
    );
    assert!(matches!(
        error,
        Err(Error::Digest {
            payload: 100,
            offset: 5,
            ..
        })
    ));
}

#[test]
fn the_index_must_fill_the_content() {
    let good = slices(&[b"hello", b"world"]);
    let with = |start, end| {
        let second = Slice {
            start,
            end,
            ..good[1]
        };
        read(&[good[0], second], b"helloworld").unwrap_err()
    };
    assert!(matches!(
        with(6, 10),
        Error::Gap {
            expected: 5,
            start: 6,
            ..
        }
    ));
    assert!(matches!(
        with(4, 10),
        Error::Gap {
            expected: 5,
            start: 4,
            ..
        }
    ));
    assert!(matches!(
        with(5, 9),
        Error::Size {
            end: 9,
            size: 10,
            ..
        }
    ));
    assert!(matches!(with(5, u64::MAX), Error::Size { size: 10, .. }));
}

#[test]
fn an_early_end_is_a_fault_of_the_content() {
    let slices = slices(&[b"hello", b"world"]);
    let whole = plain_payload(payload::Kind::Content, 0, b"helloworld");
    let error = walk::<Error>(
        &b"hellow"[..],
        (100, whole.header()),
        &slices,
        &Limits::default(),
        |_, file| {
            let copied = std::io::copy(file, &mut std::io::sink());
            assert_eq!(copied.is_ok(), copied.is_ok_and(|count| count == 5));
            Ok(Visit::Continue)
        },
    );
    assert!(matches!(
        error,
        Err(Error::Read {
            payload: 100,
            offset: 6,
            ..
        })
    ));
}

#[test]
fn damage_of_stored_bytes_is_found_at_the_end() {
    let mut payload = plain_payload(payload::Kind::Content, 0, b"hello");
    let header = payload::Header {
        checksum: 1,
        ..*payload.header()
    };
    let error = walk::<Error>(
        payload.stored(),
        (100, &header),
        &slices(&[b"hello"]),
        &Limits::default(),
        |_, _| Ok(Visit::Continue),
    );
    assert!(matches!(
        error,
        Err(Error::Payload(payload::Error::Checksum { offset: 100, .. }))
    ));
    payload = plain_payload(payload::Kind::Content, 0, b"helloX");
    let header = payload::Header {
        plain_size: 5,
        ..*payload.header()
    };
    let error = walk::<Error>(
        payload.stored(),
        (100, &header),
        &slices(&[b"hello"]),
        &Limits::default(),
        |_, _| Ok(Visit::Continue),
    );
    assert!(matches!(
        error,
        Err(Error::Payload(payload::Error::PlainSize { .. }))
    ));
}

#[test]
fn content_beyond_the_limit_is_not_read() {
    let payload = plain_payload(payload::Kind::Content, 0, b"hello");
    let limits = Limits {
        content: 4,
        ..Limits::default()
    };
    let error = walk::<Error>(
        payload.stored(),
        (100, payload.header()),
        &slices(&[b"hello"]),
        &limits,
        |_, _| Ok(Visit::Continue),
    );
    assert!(matches!(
        error,
        Err(Error::Payload(payload::Error::Limit { .. }))
    ));
}

#[test]
fn content_that_counts_records_is_refused() {
    let payload = plain_payload(payload::Kind::Content, 1, b"hello");
    let error = walk::<Error>(
        payload.stored(),
        (100, payload.header()),
        &slices(&[b"hello"]),
        &Limits::default(),
        |_, _| Ok(Visit::Continue),
    );
    assert!(matches!(
        error,
        Err(Error::Payload(payload::Error::Records {
            offset: 100,
            records: 1
        }))
    ));
}

#[test]
fn a_window_beyond_the_limit_is_refused() {
    // A frame by hand: window of 2^31 bytes, no content size, one empty block.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0, 0xa8, 1, 0, 0];
    let payload = plain_payload(payload::Kind::Content, 0, &frame);
    let header = payload::Header {
        plain_size: 0,
        compression: payload::Compression::Zstd,
        ..*payload.header()
    };
    let read = |window_log| {
        let limits = Limits {
            window_log,
            ..Limits::default()
        };
        walk::<Error>(payload.stored(), (100, &header), &[], &limits, |_, _| {
            Ok(Visit::Continue)
        })
    };
    assert!(matches!(read(30), Err(Error::Read { payload: 100, .. })));
    assert!(read(31).is_ok());
}

#[test]
fn a_reversed_slice_is_refused() {
    let slice = Slice {
        start: 5,
        end: 4,
        digest: Digest::EMPTY,
    };
    let payload = encode_index(&[slice], &FAST).unwrap();
    let plain = Decoder::new(Limits::default())
        .plain(&payload)
        .unwrap()
        .into_owned();
    assert_eq!(
        decode_index(&plain, 1),
        Err(IndexError::Reversed {
            offset: 0,
            start: 5,
            end: 4
        })
    );
}

proptest! {
    #[test]
    fn an_index_reads_back(files in prop::collection::vec(any::<Vec<u8>>(), 1..8)) {
        let files: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
        let slices = slices(&files);
        let payload = encode_index(&slices, &FAST).unwrap();
        let plain = Decoder::new(Limits::default()).plain(&payload).unwrap().into_owned();
        prop_assert_eq!(decode_index(&plain, payload.header().records), Ok(slices.clone()));
        prop_assert_eq!(read(&slices, &files.concat()).unwrap(), files);
    }

    #[test]
    fn no_index_bytes_panic(plain: Vec<u8>, records in 0..4_u32) {
        let _ = decode_index(&plain, records);
    }
}
