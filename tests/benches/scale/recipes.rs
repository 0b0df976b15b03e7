//! The recipes of the corpus, and copies of them.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use harness::File;
use moss_format::Manifest;
use moss_format::recipe::Recipe;

/// How many may be missing among the builds: what cannot be read has a build that failed at once.
pub(crate) const UNREADABLE: usize = 20;

/// So many recipes with their manifests: those of the corpus, then copies under other names that need
/// the same.
pub(crate) fn all(corpus: &Path, count: usize) -> Result<Vec<File>> {
    let mut names: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(corpus.join("recipes"))? {
        let entry = entry?;
        if entry.path().join("stone.yaml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    let mut files = Vec::new();
    let copies = (0..).flat_map(|copy| names.iter().map(move |name| (copy, name)));
    for (copy, name) in copies.take(count) {
        let folder = corpus.join("recipes").join(name);
        let new = match copy {
            0 => name.clone(),
            _ => format!("{name}-copy{copy}"),
        };
        let text = std::fs::read_to_string(folder.join("stone.yaml"))?;
        let text = match copy {
            0 => text,
            _ => renamed(&text, &new),
        };
        let into = format!("{}/{new}", &name[..1]);
        files.push(File::new(format!("{into}/stone.yaml"), text));
        let manifest = folder.join("manifest.x86_64.bin");
        if copy == 0 && manifest.is_file() {
            files.push(File::new(
                format!("{into}/manifest.x86_64.bin"),
                std::fs::read(manifest)?,
            ));
        }
    }
    Ok(files)
}

/// The recipes with the next release, without their manifests.
pub(crate) fn released_anew(files: &[File]) -> Result<Vec<File>> {
    let mut anew = Vec::new();
    for file in files.iter().filter(|file| file.path().ends_with(".yaml")) {
        let text = std::str::from_utf8(file.content())?;
        let lines = text.lines().map(|line| match line.split_once(':') {
            Some((key, value)) if key.trim_end() == "release" => {
                let release: u64 = value.trim().parse().unwrap_or(1);
                format!("{key}: {}\n", release + 1)
            }
            _ => format!("{line}\n"),
        });
        anew.push(File::new(file.path(), lines.collect::<String>()));
    }
    Ok(anew)
}

/// How long it takes to read the recipes and their manifests, and nothing else.
pub(crate) fn read(files: &[File]) -> Result<Duration> {
    let begun = Instant::now();
    for file in files {
        match file.path().ends_with(".bin") {
            true => drop(Manifest::decode(file.content())?),
            false => drop(Recipe::parse(std::str::from_utf8(file.content())?)),
        }
    }
    Ok(begun.elapsed())
}

/// The recipe under another name.
fn renamed(text: &str, name: &str) -> String {
    let mut is_named = false;
    let lines = text.lines().map(|line| {
        let key = line.split(':').next().unwrap_or_default().trim_end();
        if key == "name" && !is_named {
            is_named = true;
            return format!("name: {name}\n");
        }
        format!("{line}\n")
    });
    lines.collect()
}

/// A small recipe of that name.
pub(crate) fn new(name: &str) -> File {
    harness::Recipe::new(name).file()
}
