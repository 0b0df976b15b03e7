//! A package as a channel knows it: what its stone says of itself, and the stone's bytes by digest.

use std::fmt;
use std::str::FromStr;

use api::id::{Architecture, FileName, InvalidId, RecipeName, Sha256};
use moss_format::Meta;
use serde::{Deserialize, Serialize};

/// The name of a package. It has the same rules as the name of a recipe.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Name(RecipeName);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

impl FromStr for Name {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self)
    }
}

/// A package of a channel, or one that wants to become one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Package {
    name: Name,
    architecture: Architecture,
    source: RecipeName,
    version: String,
    release: u64,
    build_release: u64,
    file_name: FileName,
    sha256: Sha256,
    size: u64,
}

/// How new a package is among those of its recipe: its release, and its build of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Age {
    release: u64,
    build_release: u64,
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, build {}", self.release, self.build_release)
    }
}

/// Metadata that no channel can hold: a name in it breaks the rules for names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// A name, architecture or source id is not well-formed.
    #[error("its metadata cannot be taken: {0}")]
    Name(#[from] InvalidId),
    /// A part of its file name would lead elsewhere.
    #[error("its metadata cannot be taken: {0}")]
    Part(#[from] moss_format::meta::UnsafeName),
}

impl Package {
    /// The package that a stone with this metadata, digest and size holds.
    ///
    /// # Errors
    /// When a name in the metadata breaks its rules.
    pub(crate) fn new(meta: &Meta, sha256: Sha256, size: u64) -> Result<Self, Unfit> {
        Ok(Self {
            name: meta.name.parse()?,
            architecture: meta.architecture.parse()?,
            source: meta.source_id.parse()?,
            version: meta.version.clone(),
            release: meta.release,
            build_release: meta.build_release,
            file_name: meta.file_name()?.parse()?,
            sha256,
            size,
        })
    }

    /// Its name.
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// What it was built for.
    pub(crate) fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The recipe it was built from.
    pub(crate) fn source(&self) -> &RecipeName {
        &self.source
    }

    /// The version of what is packaged; for people, it does not order packages.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// The release of its recipe.
    pub(crate) fn release(&self) -> u64 {
        self.release
    }

    /// How often that release was built.
    pub(crate) fn build_release(&self) -> u64 {
        self.build_release
    }

    /// How new it is among the packages of its recipe.
    pub(crate) fn age(&self) -> Age {
        Age {
            release: self.release,
            build_release: self.build_release,
        }
    }

    /// The name of its stone.
    pub(crate) fn file_name(&self) -> &FileName {
        &self.file_name
    }

    /// The digest of its stone.
    pub(crate) fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// The size of its stone in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A package for tests: its bytes are told apart by `bytes`.
    pub(crate) fn package(name: &str, release: u64, build_release: u64, bytes: &str) -> Package {
        package_of(name, name, release, build_release, bytes)
    }

    pub(crate) fn package_of(
        source: &str,
        name: &str,
        release: u64,
        build_release: u64,
        bytes: &str,
    ) -> Package {
        let meta = Meta {
            name: name.to_owned(),
            version: "1.0".to_owned(),
            release,
            build_release,
            architecture: "x86_64".to_owned(),
            source_id: source.to_owned(),
            ..Meta::default()
        };
        Package::new(&meta, Sha256::of(bytes.as_bytes()), 7).unwrap()
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_unfit() {
        let meta = Meta {
            name: "nano".to_owned(),
            version: "8.3".to_owned(),
            architecture: "x86_64".to_owned(),
            source_id: "nano".to_owned(),
            ..Meta::default()
        };
        let fit = |meta: &Meta| Package::new(meta, Sha256::of(b""), 0).map(|_| ());
        assert_eq!(fit(&meta), Ok(()));
        let broken = [
            Meta {
                name: "../nano".to_owned(),
                ..meta.clone()
            },
            Meta {
                name: String::new(),
                ..meta.clone()
            },
            Meta {
                source_id: "a/b".to_owned(),
                ..meta.clone()
            },
            Meta {
                architecture: "x86 64".to_owned(),
                ..meta.clone()
            },
            Meta {
                version: "8/3".to_owned(),
                ..meta.clone()
            },
            Meta {
                version: "8\u{e9}".to_owned(),
                ..meta.clone()
            },
            Meta {
                version: "8".repeat(256),
                ..meta.clone()
            },
        ];
        for meta in broken {
            assert!(fit(&meta).is_err(), "{meta:?}");
        }
    }
}
