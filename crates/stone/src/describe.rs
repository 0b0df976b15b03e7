//! What a file holds, read from it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek};

use moss_format::layout::{Entry, Kind};
use moss_format::payload::{self, Compression, Decoder};
use moss_format::stone::{self, FileType, Located, Reader};
use moss_format::{Limits, Meta, attributes, content, layout};
use serde::Serialize;

/// A file's description.
#[derive(Debug, Serialize)]
pub(crate) struct Description {
    pub(crate) file: String,
    #[serde(rename = "type", serialize_with = "file_type")]
    pub(crate) file_type: FileType,
    /// Bytes.
    pub(crate) size: u64,
    pub(crate) payloads: Vec<Payload>,
    pub(crate) packages: Vec<Meta>,
    /// What a package installs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) paths: Vec<Line>,
    /// How large each distinct file of a package is, by its digest.
    #[serde(skip)]
    pub(crate) sizes: BTreeMap<moss_format::Digest, u64>,
    /// Key and value, where a package has any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) attributes: Vec<(String, String)>,
}

/// A payload's header and place.
#[derive(Debug, Serialize)]
pub(crate) struct Payload {
    pub(crate) kind: String,
    pub(crate) compression: String,
    /// Left out where it is the known one.
    #[serde(skip_serializing_if = "is_known_version")]
    pub(crate) version: u16,
    pub(crate) offset: u64,
    pub(crate) stored_size: u64,
    pub(crate) plain_size: u64,
    pub(crate) records: u32,
    /// XXH3-64 of the stored bytes in hex.
    pub(crate) checksum: String,
}

/// A path of a package.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    /// From the root, as it is installed.
    pub(crate) path: String,
    /// The permissions in octal.
    pub(crate) mode: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
    #[serde(flatten)]
    pub(crate) what: What,
}

/// What stands at a path.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub(crate) enum What {
    File { digest: moss_format::Digest },
    Link { text: String },
    Directory,
    Special { number: u8 },
}

/// Reads a file but for its content.
pub(crate) fn read(name: String, file: File) -> Result<Description, stone::Error> {
    let mut reader = Reader::open(BufReader::new(file))?;
    let located = reader.payloads().to_vec();
    let last = located.last();
    let end = |at: &Located| at.offset() + payload::HEADER_SIZE + at.header().stored_size;
    let mut description = Description {
        file: name,
        file_type: reader.header().file_type,
        size: last.map_or(stone::HEADER_SIZE, end),
        payloads: located.iter().map(payload_line).collect(),
        packages: Vec::new(),
        paths: Vec::new(),
        sizes: BTreeMap::new(),
        attributes: Vec::new(),
    };
    let mut decoder = Decoder::new(Limits::default());
    let mut entries = Vec::new();
    for at in &located {
        description.add(&mut reader, &mut decoder, at, &mut entries)?;
    }
    let sizes = &description.sizes;
    description.paths = entries.iter().map(|entry| line(entry, sizes)).collect();
    Ok(description)
}

impl Description {
    fn add(
        &mut self,
        reader: &mut Reader<impl Read + Seek>,
        decoder: &mut Decoder,
        at: &Located,
        entries: &mut Vec<Entry>,
    ) -> Result<(), stone::Error> {
        let header = at.header();
        if !header.is_known() || header.kind == payload::Kind::Content {
            return Ok(());
        }
        let encoded = reader.read(at)?;
        let plain = decoder.plain(&encoded)?;
        let (payload, records) = (at.offset(), header.records);
        match header.kind {
            payload::Kind::Meta => {
                let meta = Meta::decode(&plain, records);
                let meta = meta.map_err(|source| stone::Error::Meta { payload, source })?;
                self.packages.push(meta);
            }
            payload::Kind::Layout => {
                let found = layout::decode(&plain, records);
                let found = found.map_err(|source| stone::Error::Layout { payload, source })?;
                entries.extend(found);
            }
            payload::Kind::Index => {
                let slices = content::decode_index(&plain, records);
                let slices = slices.map_err(|source| stone::Error::Index { payload, source })?;
                let sized = slices.iter().map(|slice| (slice.digest, slice.size()));
                self.sizes.extend(sized);
            }
            payload::Kind::Attributes => {
                let pairs = attributes::decode(&plain, records);
                let pairs = pairs.map_err(|source| stone::Error::Attributes { payload, source })?;
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let pairs = pairs
                    .iter()
                    .map(|pair| (text(&pair.key), text(&pair.value)));
                self.attributes.extend(pairs);
            }
            payload::Kind::Content | payload::Kind::Other(_) => {}
        }
        Ok(())
    }
}

fn payload_line(at: &Located) -> Payload {
    let header = at.header();
    Payload {
        kind: match header.kind {
            payload::Kind::Meta => "meta".to_owned(),
            payload::Kind::Content => "content".to_owned(),
            payload::Kind::Layout => "layout".to_owned(),
            payload::Kind::Index => "index".to_owned(),
            payload::Kind::Attributes => "attributes".to_owned(),
            payload::Kind::Other(number) => format!("unknown-{number}"),
        },
        compression: match header.compression {
            Compression::None => "none".to_owned(),
            Compression::Zstd => "zstd".to_owned(),
            Compression::Other(number) => format!("unknown-{number}"),
        },
        version: header.version,
        offset: at.offset(),
        stored_size: header.stored_size,
        plain_size: header.plain_size,
        records: header.records,
        checksum: format!("{:016x}", header.checksum),
    }
}

fn is_known_version(version: &u16) -> bool {
    *version == payload::VERSION
}

fn line(entry: &Entry, sizes: &BTreeMap<moss_format::Digest, u64>) -> Line {
    let special = |number| What::Special { number };
    Line {
        path: format!("/usr/{}", entry.target),
        mode: format!("{:04o}", entry.mode & 0o7777),
        uid: entry.uid,
        gid: entry.gid,
        size: entry
            .digest()
            .and_then(|digest| sizes.get(&digest).copied()),
        what: match &entry.kind {
            Kind::Regular(digest) => What::File { digest: *digest },
            Kind::Symlink(text) => What::Link { text: text.clone() },
            Kind::Directory => What::Directory,
            Kind::CharDevice => special(4),
            Kind::BlockDevice => special(5),
            Kind::Fifo => special(6),
            Kind::Socket => special(7),
            Kind::Other { number, .. } => special(*number),
        },
    }
}

fn file_type<S: serde::Serializer>(file_type: &FileType, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match file_type {
        FileType::Package => "package",
        FileType::Delta => "delta",
        FileType::Index => "index",
        FileType::Manifest => "manifest",
    })
}
