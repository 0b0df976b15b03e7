use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::Write;

use super::{WriteError, validate};
use crate::Meta;
use crate::payload::{Encoded, Encoding};
use crate::stone::{self, FileType, MAX_PAYLOADS};

/// A package of an index, valid and already encoded.
///
/// Kept between publications, it makes an index after one change a copy of
/// payloads plus one new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    key: Key,
    payload: Encoded<'static>,
}

/// What an index is sorted by and must be unique by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The name of the recipe.
    pub source_id: String,
    /// The name of the package.
    pub name: String,
    /// The recipe's release.
    pub release: u64,
    /// How often the release was built.
    pub build_release: u64,
    /// SHA-256 of the package file.
    pub hash: String,
}

impl Key {
    /// The key of this package; without a hash it is unfit for an index.
    #[must_use]
    pub fn of(meta: &Meta) -> Self {
        Self {
            source_id: meta.source_id.clone(),
            name: meta.name.clone(),
            release: meta.release,
            build_release: meta.build_release,
            hash: meta.hash.clone().unwrap_or_default(),
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        let sortable = |key: &Self| (key.release, key.build_release);
        self.source_id
            .cmp(&other.source_id)
            .then_with(|| self.name.cmp(&other.name))
            .then_with(|| sortable(self).cmp(&sortable(other)))
            .then_with(|| self.hash.cmp(&other.hash))
    }
}

impl Entry {
    /// Validates and encodes a package.
    ///
    /// # Errors
    ///
    /// When it cannot stand in an index or be encoded.
    pub fn new(meta: &Meta, encoding: &Encoding) -> Result<Self, WriteError> {
        validate::meta(meta).map_err(|invalid| WriteError::Invalid {
            name: meta.name.clone(),
            invalid,
        })?;
        Ok(Self {
            key: Key::of(meta),
            payload: meta.encode(encoding).map_err(stone::WriteError::Meta)?,
        })
    }

    /// What it is sorted by.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Its metadata, encoded.
    #[must_use]
    pub fn payload(&self) -> &Encoded<'static> {
        &self.payload
    }
}

/// Writes an index of these packages, sorted by source id, then name, then
/// release.
///
/// # Errors
///
/// When two have the same hash, when there are too many, or when writing
/// fails.
pub fn write<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
    out: impl Write,
) -> Result<(), WriteError> {
    let mut entries: Vec<&Entry> = entries.into_iter().collect();
    check_set(entries.iter().map(|entry| entry.key.clone()))?;
    entries.sort_by(|a, b| a.key.order(&b.key));
    let mut writer = stone::Writer::new(out, FileType::Index, entries.len())?;
    for entry in entries {
        writer.payload(&entry.payload)?;
    }
    writer.finish()?;
    Ok(())
}

/// Checks that packages can stand beside each other.
pub(super) fn check_set(keys: impl ExactSizeIterator<Item = Key>) -> Result<(), WriteError> {
    let count = keys.len();
    if count > MAX_PAYLOADS {
        return Err(WriteError::TooMany { count });
    }
    let mut names = BTreeMap::new();
    for key in keys {
        if let Some(first) = names.insert(key.hash.clone(), key.name.clone()) {
            return Err(WriteError::SameHash {
                first,
                second: key.name,
                hash: key.hash,
            });
        }
    }
    Ok(())
}
