use std::cmp::Ordering;
use std::collections::{HashMap, hash_map};
use std::io::Write;

use super::{TakeError, WriteError, validate};
use crate::payload::{self, Decoder, Encoded, Encoding};
use crate::stone::{self, FileType, Kept, MAX_PAYLOADS, Places, View};
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

/// What an index holds, to be written again by [`write_keeping`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// The packages, in the order of the file.
    pub entries: Vec<Entry>,
    /// The payloads that are not understood, each after how many packages it
    /// stands.
    pub kept: Vec<Kept>,
}

/// The entries of an index, with their payloads as they are: none is
/// compressed again. Within the default limits.
///
/// # Errors
///
/// When the bytes are no index, or a package in it cannot stand in one.
pub fn entries(bytes: &[u8]) -> Result<Taken, TakeError> {
    entries_within(bytes, Limits::default())
}

/// As [`entries`], within these limits.
///
/// # Errors
///
/// As [`entries`].
pub fn entries_within(bytes: &[u8], limits: Limits) -> Result<Taken, TakeError> {
    let view = View::of_type(bytes, FileType::Index)?;
    let mut decoder = Decoder::new(limits);
    let mut taken = Taken::default();
    for payload in view.payloads() {
        let payload = payload?;
        let offset = payload.offset();
        if payload.header().holds(payload::Kind::Meta) {
            let meta = stone::decode_meta(&mut decoder, &payload)?;
            let entry = Entry::valid(&meta, payload.into_owned())
                .map_err(|source| TakeError::Invalid { offset, source })?;
            taken.entries.push(entry);
        } else {
            taken.kept.push(Kept {
                place: taken.entries.len(),
                payload: payload.into_owned(),
            });
        }
    }
    Ok(taken)
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
    write_keeping(entries, &[], out)
}

/// As [`write()`], with payloads that are not understood between the packages,
/// each after as many of them as it says.
///
/// # Errors
///
/// As [`write()`].
pub fn write_keeping<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
    kept: &[Kept],
    out: impl Write,
) -> Result<(), WriteError> {
    let mut entries: Vec<&Entry> = entries.into_iter().collect();
    let hash_and_name = |entry: &&'a Entry| (entry.key.hash.as_str(), entry.key.name.as_str());
    check_set(entries.iter().map(hash_and_name))?;
    entries.sort_by(|a, b| a.key.order(&b.key));
    let count = entries.len().saturating_add(kept.len());
    let mut writer = stone::Writer::new(out, FileType::Index, count)?;
    let mut kept = Places::of(kept);
    for entry in entries {
        kept.before_next(&mut writer)?;
        writer.payload(&entry.payload)?;
    }
    kept.rest(&mut writer)?;
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
