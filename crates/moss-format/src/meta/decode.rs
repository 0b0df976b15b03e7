use std::collections::BTreeSet;

use super::{Meta, Primitive, RawRecord, Record, Records, Tag};
use crate::bytes::without_trailing_nul;
use crate::dependency::{self, Kind};
use crate::{Dependency, Provider, Short};

/// Why metadata could not be read. Offsets count plain bytes of the payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The records end early.
    #[error(transparent)]
    Short(#[from] Short),
    /// Bytes follow the last record.
    #[error("{count} bytes follow the last record, which ends at plain byte {offset}")]
    Trailing {
        /// Where the last record ends.
        offset: u64,
        /// How many bytes follow.
        count: u64,
    },
    /// A text is not UTF-8.
    #[error("the {tag} at plain byte {offset} is not UTF-8")]
    NotUtf8 {
        /// Which field.
        tag: Tag,
        /// Where the text begins.
        offset: u64,
    },
    /// A text holds a NUL before its end.
    #[error("the {tag} at plain byte {offset} holds a NUL")]
    NulInside {
        /// Which field.
        tag: Tag,
        /// Where the text begins.
        offset: u64,
    },
    /// A number is negative or not as long as its type.
    #[error("the {tag} at plain byte {offset} is no number of its type")]
    Number {
        /// Which field.
        tag: Tag,
        /// Where the number begins.
        offset: u64,
    },
    /// A dependency or provider has no bytes, not even a kind.
    #[error("the {tag} at plain byte {offset} is empty")]
    NoKind {
        /// Which field.
        tag: Tag,
        /// Where it should begin.
        offset: u64,
    },
    /// A dependency or provider has no acceptable name.
    #[error("the {tag} at plain byte {offset} is malformed")]
    Dependency {
        /// Which field.
        tag: Tag,
        /// Where it begins.
        offset: u64,
        /// What is wrong.
        #[source]
        source: dependency::Error,
    },
    /// A field that every package has is missing.
    #[error("the records, which end at plain byte {offset}, lack the {tag}")]
    Missing {
        /// Which field.
        tag: Tag,
        /// Where the records end.
        offset: u64,
    },
}

impl Meta {
    /// Reads the records in a payload's plain bytes, which must be exactly
    /// this many.
    ///
    /// # Errors
    ///
    /// When a record is malformed or a field that every package has is
    /// missing.
    pub fn decode(plain: &[u8], records: u32) -> Result<Self, Error> {
        let mut fields = Fields::default();
        for record in Records::new(plain, records) {
            let record = record?;
            if !fields.take(&record)? {
                fields.other.push(record.to_raw());
            }
        }
        fields.finish(plain.len() as u64)
    }
}

/// The fields found so far. The first record of a single-valued tag wins.
#[derive(Default)]
struct Fields {
    name: Option<String>,
    version: Option<String>,
    release: Option<u64>,
    build_release: Option<u64>,
    architecture: Option<String>,
    summary: Option<String>,
    description: Option<String>,
    source_id: Option<String>,
    homepage: Option<String>,
    uri: Option<String>,
    hash: Option<String>,
    size: Option<u64>,
    licenses: Vec<String>,
    depends: BTreeSet<Dependency>,
    provides: BTreeSet<Provider>,
    conflicts: BTreeSet<Provider>,
    build_depends: Vec<Dependency>,
    source_uri: Option<String>,
    source_path: Option<String>,
    source_ref: Option<String>,
    other: Vec<RawRecord>,
}

impl Fields {
    /// Whether the record found its place in a field.
    fn take(&mut self, record: &Record<'_>) -> Result<bool, Error> {
        let Some(tag) = Tag::from_number(record.tag) else {
            return Ok(false);
        };
        let text = |field| fill(field, || text(record, tag));
        let number = |field| fill(field, || number(record, tag));
        match tag {
            Tag::Name => text(&mut self.name),
            Tag::Architecture => text(&mut self.architecture),
            Tag::Version => text(&mut self.version),
            Tag::Summary => text(&mut self.summary),
            Tag::Description => text(&mut self.description),
            Tag::Homepage => text(&mut self.homepage),
            Tag::SourceId => text(&mut self.source_id),
            Tag::Depends => push(&mut self.depends, dependency(record, tag)?),
            Tag::Provides => push(&mut self.provides, provider(record, tag)?),
            Tag::Conflicts => push(&mut self.conflicts, provider(record, tag)?),
            Tag::Release => number(&mut self.release),
            Tag::License => push(&mut self.licenses, self::text(record, tag)?),
            Tag::BuildRelease => number(&mut self.build_release),
            Tag::PackageUri => text(&mut self.uri),
            Tag::PackageHash => text(&mut self.hash),
            Tag::PackageSize => number(&mut self.size),
            Tag::BuildDepends => push(&mut self.build_depends, dependency(record, tag)?),
            Tag::SourceUri => text(&mut self.source_uri),
            Tag::SourcePath => text(&mut self.source_path),
            Tag::SourceRef => text(&mut self.source_ref),
        }
    }

