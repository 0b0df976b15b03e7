//! `stone index`.

use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::io::{self, BufWriter, Write as _};
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use moss_format::index::{self, Entry};
use moss_format::payload::Encoding;
use moss_format::{Limits, Meta, package};
use tempfile::NamedTempFile;
use walkdir::WalkDir;

use crate::cli::Index;
use crate::talk::{IsOfSystem, Talk};
use crate::{progress, reference};

/// The name that clients look for.
const NAME: &str = "stone.index";

/// How many files are surveyed between two steps of the progress bar.
const STEP: usize = 64;

/// A package is a copy of another. Clients tell packages apart by their hash.
#[derive(Debug, thiserror::Error)]
#[error("it has the same bytes as {}, and clients would lose one of them", .0.display())]
struct SameBytes(PathBuf);

pub(crate) fn run(arguments: &Index, talk: &mut Talk) {
    let output = match &arguments.output {
        Some(output) => output.clone(),
        None => arguments.folder.join(NAME),
    };
    let (folder, base) = match places(arguments, &output) {
        Ok(places) => places,
        Err((subject, error)) => return talk.system(subject.display(), &error),
    };
    let files = stones(&folder, talk);
    let entries = entries(&files, &base, talk);
    if !talk.is_clean() {
        return talk.say("no index was written");
    }
    let mut bytes = Vec::new();
    if let Err(error) = index::write(&entries, &mut bytes) {
        talk.input(arguments.folder.display(), &error);
        return talk.say("no index was written");
    }
    if let Err(error) = replace(&output, &base, &bytes) {
        return talk.system(output.display(), &error);
    }
    let plural = if entries.len() == 1 { "" } else { "s" };
    talk.say(format!(
        "{}: {} package{plural}",
        output.display(),
        entries.len()
    ));
}

/// The folder of the packages and that of the index, both without links.
fn places(arguments: &Index, output: &Path) -> Result<(PathBuf, PathBuf), (PathBuf, io::Error)> {
    let canonical = |path: &Path| fs::canonicalize(path).map_err(|error| (path.to_owned(), error));
    let folder = canonical(&arguments.folder)?;
    let base = match output.parent() {
        Some(parent) if parent != Path::new("") => canonical(parent)?,
        Some(_) | None => canonical(Path::new("."))?,
    };
    Ok((folder, base))
}

/// The packages below a folder, in the order of their paths.
fn stones(folder: &Path, talk: &mut Talk) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        match entry {
            Ok(entry) => {
                let is_stone = entry.path().extension().is_some_and(|end| end == "stone");
                if is_stone && !entry.file_type().is_dir() {
                    found.push(entry.into_path());
                }
            }
            Err(error) => {
                let subject = error.path().unwrap_or(folder).display().to_string();
                talk.system(subject, &error);
            }
        }
    }
    found
}

fn entries(files: &[PathBuf], base: &Path, talk: &mut Talk) -> Vec<Entry> {
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let bar = progress::files(files.len());
    let mut entries = Vec::new();
    let mut known = HashMap::new();
    for files in files.chunks(STEP) {
        let answers = package::survey(files, threads, Limits::default());
        for (file, answer) in files.iter().zip(answers) {
            let meta = match answer {
                Ok(meta) => Meta {
                    uri: Some(reference::from(base, file)),
                    ..meta
                },
                Err(error) => {
                    let is_of_system = IsOfSystem(error.is_of_system());
                    bar.suspend(|| talk.either(file.display(), &error, is_of_system));
                    continue;
                }
            };
            let hash = meta.hash.clone().unwrap_or_default();
            if let Some(other) = known.insert(hash, file) {
                let error = SameBytes(other.clone());
                bar.suspend(|| talk.input(file.display(), &error));
                continue;
            }
            match Entry::new(&meta, &Encoding::default()) {
                Ok(entry) => entries.push(entry),
                Err(error) => bar.suspend(|| talk.input(file.display(), &error)),
            }
        }
        bar.inc(files.len() as u64);
    }
    bar.finish_and_clear();
    entries
}

/// Puts the index in place at once: whoever reads meanwhile has the old one or the new one.
fn replace(output: &Path, folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = NamedTempFile::new_in(folder)?;
    let mut writer = BufWriter::new(file.as_file_mut());
    writer.write_all(bytes)?;
    writer.flush()?;
    drop(writer);
    file.as_file()
        .set_permissions(Permissions::from_mode(0o644))?;
    file.as_file().sync_all()?;
    file.persist(output).map_err(|error| error.error)?;
    Ok(())
}
