//! Writes packages and manifests.
//!
//! Each file is written beside its final name and renamed once it is whole, so a package that can
//! be seen is complete.

use std::collections::HashMap;
use std::fs::{File, Permissions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::num::NonZero;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use api::id::Sha256;
use moss_format::layout;
use moss_format::manifest::{Manifest, jsonc};
use moss_format::meta::UnsafeName;
use moss_format::package::{self as stone, Contents};
use moss_format::payload::Encoding;
use moss_format::{Dependency, Meta};
use sha2::Digest as _;
use tempfile::NamedTempFile;
use thiserror::Error;

use super::collect::{self, Content, Entry, Kind};
use super::{Emitted, Filled, Input, Output, Written};

/// Why a package or manifest could not be written.
#[derive(Debug, Error)]
pub enum Error {
    /// A name, version or architecture cannot be part of a file name.
    #[error("the package has no file name")]
    FileName(#[from] UnsafeName),
    /// A package cannot be encoded.
    #[error("cannot write {file_name}")]
    Stone {
        /// The file's name.
        file_name: String,
        /// The cause.
        #[source]
        source: stone::WriteError,
    },
    /// A manifest cannot be encoded.
    #[error("cannot write {file_name}")]
    Manifest {
        /// The file's name.
        file_name: String,
        /// The cause.
        #[source]
        source: moss_format::stone::WriteError,
    },
    /// The file cannot be put into the output folder.
    #[error("cannot write {file_name} to {folder}")]
    Output {
        /// The file's name.
        file_name: String,
        /// The output folder.
        folder: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// A package as it will be written.
struct Draft {
    meta: Meta,
    layout: Vec<layout::Entry>,
}

/// Writes every package, then the manifests.
pub(super) fn write(
    input: &Input<'_>,
    packages: &[Filled<'_>],
    log: &mut dyn FnMut(&str),
) -> Result<Output, Error> {
    let encoding = Encoding {
        // Zero workers would compress differently from any other number.
        workers: std::thread::available_parallelism()
            .map_or(1, NonZero::get)
            .try_into()
            .unwrap_or(1),
        ..Encoding::default()
    };
    let mut stones = Vec::with_capacity(packages.len());
    let mut drafts = Vec::with_capacity(packages.len());
    for package in packages {
        let draft = draft(input, package);
        let written = write_stone(input.output, &draft, package, &encoding)?;
        log(&format!(
            "{}: {} files, {} bytes",
            written.file_name,
            draft.layout.len(),
            written.size
        ));
        let Written {
            path,
            file_name,
            sha256,
            size,
        } = written;
        stones.push(Emitted {
            path,
            file_name,
            sha256,
            size,
            meta: draft.meta.clone(),
        });
        drafts.push(draft);
    }
    let (manifest_bin, manifest_jsonc) = write_manifests(input, &drafts, &encoding)?;
    Ok(Output {
        stones,
        manifest_bin,
        manifest_jsonc,
    })
}

fn draft(input: &Input<'_>, filled: &Filled<'_>) -> Draft {
    let (recipe, package) = (input.recipe, filled.package);
    let mut licenses: Vec<String> = recipe
        .licenses
        .iter()
        .map(|license| license.value().clone())
        .collect();
    licenses.sort_unstable();
    licenses.dedup();
    let meta = Meta {
        name: package.name.clone(),
        version: recipe.version.value().as_str().to_owned(),
        release: *recipe.release.value(),
        build_release: input.build_release,
        architecture: input.architecture.to_owned(),
        summary: package.summary.clone(),
        description: package.description.clone(),
        source_id: recipe.name.value().as_str().to_owned(),
        homepage: recipe.homepage.value().clone(),
        licenses,
        depends: package.depends(&filled.findings),
        provides: package.provides(&filled.findings),
        conflicts: package.conflicts.clone(),
        ..Meta::default()
    };
    Draft {
        meta,
        layout: filled
            .entries
            .iter()
            .map(|entry| layout_entry(entry))
            .collect(),
    }
}

/// Everything belongs to root; targets are relative to `/usr`.
fn layout_entry(entry: &Entry) -> layout::Entry {
    layout::Entry {
        uid: 0,
        gid: 0,
        mode: entry.mode,
        tag: 0,
        kind: match &entry.kind {
            Kind::Regular(content) => layout::Kind::Regular(content.digest),
            Kind::Symlink(text) => layout::Kind::Symlink(text.clone()),
            Kind::Directory => layout::Kind::Directory,
            Kind::CharDevice => layout::Kind::CharDevice,
            Kind::BlockDevice => layout::Kind::BlockDevice,
            Kind::Fifo => layout::Kind::Fifo,
            Kind::Socket => layout::Kind::Socket,
        },
        target: target(entry).to_owned(),
    }
}

fn target(entry: &Entry) -> &str {
    // Nothing outside /usr is collected.
    entry.path.below("/usr").unwrap_or_default()
}

fn write_stone(
    folder: &Path,
    draft: &Draft,
    filled: &Filled<'_>,
    encoding: &Encoding,
) -> Result<Written, Error> {
    let file_name = draft.meta.file_name()?;
    let contents = filled.entries.iter().filter_map(|entry| match &entry.kind {
        Kind::Regular(content) => Some((target(entry), content)),
        Kind::Symlink(_)
        | Kind::Directory
        | Kind::CharDevice
        | Kind::BlockDevice
        | Kind::Fifo
        | Kind::Socket => None,
    });
    let mut sources = Sources(contents.collect());
    write_file(folder, file_name, |file, file_name| {
        stone::write(
            BufWriter::new(file),
            &draft.meta,
            &draft.layout,
            &mut sources,
            encoding,
        )
        .map_err(|source| Error::Stone {
            file_name: file_name.to_owned(),
            source,
        })
    })
}

fn write_manifests(
    input: &Input<'_>,
    drafts: &[Draft],
    encoding: &Encoding,
) -> Result<(Written, Written), Error> {
    let recipe = input.recipe;
    let build_depends: Vec<Dependency> = recipe
        .build_dependencies()
        .map(|dependency| dependency.value().clone())
        .collect();
    let metas = drafts.iter().map(|draft| &draft.meta);
    let manifest = Manifest::of_build(metas, &build_depends);

    let name = format!("manifest.{}.bin", input.architecture);
    let bin = write_file(input.output, name, |file, file_name| {
        let mut out = BufWriter::new(file);
        manifest
            .write(&mut out, encoding)
            .map_err(|source| Error::Manifest {
                file_name: file_name.to_owned(),
                source,
            })?;
        Ok(out)
    })?;

    let packages = manifest.packages.iter().filter_map(|meta| {
        let draft = drafts.iter().find(|draft| draft.meta.name == meta.name)?;
        Some(jsonc::Package {
            meta,
            layout: &draft.layout,
        })
    });
    let source = jsonc::Source {
        name: recipe.name.value(),
        version: recipe.version.value(),
        release: *recipe.release.value(),
    };
    let name = format!("manifest.{}.jsonc", input.architecture);
    let text = write_file(input.output, name, |file, file_name| {
        let mut out = BufWriter::new(file);
        jsonc::write(&mut out, source, packages)
            .map_err(|source| output_error(file_name, input.output, source))?;
        Ok(out)
    })?;
    Ok((bin, text))
}

/// Writes a file under another name, syncs and renames it.
fn write_file<'f>(
    folder: &Path,
    file_name: String,
    fill: impl for<'a> FnOnce(&'a File, &str) -> Result<BufWriter<&'a File>, Error> + 'f,
) -> Result<Written, Error> {
    let failed = |source| output_error(&file_name, folder, source);
    let temporary = tempfile::Builder::new()
        .prefix(".package-")
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(failed)?;
    fill(temporary.as_file(), &file_name)?
        .flush()
        .map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    let (sha256, size) = digest(&temporary).map_err(failed)?;
    let path = folder.join(&file_name);
    temporary
        .persist(&path)
        .map_err(|error| failed(error.error))?;
    Ok(Written {
        path,
        file_name,
        sha256,
        size,
    })
}

fn output_error(file_name: &str, folder: &Path, source: io::Error) -> Error {
    Error::Output {
        file_name: file_name.to_owned(),
        folder: folder.to_owned(),
        source,
    }
}

fn digest(file: &NamedTempFile) -> io::Result<(Sha256, u64)> {
    let mut hasher = sha2::Sha256::new();
    let mut reader = BufReader::with_capacity(256 << 10, file.reopen()?);
    let mut size = 0;
    let mut buffer = vec![0; 256 << 10];
    loop {
        let length = reader.read(&mut buffer)?;
        if length == 0 {
            return Ok((Sha256::from_bytes(hasher.finalize().into()), size));
        }
        hasher.update(buffer.get(..length).unwrap_or_default());
        size += length as u64;
    }
}

/// The contents of a package's files by their targets.
struct Sources<'a>(HashMap<&'a str, &'a Content>);

impl Sources<'_> {
    fn find(&self, entry: &layout::Entry) -> io::Result<&Content> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "it is not a collected file");
        self.0
            .get(entry.target.as_str())
            .copied()
            .ok_or_else(missing)
    }
}

impl Contents for Sources<'_> {
    fn size(&mut self, entry: &layout::Entry) -> io::Result<u64> {
        Ok(self.find(entry)?.size)
    }

    fn open(&mut self, entry: &layout::Entry) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(collect::open(&self.find(entry)?.source)?))
    }
}
