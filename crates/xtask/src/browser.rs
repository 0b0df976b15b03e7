//! The line in a real browser: what a person does with `snekbook-dev`, by the forge's pages.
//!
//! This finds or installs the tools and compiles the line; `tests/browser/walk.mjs` starts it, on
//! data of its own, and does the rest.

mod modules;
mod tools;

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde::Deserialize;

use tools::Tools;

/// How to walk.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Keep pictures of some pages in this folder; the documentation has them in docs/pictures. On a
    /// machine without an emoji font they lack reactions.
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
}

/// The script and what it imports, below the workspace's folder.
const SCRIPTS: &str = "tests/browser";

/// Walks. Says whether all was as it should be.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let tools = Tools::find_or_install()?;
    let folders = Folders::read()?;
    let scripts = folders.workspace_root.join(SCRIPTS);
    let modules = modules::install(&scripts, &folders.target_directory.join("browser"))?;
    let line = compile(&folders)?;
    let mut walk = tools.node();
    walk.arg(scripts.join("walk.mjs"));
    walk.arg("--line").arg(line);
    walk.arg("--chromium").arg(&tools.chromium);
    walk.arg("--modules").arg(modules);
    if let Some(folder) = &options.pictures {
        walk.arg("--pictures").arg(folder);
    }
    let status = walk.status().context("cannot run node")?;
    Ok(status.success())
}

/// What `cargo metadata` writes, as far as it counts here.
#[derive(Deserialize)]
struct Folders {
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

impl Folders {
    fn read() -> Result<Self> {
        serde_json::from_slice(&crate::metadata()?)
            .context("cannot read what `cargo metadata` wrote")
    }
}

/// Compiles the line as the README's first command does, and gives its program.
fn compile(folders: &Folders) -> Result<PathBuf> {
    let status = crate::cargo()
        .current_dir(&folders.workspace_root)
        .args(["build", "--locked", "--package", "snekbook-dev"])
        .status()
        .context("cannot run `cargo build`")?;
    ensure!(status.success(), "snekbook-dev does not compile");
    let program = folders.target_directory.join("debug/snekbook-dev");
    ensure!(
        program.is_file(),
        "`cargo build` left no {}",
        program.display()
    );
    Ok(program)
}
