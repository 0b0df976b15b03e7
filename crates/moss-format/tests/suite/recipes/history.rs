//! The recipes in the bundle: those at its tip, and all of its history.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// Runs git in `repository`, with `input` from a file, and gives its output.
fn git(repository: &Path, arguments: &[&str], input: Option<&Path>) -> Result<Vec<u8>> {
    let stdin = match input {
        Some(file) => Stdio::from(fs::File::open(file)?),
        None => Stdio::null(),
    };
    let Output {
        status,
        stdout,
        stderr,
    } = testbed::git()
        .arg("-C")
        .arg(repository)
        .args(arguments)
        .stdin(stdin)
        .output()
        .context("running git failed")?;
    ensure!(
        status.success(),
        "git {arguments:?} failed: {}",
        String::from_utf8_lossy(&stderr)
    );
    Ok(stdout)
}

/// The bundle's tip, checked out into a temporary folder.
pub(crate) fn check_out(corpus: &Path) -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    let bundle = corpus.join("recipes-2025.bundle");
    let bundle = bundle.to_str().context("the corpus' path is no text")?;
    let clone = ["clone", "--quiet", "--branch", "main", bundle, "."];
    git(folder.path(), &clone, None)?;
    Ok(folder)
}

fn is_recipe(path: &str) -> bool {
    matches!(path.rsplit('/').next(), Some("stone.yaml" | "stone.yml"))
}

/// The recipes at the tip, with their paths.
pub(crate) fn at_tip(repository: &Path) -> Result<Vec<(String, String)>> {
    let listing = String::from_utf8(git(repository, &["ls-files"], None)?)?;
    listing
        .lines()
        .filter(|path| is_recipe(path))
        .map(|path| Ok((path.to_owned(), fs::read_to_string(repository.join(path))?)))
        .collect()
}

/// A file in a tree of the history.
pub(crate) fn file(repository: &Path, tree: &str, name: &str) -> Result<Vec<u8>> {
    git(
        repository,
        &["cat-file", "blob", &format!("{tree}:{name}")],
        None,
    )
}

/// The distinct recipes of the whole history, with their blob ids.
pub(crate) fn all(repository: &Path) -> Result<Vec<(String, String)>> {
    let listing = String::from_utf8(git(repository, &["rev-list", "--objects", "HEAD"], None)?)?;
    let blobs: BTreeSet<&str> = listing
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(_, path)| is_recipe(path))
        .map(|(blob, _)| blob)
        .collect();
    let scratch = tempfile::NamedTempFile::new()?;
    let wanted: String = blobs.iter().map(|blob| format!("{blob}\n")).collect();
    fs::write(scratch.path(), wanted)?;
    let contents = git(repository, &["cat-file", "--batch"], Some(scratch.path()))?;
    let mut rest = contents.as_slice();
    let mut recipes = Vec::new();
    for blob in blobs {
        let end = rest.iter().position(|&b| b == b'\n').context("no header")?;
        let header = std::str::from_utf8(&rest[..end])?;
        let size: usize = header.rsplit(' ').next().context("no size")?.parse()?;
        let text = &rest[end + 1..end + 1 + size];
        recipes.push((blob.to_owned(), String::from_utf8(text.to_vec())?));
        rest = &rest[end + 1 + size + 1..];
    }
    Ok(recipes)
}
