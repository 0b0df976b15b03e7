//! The manifest for people: one comment line, then tab-indented JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use crate::dependency::Kind;
use crate::layout::Entry;
use crate::{Meta, Provider};

const COMMENT: &str = "/** Human readable report. This is not consumed by boulder */\n";
const VERSION: &str = "0.2";

/// The recipe that was built.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its version, as written.
    pub version: &'a str,
    /// Its release.
    pub release: u64,
}

/// A package of the build: its metadata as in the
/// [binary manifest](super::Manifest::of_build), and its paths.
#[derive(Debug, Clone, Copy)]
pub struct Package<'a> {
    /// What it says about itself, with the build dependencies.
    pub meta: &'a Meta,
    /// What it installs.
    pub layout: &'a [Entry],
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Document<'a> {
    manifest_version: &'a str,
    packages: BTreeMap<&'a str, Body<'a>>,
    source_name: &'a str,
    source_release: String,
    source_version: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    build_depends: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    depends: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<String>,
    name: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    provides: Vec<String>,
}

/// Writes the manifest of these packages; those of debugging symbols are left
/// out, as in the binary manifest.
///
/// # Errors
///
/// When writing fails.
pub fn write<'a>(
    mut out: impl Write,
    source: Source<'a>,
    packages: impl IntoIterator<Item = Package<'a>>,
) -> io::Result<()> {
    let document = Document {
        manifest_version: VERSION,
        packages: packages
            .into_iter()
            .filter(|package| !package.meta.is_debug())
            .map(|package| (package.meta.name.as_str(), body(&package)))
            .collect(),
        source_name: source.name,
        source_release: source.release.to_string(),
        source_version: source.version,
    };
    out.write_all(COMMENT.as_bytes())?;
    let formatter = PrettyFormatter::with_indent(b"\t");
    document.serialize(&mut Serializer::with_formatter(&mut out, formatter))?;
    out.write_all(b"\n")
}

fn body<'a>(package: &Package<'a>) -> Body<'a> {
    let meta = package.meta;
    let mut files: Vec<String> = package
        .layout
        .iter()
        .map(|entry| format!("/usr/{}", entry.target))
        .collect();
    files.sort_unstable();
    let written = |provider: &&Provider| provider.kind() != Kind::PackageName;
    let provides = meta.provides.iter().filter(written);
    Body {
        build_depends: texts(&meta.build_depends),
        depends: texts(&meta.depends),
        files,
        name: &meta.name,
        provides: texts(provides),
    }
}

fn texts<T: ToString>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    items.into_iter().map(|item| item.to_string()).collect()
}
