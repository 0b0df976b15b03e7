//! The git bundle of recipes.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// The bundle's tip, checked out into a temporary folder.
pub(crate) fn check_out(corpus: &Path) -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    let output = testbed::git()
        .args(["clone", "--quiet", "--branch", "main"])
        .arg(corpus.join("recipes-2025.bundle"))
        .arg(folder.path())
        .output()
        .context("running git failed")?;
    ensure!(
        output.status.success(),
        "cloning the bundle failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(folder)
}
