//! What a package says about itself: name, version, dependencies and so on.
//!
//! On disk it is a list of [`Record`]s, each a tag, a primitive type and a
//! value. [`Meta`] is that list as typed fields; records that it has no field
//! for (unknown tags, unknown dependency kinds, a known tag with another type)
//! are kept in [`Meta::other`] and written again at the end.

mod decode;
mod encode;
mod record;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Dependency, Provider};

pub use decode::Error;
pub use encode::EncodeError;
pub use record::{Primitive, RawRecord, Record, Records, Tag};

/// The metadata of one package.
///
/// The first nine fields stand in every file. Reading sorts the licences, and
/// so does writing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// The package's name.
    pub name: String,
    /// The version of what is packaged, exactly as its recipe writes it.
    pub version: String,
    /// The recipe's release, raised with every change of it.
    pub release: u64,
    /// How often this release was built; 0 in manifests.
    pub build_release: u64,
    /// The architecture, such as `x86_64`.
    pub architecture: String,
    /// One line on what it is.
    pub summary: String,
    /// Some lines on what it is.
    pub description: String,
    /// The name of the recipe it was built from.
    pub source_id: String,
    /// The upstream project's page.
    pub homepage: String,
    /// Where the package lies, as a URL reference relative to the index.
    /// Only in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// SHA-256 of the package file in lower-case hex. Only in an index, where
    /// clients identify the package by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Size of the package file in bytes. Only in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// SPDX expressions of its licences.
    #[serde(default)]
    pub licenses: Vec<String>,
    /// What it needs at run time.
    #[serde(default)]
    pub depends: BTreeSet<Dependency>,
    /// What it provides, beside its own name. Plain names are read but not
    /// written: no other name can be provided.
    #[serde(default)]
    pub provides: BTreeSet<Provider>,
    /// What it cannot be installed with.
    #[serde(default)]
    pub conflicts: BTreeSet<Provider>,
    /// What building it needs, in the order of the file. Only in a manifest:
    /// clients take every dependency record for a run-time dependency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub build_depends: Vec<Dependency>,
    /// Where the source was fetched from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_uri: Option<String>,
    /// The recipe's path in its repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_path: Option<String>,
    /// The commit of the recipe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<String>,
    /// Records without a field here, in the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other: Vec<RawRecord>,
}

/// A field of a package's file name that would lead elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {tag} {value:?} cannot be part of a file name")]
pub struct UnsafeName {
    tag: Tag,
    value: String,
}

impl Meta {
    /// The usual name of the package's file:
    /// `<name>-<version>-<release>-<build release>-<arch>.stone`.
    ///
    /// # Errors
    ///
    /// When a part is empty, begins with a dot, or holds a slash, a backslash,
    /// white space or a control character.
    pub fn file_name(&self) -> Result<String, UnsafeName> {
        let (release, build_release) = (self.release, self.build_release);
        let name = file_name_part(Tag::Name, &self.name)?;
        let version = file_name_part(Tag::Version, &self.version)?;
        let architecture = file_name_part(Tag::Architecture, &self.architecture)?;
        Ok(format!(
            "{name}-{version}-{release}-{build_release}-{architecture}.stone"
        ))
    }

    /// Whether this package holds debugging symbols split from another.
    #[must_use]
    pub fn is_debug(&self) -> bool {
        self.name.ends_with("-dbginfo")
    }
}

fn file_name_part(tag: Tag, value: &str) -> Result<&str, UnsafeName> {
    let safe = |c: char| !matches!(c, '/' | '\\') && !c.is_control() && !c.is_whitespace();
    if value.is_empty() || value.starts_with('.') || !value.chars().all(safe) {
        return Err(UnsafeName {
            tag,
            value: value.to_owned(),
        });
    }
    Ok(value)
}

#[cfg(test)]
mod tests;
