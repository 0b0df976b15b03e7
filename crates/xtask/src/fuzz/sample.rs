//! Files that are made, where real ones are too large to be mutated quickly or have not everything.

use std::io::{self, Cursor, Read};
use std::path::Path;

use anyhow::{Context as _, Result};
use moss_format::layout::{Entry, Kind};
use moss_format::package::{self, Contents, Folder};
use moss_format::payload::{self, Compression, Decoder, Encoding, Error};
use moss_format::stone::View;
use moss_format::{Digest, Index, Limits, Meta};

/// A small package of this folder's files.
pub(super) fn package_of(folder: &Path) -> Result<Vec<u8>> {
    let mut files = Folder::open(folder)?;
    let layout = files.scan()?;
    written(&layout, &mut files)
}

/// A package with a path of every kind that can be unpacked: files that share their content or are
/// empty, links, folders, set-id bits.
pub(super) fn package_of_all_kinds() -> Result<Vec<u8>> {
    let entry = |target: &str, mode: u32, kind| Entry {
        uid: 0,
        gid: 0,
        mode,
        tag: 0,
        kind,
        target: target.to_owned(),
    };
    let file = |target, mode: u32, text: &str| {
        let kind = Kind::Regular(Digest::of(text.as_bytes()));
        entry(target, 0o100_000 | mode, kind)
    };
    let link = |target, text: &str| entry(target, 0o120_777, Kind::Symlink(text.to_owned()));
    let layout = [
        file("bin/program", 0o755, PROGRAM),
        file("bin/same", 0o4755, PROGRAM),
        link("bin/link", "program"),
        link("lib/out", "../../beside"),
        file("share/doc/text", 0o644, TEXT),
        file("share/doc/nothing", 0o600, ""),
        entry("share/doc", 0o040_700, Kind::Directory),
        entry("share/none", 0o040_755, Kind::Directory),
    ];
    written(&layout, &mut Texts)
}

const PROGRAM: &str = "#!/bin/sh\necho what a program says\n";
const TEXT: &str = "Some text.\nAnd some text more.\n";

/// The contents of a package of all kinds, by their digests.
struct Texts;

impl Texts {
    fn find(entry: &Entry) -> io::Result<&'static [u8]> {
        let mut texts = [PROGRAM, TEXT, ""].into_iter();
        let found = texts.find(|text| entry.digest() == Some(Digest::of(text.as_bytes())));
        Ok(found.ok_or(io::ErrorKind::NotFound)?.as_bytes())
    }
}

impl Contents for Texts {
    fn size(&mut self, entry: &Entry) -> io::Result<u64> {
        Ok(Self::find(entry)?.len() as u64)
    }

    fn open(&mut self, entry: &Entry) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(Self::find(entry)?))
    }
}

fn written(layout: &[Entry], contents: &mut dyn Contents) -> Result<Vec<u8>> {
    let meta = Meta {
        name: "sample".to_owned(),
        version: "1.0".to_owned(),
        release: 1,
        build_release: 1,
        architecture: "x86_64".to_owned(),
        source_id: "sample".to_owned(),
        licenses: vec!["MPL-2.0".to_owned()],
        depends: ["soname(libc.so.6(x86_64))".parse()?].into(),
        provides: ["binary(sample)".parse()?].into(),
        ..Meta::default()
    };
    let out = Cursor::new(Vec::new());
    let encoding = Encoding::default();
    Ok(package::write(out, &meta, layout, contents, &encoding)?.into_inner())
}

/// The same file with its payloads uncompressed: what is changed in one then changes its records and
/// not only whether it decompresses.
pub(super) fn uncompressed(bytes: &[u8]) -> Result<Vec<u8>> {
    let view = View::new(bytes)?;
    let mut decoder = Decoder::new(Limits::default());
    let mut plain = view.header().to_bytes().to_vec();
    for payload in view.payloads() {
        let payload = payload?;
        let stored = decoder.plain(&payload)?;
        let header = payload::Header {
            stored_size: stored.len() as u64,
            compression: Compression::None,
            ..*payload.header()
        };
        plain.extend(header.to_bytes());
        plain.extend_from_slice(&stored);
    }
    let mut repaired = plain.clone();
    for payload in View::new(&plain)?.payloads() {
        if let Err(Error::Checksum { offset, found, .. }) = payload?.verify() {
            let at = usize::try_from(offset)? + CHECKSUM_AT;
            let checksum = repaired.get_mut(at..at + 8);
            checksum
                .context("a payload ends early")?
                .copy_from_slice(&found.to_be_bytes());
        }
    }
    Ok(repaired)
}

/// Where a payload's header has the checksum.
const CHECKSUM_AT: usize = 16;

/// An index of these packages, as if each lay in a pool.
pub(super) fn index_of(metas: &[Meta]) -> Result<Vec<u8>> {
    let listed = |(number, meta): (usize, &Meta)| Meta {
        uri: Some(format!("../pool/{number}.stone")),
        hash: Some(format!("{number:064x}")),
        size: Some(1000),
        build_depends: Vec::new(),
        ..meta.clone()
    };
    let packages = metas.iter().enumerate().map(listed).collect();
    Ok(Index::new(packages).encode(&Encoding::default())?)
}
