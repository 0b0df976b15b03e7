use std::cmp::Ordering;
use std::collections::{HashMap, hash_map};
use std::io::Write;

use super::{TakeError, WriteError, validate};
use crate::payload::{self, Decoder, Encoded, Encoding};
use crate::stone::{self, FileType, MAX_PAYLOADS, View};
use crate::{Limits, Meta};

/// A package of an index, valid and already encoded.
///
/// Kept between publications, or taken from the last index by [`entries`], it
/// makes an index after one change a copy of payloads plus one new one.
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
        Self::check(meta)?;
        let payload = meta.encode(encoding).map_err(stone::WriteError::Meta)?;
        Ok(Self {
            key: Key::of(meta),
            payload,
        })
    }

    /// An entry of what is encoded already.
    fn valid(meta: &Meta, payload: Encoded<'static>) -> Result<Self, WriteError> {
        Self::check(meta)?;
        Ok(Self {
            key: Key::of(meta),
            payload,
        })
    }

    fn check(meta: &Meta) -> Result<(), WriteError> {
        validate::meta(meta).map_err(|invalid| WriteError::Invalid {
            name: meta.name.clone(),
            invalid,
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

/// The entries of an index, with their payloads as they are: none is
/// compressed again. Payloads that are no metadata are left out. Within the
/// default limits.
///
/// # Errors
///
/// When the bytes are no index, or a package in it cannot stand in one.
pub fn entries(bytes: &[u8]) -> Result<Vec<Entry>, TakeError> {
    entries_within(bytes, Limits::default())
}

/// As [`entries`], within these limits.
///
/// # Errors
///
/// As [`entries`].
pub fn entries_within(bytes: &[u8], limits: Limits) -> Result<Vec<Entry>, TakeError> {
    let view = View::of_type(bytes, FileType::Index)?;
    let mut decoder = Decoder::new(limits);
    let mut entries = Vec::new();
    for payload in view.payloads() {
        let payload = payload?;
        if payload.header().kind == payload::Kind::Meta {
            let meta = stone::decode_meta(&mut decoder, &payload)?;
            entries.push(Entry::valid(&meta, payload.into_owned())?);
        }
    }
    Ok(entries)
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
    write_all(entries, &[], out)
}

/// As [`write`], with other payloads behind the packages.
pub(super) fn write_all<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
    other: &[Encoded<'static>],
    out: impl Write,
) -> Result<(), WriteError> {
    let mut entries: Vec<&Entry> = entries.into_iter().collect();
    let hash_and_name = |entry: &&'a Entry| (entry.key.hash.as_str(), entry.key.name.as_str());
    check_set(entries.iter().map(hash_and_name))?;
    entries.sort_by(|a, b| a.key.order(&b.key));
    let count = entries.len().saturating_add(other.len());
    let mut writer = stone::Writer::new(out, FileType::Index, count)?;
    for entry in entries {
        writer.payload(&entry.payload)?;
    }
    for payload in other {
        writer.payload(payload)?;
    }
    writer.finish()?;
    Ok(())
}

/// Checks that packages, given as hash and name, can stand beside each other.
pub(super) fn check_set<'a>(
    packages: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
) -> Result<(), WriteError> {
    let count = packages.len();
    if count > MAX_PAYLOADS {
        return Err(WriteError::TooMany { count });
    }
    let mut names = HashMap::with_capacity(count);
    for (hash, name) in packages {
        match names.entry(hash) {
            hash_map::Entry::Vacant(free) => {
                free.insert(name);
            }
            hash_map::Entry::Occupied(taken) => {
                return Err(WriteError::SameHash {
                    first: (*taken.get()).to_owned(),
                    second: name.to_owned(),
                    hash: (*taken.key()).to_owned(),
                });
            }
        }
    }
    Ok(())
}
