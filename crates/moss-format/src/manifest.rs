//! What a build made, committed beside its recipe: `manifest.<arch>.bin` for
//! machines, `manifest.<arch>.jsonc` for people.

mod compare;
pub mod jsonc;

use std::io::{Read, Write};

use crate::payload::{self, Decoder, Encoding};
use crate::stone::{self, FileType, Kept, Places, View, WriteError};
use crate::{Dependency, Limits, Meta};

pub use compare::Mismatch;

/// The metadata of the packages of one build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// One per package, in the order of the file.
    pub packages: Vec<Meta>,
    kept: Vec<Kept>,
}

impl Manifest {
    /// A manifest of these packages, as they are.
    #[must_use]
    pub fn new(packages: Vec<Meta>) -> Self {
        Self {
            packages,
            kept: Vec::new(),
        }
    }

    /// The manifest of a build: without the packages of debugging symbols,
    /// sorted by name, with build release 0, without what only an index knows,
    /// and with the recipe's build and check dependencies in each package.
    #[must_use]
    pub fn of_build<'a>(
        packages: impl IntoIterator<Item = &'a Meta>,
        build_depends: &[Dependency],
    ) -> Self {
        let mut build_depends = build_depends.to_vec();
        build_depends.sort_by_cached_key(Dependency::to_string);
        build_depends.dedup();
        let mut packages: Vec<Meta> = packages
            .into_iter()
            .filter(|meta| !meta.is_debug())
            .map(|meta| Meta {
                build_release: 0,
                uri: None,
                hash: None,
                size: None,
                build_depends: build_depends.clone(),
                ..meta.clone()
            })
            .collect();
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        Self::new(packages)
    }

    /// Reads a `.bin` manifest from memory, within the default limits.
    /// Payloads that are no metadata, or of an unknown compression or version,
    /// are kept as they are.
    ///
    /// # Errors
    ///
    /// When it is malformed or another kind of file.
    pub fn decode(bytes: &[u8]) -> Result<Self, stone::Error> {
        Self::decode_within(bytes, Limits::default())
    }

    /// As [`Manifest::decode`], within these limits.
    ///
    /// # Errors
    ///
    /// As [`Manifest::decode`].
    pub fn decode_within(bytes: &[u8], limits: Limits) -> Result<Self, stone::Error> {
        let view = View::of_type(bytes, FileType::Manifest)?;
        let mut decoder = Decoder::new(limits);
        let mut manifest = Self::default();
        for payload in view.payloads() {
            let payload = payload?;
            if payload.header().holds(payload::Kind::Meta) {
                let meta = stone::decode_meta(&mut decoder, &payload)?;
                manifest.packages.push(meta);
            } else {
                manifest.kept.push(Kept {
                    place: manifest.packages.len(),
                    payload: payload.into_owned(),
                });
            }
        }
        Ok(manifest)
    }

    /// Reads a `.bin` manifest to its end, within the default limits.
    ///
    /// # Errors
    ///
    /// As [`Manifest::decode`], and when reading fails.
    pub fn read(source: impl Read) -> Result<Self, stone::Error> {
        Self::read_within(source, Limits::default())
    }

    /// As [`Manifest::read`], within these limits.
    ///
    /// # Errors
    ///
    /// As [`Manifest::read`].
    pub fn read_within(source: impl Read, limits: Limits) -> Result<Self, stone::Error> {
        Self::decode_within(&stone::read_whole(source, &limits)?, limits)
    }

    /// The payloads that were read and not understood.
    #[must_use]
    pub fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// The bytes of the `.bin` manifest: the packages in the order they stand
    /// here, and the payloads that were not understood in their places.
    ///
    /// # Errors
    ///
    /// When a package cannot be encoded.
    pub fn encode(&self, encoding: &Encoding) -> Result<Vec<u8>, WriteError> {
        let mut bytes = Vec::new();
        self.write(&mut bytes, encoding)?;
        Ok(bytes)
    }

    /// As [`Manifest::encode`], into a writer.
    ///
    /// # Errors
    ///
    /// As [`Manifest::encode`], and when writing fails.
    pub fn write(&self, out: impl Write, encoding: &Encoding) -> Result<(), WriteError> {
        let count = self.packages.len().saturating_add(self.kept.len());
        let mut writer = stone::Writer::new(out, FileType::Manifest, count)?;
        let mut kept = Places::of(&self.kept);
        for meta in &self.packages {
            kept.before_next(&mut writer)?;
            writer.payload(&meta.encode(encoding)?)?;
        }
        kept.rest(&mut writer)?;
        writer.finish()?;
        Ok(())
    }

    /// The package of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Meta> {
        self.packages.iter().find(|meta| meta.name == name)
    }
}

#[cfg(test)]
mod tests;