    fn finish(self, offset: u64) -> Result<Meta, Error> {
        let missing = |tag| Error::Missing { tag, offset };
        let mut licenses = self.licenses;
        licenses.sort_unstable();
        Ok(Meta {
            name: self.name.ok_or(missing(Tag::Name))?,
            version: self.version.ok_or(missing(Tag::Version))?,
            release: self.release.ok_or(missing(Tag::Release))?,
            build_release: self.build_release.ok_or(missing(Tag::BuildRelease))?,
            architecture: self.architecture.ok_or(missing(Tag::Architecture))?,
            summary: self.summary.ok_or(missing(Tag::Summary))?,
            description: self.description.ok_or(missing(Tag::Description))?,
            source_id: self.source_id.ok_or(missing(Tag::SourceId))?,
            homepage: self.homepage.ok_or(missing(Tag::Homepage))?,
            uri: self.uri,
            hash: self.hash,
            size: self.size,
            licenses,
            depends: self.depends,
            provides: self.provides,
            conflicts: self.conflicts,
            build_depends: self.build_depends,
            source_uri: self.source_uri,
            source_path: self.source_path,
            source_ref: self.source_ref,
            other: self.other,
        })
    }
}

/// Sets a field that is not set yet.
fn fill<T>(
    field: &mut Option<T>,
    value: impl FnOnce() -> Result<Option<T>, Error>,
) -> Result<bool, Error> {
    if field.is_some() {
        return Ok(false);
    }
    *field = value()?;
    Ok(field.is_some())
}

/// Adds to a list or set.
fn push<T>(list: &mut impl Extend<T>, value: Option<T>) -> Result<bool, Error> {
    let found = value.is_some();
    list.extend(value);
    Ok(found)
}

/// The record's text, if it is a text.
fn text(record: &Record<'_>, tag: Tag) -> Result<Option<String>, Error> {
    if record.primitive != Primitive::String {
        return Ok(None);
    }
    utf8(record.value, tag, record.value_offset()).map(Some)
}

fn utf8(value: &[u8], tag: Tag, offset: u64) -> Result<String, Error> {
    let value = without_trailing_nul(value);
    if value.contains(&0) {
        return Err(Error::NulInside { tag, offset });
    }
    std::str::from_utf8(value)
        .map(str::to_owned)
        .map_err(|_| Error::NotUtf8 { tag, offset })
}

/// The record's number, if it is a number.
fn number(record: &Record<'_>, tag: Tag) -> Result<Option<u64>, Error> {
    let value = record.value;
    let number = match record.primitive {
        Primitive::I8 => signed(value, i8::from_be_bytes),
        Primitive::U8 => unsigned(value, u8::from_be_bytes),
        Primitive::I16 => signed(value, i16::from_be_bytes),
        Primitive::U16 => unsigned(value, u16::from_be_bytes),
        Primitive::I32 => signed(value, i32::from_be_bytes),
        Primitive::U32 => unsigned(value, u32::from_be_bytes),
        Primitive::I64 => signed(value, i64::from_be_bytes),
        Primitive::U64 => unsigned(value, u64::from_be_bytes),
        Primitive::String | Primitive::Dependency | Primitive::Provider | Primitive::Other(_) => {
            return Ok(None);
        }
    };
    let offset = record.value_offset();
    number.map(Some).ok_or(Error::Number { tag, offset })
}

fn unsigned<const N: usize, T: Into<u64>>(value: &[u8], read: fn([u8; N]) -> T) -> Option<u64> {
    Some(read(value.try_into().ok()?).into())
}

fn signed<const N: usize, T: Into<i64>>(value: &[u8], read: fn([u8; N]) -> T) -> Option<u64> {
    u64::try_from(read(value.try_into().ok()?).into()).ok()
}

fn dependency(record: &Record<'_>, tag: Tag) -> Result<Option<Dependency>, Error> {
    named(record, tag, Primitive::Dependency, Dependency::new)
}

fn provider(record: &Record<'_>, tag: Tag) -> Result<Option<Provider>, Error> {
    named(record, tag, Primitive::Provider, Provider::new)
}

/// The record's kind and name, if it is of this primitive and a known kind.
fn named<T>(
    record: &Record<'_>,
    tag: Tag,
    primitive: Primitive,
    new: impl FnOnce(Kind, String) -> Result<T, dependency::Error>,
) -> Result<Option<T>, Error> {
    if record.primitive != primitive {
        return Ok(None);
    }
    let offset = record.value_offset();
    let Some((kind, name)) = record.value.split_first() else {
        return Err(Error::NoKind { tag, offset });
    };
    let Some(kind) = Kind::from_byte(*kind) else {
        return Ok(None);
    };
    let name = utf8(name, tag, offset.saturating_add(1))?;
    new(kind, name)
        .map(Some)
        .map_err(|source| Error::Dependency {
            tag,
            offset,
            source,
        })
}
