use std::fmt;

use serde::{Deserialize, Serialize};

use super::Error;
use crate::bytes::Input;

/// Bytes before a record's value.
pub(super) const HEADER_SIZE: u64 = 8;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
#[expect(missing_docs, reason = "the names are the format's own")]
pub enum Tag {
    Name = 1,
    Architecture = 2,
    Version = 3,
    Summary = 4,
    Description = 5,
    Homepage = 6,
    SourceId = 7,
    Depends = 8,
    Provides = 9,
    Conflicts = 10,
    Release = 11,
    License = 12,
    BuildRelease = 13,
    PackageUri = 14,
    PackageHash = 15,
    PackageSize = 16,
    BuildDepends = 17,
    SourceUri = 18,
    SourcePath = 19,
    SourceRef = 20,
}

impl Tag {
    /// Every tag, in the order of their numbers.
    pub const ALL: [Self; 20] = [
        Self::Name,
        Self::Architecture,
        Self::Version,
        Self::Summary,
        Self::Description,
        Self::Homepage,
        Self::SourceId,
        Self::Depends,
        Self::Provides,
        Self::Conflicts,
        Self::Release,
        Self::License,
        Self::BuildRelease,
        Self::PackageUri,
        Self::PackageHash,
        Self::PackageSize,
        Self::BuildDepends,
        Self::SourceUri,
        Self::SourcePath,
        Self::SourceRef,
    ];

    /// The tag of this number.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        let place = usize::from(number).checked_sub(1)?;
        Self::ALL.get(place).copied()
    }

    /// The number of this tag.
    #[must_use]
    pub fn number(self) -> u16 {
        self as u16
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "name",
            Self::Architecture => "architecture",
            Self::Version => "version",
            Self::Summary => "summary",
            Self::Description => "description",
            Self::Homepage => "homepage",
            Self::SourceId => "source id",
            Self::Depends => "dependency",
            Self::Provides => "provider",
            Self::Conflicts => "conflict",
            Self::Release => "release",
            Self::License => "licence",
            Self::BuildRelease => "build release",
            Self::PackageUri => "package URI",
            Self::PackageHash => "package hash",
            Self::PackageSize => "package size",
            Self::BuildDepends => "build dependency",
            Self::SourceUri => "source URI",
            Self::SourcePath => "source path",
            Self::SourceRef => "source ref",
        })
    }
}

/// The type of a record's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the format's own")]
pub enum Primitive {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    /// Text with a NUL at its end.
    String,
    /// The number of a kind, then a name with a NUL at its end.
    Dependency,
    /// As a dependency.
    Provider,
    /// A type this library does not know.
    Other(u8),
}

impl Primitive {
    /// The type of this number.
    #[must_use]
    pub fn from_byte(byte: u8) -> Self {
        match byte {
            1 => Self::I8,
            2 => Self::U8,
            3 => Self::I16,
            4 => Self::U16,
            5 => Self::I32,
            6 => Self::U32,
            7 => Self::I64,
            8 => Self::U64,
            9 => Self::String,
            10 => Self::Dependency,
            11 => Self::Provider,
            other => Self::Other(other),
        }
    }

    /// The number of this type.
    #[must_use]
    pub fn as_byte(self) -> u8 {
        match self {
            Self::I8 => 1,
            Self::U8 => 2,
            Self::I16 => 3,
            Self::U16 => 4,
            Self::I32 => 5,
            Self::U32 => 6,
            Self::I64 => 7,
            Self::U64 => 8,
            Self::String => 9,
            Self::Dependency => 10,
            Self::Provider => 11,
            Self::Other(other) => other,
        }
    }
}

/// One record, read in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The number of its [`Tag`].
    pub tag: u16,
    /// The type of its value.
    pub primitive: Primitive,
    /// Its value, uninterpreted.
    pub value: &'a [u8],
    /// Where its header begins in the plain bytes.
    pub offset: u64,
}

impl Record<'_> {
    /// Where its value begins in the plain bytes.
    #[must_use]
    pub fn value_offset(&self) -> u64 {
        self.offset.saturating_add(HEADER_SIZE)
    }

    /// The record with its own bytes.
    #[must_use]
    pub fn to_raw(&self) -> RawRecord {
        RawRecord {
            tag: self.tag,
            primitive: self.primitive.as_byte(),
            value: self.value.to_vec(),
        }
    }
}

/// A record that is kept without being understood.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RawRecord {
    /// The number of its tag.
    pub tag: u16,
    /// The number of its primitive.
    pub primitive: u8,
    /// Its value's bytes.
    #[serde(with = "hex::serde")]
    pub value: Vec<u8>,
}

/// The records in a payload's plain bytes. The first error is the last item.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    input: Input<'a>,
    left: u32,
    ended: bool,
}

impl<'a> Records<'a> {
    /// The records in these bytes, which must be exactly this many.
    #[must_use]
    pub fn new(plain: &'a [u8], count: u32) -> Self {
        Self {
            input: Input::new(plain),
            left: count,
            ended: false,
        }
    }

    fn step(&mut self) -> Result<Option<Record<'a>>, Error> {
        let offset = self.input.offset();
        let Some(left) = self.left.checked_sub(1) else {
            return match self.input.left() as u64 {
                0 => Ok(None),
                count => Err(Error::Trailing { offset, count }),
            };
        };
        self.left = left;
        let length = self.input.u32()?;
        let tag = self.input.u16()?;
        let primitive = Primitive::from_byte(self.input.u8()?);
        self.input.u8()?;
        let value = self.input.take(length.into())?;
        Ok(Some(Record {
            tag,
            primitive,
            value,
            offset,
        }))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let step = self.step().transpose();
        self.ended = !matches!(step, Some(Ok(_)));
        step
    }
}
