//! The manifests in the history of the bundle.

use std::collections::BTreeSet;
use std::io::{Seek, Write};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Every distinct manifest in the history of a clone, with its blob id.
pub(crate) fn manifests(clone: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let listed = run(git(clone).args(["rev-list", "--objects", "--all"]), b"")?;
    let listed = String::from_utf8(listed)?;
    let is_manifest = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        name.starts_with("manifest.") && name.ends_with(".bin")
    };
    let ids: BTreeSet<&str> = listed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(_, path)| is_manifest(path))
        .map(|(id, _)| id)
        .collect();
    let wanted: String = ids.iter().map(|id| format!("{id}\n")).collect();
    let batch = run(git(clone).args(["cat-file", "--batch"]), wanted.as_bytes())?;
    split(&batch)
}

/// Takes the answer of `git cat-file --batch` apart.
fn split(mut batch: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
    let mut blobs = Vec::new();
    while !batch.is_empty() {
        let end = batch.iter().position(|byte| *byte == b'\n');
        let (line, rest) = batch.split_at(end.context("no line")? + 1);
        let line = std::str::from_utf8(line)?.trim_end();
        let mut words = line.split(' ');
        let id = words.next().context("no id")?;
        let size: usize = words.nth(1).context("no size")?.parse()?;
        let (blob, rest) = rest.split_at_checked(size).context("cut short")?;
        blobs.push((id.to_owned(), blob.to_vec()));
        batch = rest.strip_prefix(b"\n").context("no line feed")?;
    }
    Ok(blobs)
}

fn git(folder: &Path) -> Command {
    let mut command = testbed::git();
    command.arg("-C").arg(folder);
    command
}

/// Runs a command on an input that it reads while it writes its output.
fn run(command: &mut Command, input: &[u8]) -> Result<Vec<u8>> {
    let mut file = tempfile::tempfile()?;
    file.write_all(input)?;
    file.rewind()?;
    let output = command.stdin(file).output().context("running git failed")?;
    ensure!(output.status.success(), "{command:?} failed");
    Ok(output.stdout)
}
