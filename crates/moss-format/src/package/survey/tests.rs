use std::fs;
use std::io::{self, Cursor, Read};
use std::num::NonZeroUsize;

use sha2::{Digest as _, Sha256};

use super::{SurveyError, Surveyor, survey};
use crate::package::{Package, ReadError};
use crate::payload::Kind;
use crate::stone::{self, FileType};
use crate::testing::{FAST, file, meta, package, plain_payload, stone as container, symlink};
use crate::{Limits, Meta};

/// A source that gives one byte at a time.
struct Slow<'a>(&'a [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(1);
        self.0.read(&mut buffer[..most])
    }
}

fn listed(bytes: &[u8]) -> Meta {
    Meta {
        hash: Some(hex::encode(Sha256::digest(bytes))),
        size: Some(bytes.len() as u64),
        ..meta("test")
    }
}

fn sample() -> Vec<u8> {
    let content: Vec<u8> = (0..3000_u32).flat_map(u32::to_be_bytes).collect();
    let layout = [file("bin/a", 0o755, &content), symlink("bin/b", "a")];
    package(&layout, &[&content])
}

#[test]
fn metadata_comes_with_hash_and_size() {
    let bytes = sample();
    let mut surveyor = Surveyor::default();
    for _ in 0..2 {
        assert_eq!(surveyor.read(&bytes[..]).unwrap(), listed(&bytes));
        assert_eq!(surveyor.read(Slow(&bytes)).unwrap(), listed(&bytes));
    }
}

#[test]
fn a_cut_or_lengthened_package_is_refused_as_its_reader_does() {
    let bytes = sample();
    let mut surveyor = Surveyor::default();
    for end in 0..bytes.len() {
        let error = surveyor.read(&bytes[..end]).unwrap_err();
        let same = Package::open(Cursor::new(&bytes[..end])).unwrap_err();
        assert!(matches!(error, ReadError::Stone(stone::Error::Short(_))));
        assert_eq!(error.to_string(), same.to_string(), "cut at {end}");
    }
    let longer = [&bytes[..], b"more"].concat();
    let error = surveyor.read(&longer[..]).unwrap_err();
    let same = Package::open(Cursor::new(&longer)).unwrap_err();
    assert_eq!(error.to_string(), same.to_string());
}

#[test]
fn what_is_no_package_is_refused() {
    let mut surveyor = Surveyor::default();
    let encoded = meta("test").encode(&FAST).unwrap();
    let manifest = container(FileType::Manifest, std::slice::from_ref(&encoded));
    assert!(matches!(
        surveyor.read(&manifest[..]),
        Err(ReadError::Stone(stone::Error::WrongFileType { .. }))
    ));
    let twice = container(FileType::Package, &[encoded.clone(), encoded]);
    assert!(matches!(
        surveyor.read(&twice[..]),
        Err(ReadError::Twice { .. })
    ));
    let other = container(
        FileType::Package,
        &[plain_payload(Kind::Other(9), 1, b"other")],
    );
    assert!(matches!(
        surveyor.read(&other[..]),
        Err(ReadError::NoMeta { payloads: 1, end }) if end == other.len() as u64
    ));
}

#[test]
fn a_payload_beyond_the_limit_takes_no_memory() {
    let bytes = sample();
    let limits = Limits {
        payload: 10,
        ..Limits::default()
    };
    let error = Surveyor::new(limits).read(&bytes[..]).unwrap_err();
    assert!(error.to_string().contains("limit"), "{error}");
}

#[test]
fn many_files_are_answered_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = sample();
    let mut paths = Vec::new();
    for number in 0..20 {
        let path = folder.path().join(number.to_string());
        if number % 5 != 3 {
            let end = bytes.len() - usize::from(number % 5 == 2);
            fs::write(&path, &bytes[..end]).unwrap();
        }
        paths.push(path);
    }
    for threads in [1, 2, 40] {
        let threads = NonZeroUsize::new(threads).unwrap();
        let answers = survey(&paths, threads, Limits::default());
        assert_eq!(answers.len(), paths.len());
        for (number, answer) in answers.into_iter().enumerate() {
            match (number % 5, answer) {
                (3, Err(error @ SurveyError::Open(_))) => assert!(error.is_of_system()),
                (2, Err(error)) => assert!(!error.is_of_system()),
                (0 | 1 | 4, Ok(meta)) => assert_eq!(meta, listed(&bytes)),
                (_, other) => panic!("{number}: {other:?}"),
            }
        }
    }
}
