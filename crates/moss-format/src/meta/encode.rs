use super::{Meta, Primitive, RawRecord, Tag};
use crate::Provider;
use crate::dependency::Kind;
use crate::payload::{self, Encoded, Encoding};

/// Why metadata could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// A text holds a NUL, which would end it for readers.
    #[error("the {tag} of package {package:?} holds a NUL: {value:?}")]
    Nul {
        /// The package's name.
        package: String,
        /// Which field.
        tag: Tag,
        /// The text.
        value: String,
    },
    /// A value is longer than a record can be.
    #[error(
        "a value of tag {tag} of package {package:?} is {length} bytes long, too long for a record"
    )]
    TooLong {
        /// The package's name.
        package: String,
        /// The number of the tag.
        tag: u16,
        /// Bytes of the value.
        length: usize,
    },
    /// The payload could not be made.
    #[error("the metadata of package {package:?} could not be encoded")]
    Payload {
        /// The package's name.
        package: String,
        /// What failed.
        #[source]
        source: payload::EncodeError,
    },
}

impl Meta {
    /// The records of this metadata, in the order in which writers lay them
    /// down.
    ///
    /// # Errors
    ///
    /// When a text holds a NUL.
    pub fn to_records(&self) -> Result<Vec<RawRecord>, EncodeError> {
        let mut to = Output {
            package: &self.name,
            records: Vec::new(),
        };
        to.text(Tag::Name, &self.name)?;
        to.text(Tag::Version, &self.version)?;
        to.number(Tag::Release, self.release);
        to.number(Tag::BuildRelease, self.build_release);
        to.text(Tag::Architecture, &self.architecture)?;
        to.text(Tag::Summary, &self.summary)?;
        to.text(Tag::Description, &self.description)?;
        to.text(Tag::SourceId, &self.source_id)?;
        to.text(Tag::Homepage, &self.homepage)?;
        to.optional_text(Tag::PackageUri, self.uri.as_ref())?;
        to.optional_text(Tag::PackageHash, self.hash.as_ref())?;
        if let Some(size) = self.size {
            to.number(Tag::PackageSize, size);
        }
        to.lists(self)?;
        to.optional_text(Tag::SourceUri, self.source_uri.as_ref())?;
        to.optional_text(Tag::SourcePath, self.source_path.as_ref())?;
        to.optional_text(Tag::SourceRef, self.source_ref.as_ref())?;
        to.records.extend(self.other.iter().cloned());
        Ok(to.records)
    }

    /// The metadata as a payload.
    ///
    /// # Errors
    ///
    /// When a text holds a NUL, a value is too long, or compression fails.
    pub fn encode(&self, encoding: &Encoding) -> Result<Encoded<'static>, EncodeError> {
        let records = self.to_records()?;
        let mut plain = Vec::new();
        for record in &records {
            let length = u32::try_from(record.value.len()).map_err(|_| EncodeError::TooLong {
                package: self.name.clone(),
                tag: record.tag,
                length: record.value.len(),
            })?;
            plain.extend_from_slice(&length.to_be_bytes());
            plain.extend_from_slice(&record.tag.to_be_bytes());
            plain.extend_from_slice(&[record.primitive, 0]);
            plain.extend_from_slice(&record.value);
        }
        Encoded::encode(payload::Kind::Meta, records.len(), &plain, encoding).map_err(|source| {
            EncodeError::Payload {
                package: self.name.clone(),
                source,
            }
        })
    }
}

struct Output<'a> {
    package: &'a str,
    records: Vec<RawRecord>,
}

impl Output<'_> {
    fn lists(&mut self, meta: &Meta) -> Result<(), EncodeError> {
        let mut licenses: Vec<&String> = meta.licenses.iter().collect();
        licenses.sort_unstable();
        for license in licenses {
            self.text(Tag::License, license)?;
        }
        for dependency in &meta.depends {
            let (kind, name) = (dependency.kind(), dependency.name());
            self.named(Tag::Depends, Primitive::Dependency, kind, name);
        }
        // A package provides its own name anyway; other names are not provided.
        let written = |provider: &&Provider| provider.kind() != Kind::PackageName;
        for provider in meta.provides.iter().filter(written) {
            let (kind, name) = (provider.kind(), provider.name());
            self.named(Tag::Provides, Primitive::Provider, kind, name);
        }
        for conflict in &meta.conflicts {
            let (kind, name) = (conflict.kind(), conflict.name());
            self.named(Tag::Conflicts, Primitive::Provider, kind, name);
        }
        for dependency in &meta.build_depends {
            let (kind, name) = (dependency.kind(), dependency.name());
            self.named(Tag::BuildDepends, Primitive::Dependency, kind, name);
        }
        Ok(())
    }

    fn optional_text(&mut self, tag: Tag, text: Option<&String>) -> Result<(), EncodeError> {
        text.map_or(Ok(()), |text| self.text(tag, text))
    }

    fn text(&mut self, tag: Tag, text: &str) -> Result<(), EncodeError> {
        if text.contains('\0') {
            return Err(EncodeError::Nul {
                package: self.package.to_owned(),
                tag,
                value: text.to_owned(),
            });
        }
        let value = text.bytes().chain([0]).collect();
        self.push(tag, Primitive::String, value);
        Ok(())
    }

    fn number(&mut self, tag: Tag, number: u64) {
        self.push(tag, Primitive::U64, number.to_be_bytes().to_vec());
    }

    fn named(&mut self, tag: Tag, primitive: Primitive, kind: Kind, name: &str) {
        let value = [kind.as_byte()].into_iter().chain(name.bytes()).chain([0]);
        self.push(tag, primitive, value.collect());
    }

    fn push(&mut self, tag: Tag, primitive: Primitive, value: Vec<u8>) {
        self.records.push(RawRecord {
            tag: tag.number(),
            primitive: primitive.as_byte(),
            value,
        });
    }
}
