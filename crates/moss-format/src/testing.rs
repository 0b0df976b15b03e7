//! What the tests of several modules build their input with.

mod any;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};

use xxhash_rust::xxh3::xxh3_64;

use crate::content::{self, Slice};
use crate::layout::{self, Entry, Kind};
use crate::package::{self, Contents};
use crate::payload::{self, Compression, Encoded, Encoding, Level};
use crate::stone::{FileType, Writer};
use crate::{Digest, Meta};

pub(crate) use any::{any_kept, any_meta};

pub(crate) const FAST: Encoding = Encoding {
    level: Level::FASTEST,
    workers: 0,
};

/// Metadata with all that every package has.
pub(crate) fn meta(name: &str) -> Meta {
    Meta {
        name: name.to_owned(),
        version: "1.0".to_owned(),
        release: 3,
        build_release: 1,
        architecture: "x86_64".to_owned(),
        summary: "A test".to_owned(),
        description: "A package for tests.\n".to_owned(),
        source_id: "source".to_owned(),
        homepage: "https://example.org/".to_owned(),
        licenses: vec!["MPL-2.0".to_owned()],
        ..Meta::default()
    }
}

/// An entry of this kind and mode.
pub(crate) fn entry(target: &str, mode: u32, kind: Kind) -> Entry {
    Entry {
        uid: 0,
        gid: 0,
        mode,
        tag: 0,
        kind,
        target: target.to_owned(),
    }
}

/// A regular file with these bytes.
pub(crate) fn file(target: &str, mode: u32, bytes: &[u8]) -> Entry {
    entry(target, 0o100_000 | mode, Kind::Regular(Digest::of(bytes)))
}

/// A symbolic link with this text.
pub(crate) fn symlink(target: &str, text: &str) -> Entry {
    entry(target, 0o120_777, Kind::Symlink(text.to_owned()))
}

/// Files held in memory by their digest.
#[derive(Default)]
pub(crate) struct Memory(BTreeMap<Digest, Vec<u8>>);

impl Memory {
    pub(crate) fn of(files: &[&[u8]]) -> Self {
        let with_digest = |bytes: &&[u8]| (Digest::of(bytes), bytes.to_vec());
        Self(files.iter().map(with_digest).collect())
    }

    /// Puts other bytes where the digest's should be.
    pub(crate) fn swap(&mut self, digest: Digest, bytes: &[u8]) {
        self.0.insert(digest, bytes.to_vec());
    }

    fn find(&self, entry: &Entry) -> io::Result<&[u8]> {
        let bytes = entry.digest().and_then(|digest| self.0.get(&digest));
        bytes
            .map(Vec::as_slice)
            .ok_or(io::ErrorKind::NotFound.into())
    }
}

impl Contents for Memory {
    fn size(&mut self, entry: &Entry) -> io::Result<u64> {
        Ok(self.find(entry)?.len() as u64)
    }

    fn open(&mut self, entry: &Entry) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.find(entry)?))
    }
}

/// A package of these entries, written the usual way.
pub(crate) fn package(layout: &[Entry], files: &[&[u8]]) -> Vec<u8> {
    let out = Cursor::new(Vec::new());
    let mut contents = Memory::of(files);
    package::write(out, &meta("test"), layout, &mut contents, &FAST)
        .unwrap()
        .into_inner()
}

/// A payload of uncompressed bytes, with whatever the header should claim.
pub(crate) fn plain_payload(kind: payload::Kind, records: u32, plain: &[u8]) -> Encoded<'static> {
    let header = payload::Header {
        stored_size: plain.len() as u64,
        plain_size: plain.len() as u64,
        checksum: xxh3_64(plain),
        records,
        version: payload::VERSION,
        kind,
        compression: Compression::None,
    };
    Encoded::found(header, Cow::Owned(plain.to_vec()), 0)
}

/// Payloads of later versions: one of another kind, and metadata of another
/// compression and of another version.
pub(crate) fn unknown_payloads() -> [Encoded<'static>; 3] {
    let of = |kind, change: fn(&mut payload::Header)| {
        let known = plain_payload(kind, 7, b"from the future");
        let mut header = *known.header();
        change(&mut header);
        Encoded::found(header, Cow::Owned(known.stored().to_vec()), 0)
    };
    [
        of(payload::Kind::Other(42), |_| {}),
        of(payload::Kind::Meta, |header| {
            header.compression = Compression::Other(9);
        }),
        of(payload::Kind::Meta, |header| header.version = 2),
    ]
}

/// A file of these payloads.
pub(crate) fn stone(file_type: FileType, payloads: &[Encoded<'_>]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), file_type, payloads.len()).unwrap();
    for payload in payloads {
        writer.payload(payload).unwrap();
    }
    writer.finish().unwrap()
}

/// A package that no writer would write: nothing is checked.
pub(crate) fn raw_package(layout: &[Entry], slices: &[Slice], content: &[u8]) -> Vec<u8> {
    let mut payloads = vec![
        meta("test").encode(&FAST).unwrap(),
        layout::encode(layout, &FAST).unwrap(),
    ];
    if !slices.is_empty() {
        payloads.push(content::encode_index(slices, &FAST).unwrap());
        payloads.push(plain_payload(payload::Kind::Content, 0, content));
    }
    stone(FileType::Package, &payloads)
}
