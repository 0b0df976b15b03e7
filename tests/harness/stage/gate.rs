//! Gates: a build waits at one until the test has seen what it wanted to see.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::Stage;

/// A gate that is closed until it is opened.
#[derive(Debug)]
pub struct Gate(PathBuf);

impl Gate {
    /// Lines of a script that wait here.
    pub fn wait(&self) -> String {
        format!("until [ -e {} ]; do sleep 0.1; done", self.0.display())
    }

    /// Lets everyone pass, now and later. That makes a folder: a file would be something new on the
    /// builder's host.
    ///
    /// # Errors
    /// When the folder that opens it cannot be made.
    pub fn open(&self) -> Result<()> {
        std::fs::create_dir(&self.0).with_context(|| format!("no {}", self.0.display()))
    }
}

impl Stage {
    /// A gate of that name for the builds of this stage.
    pub fn gate(&self, name: &str) -> Gate {
        Gate(folder(self.folder.path()).join(name))
    }
}

/// Lets builds see the gates of a stage.
pub(super) fn show(config: &mut avalanche::Config, stage: &Path) -> Result<()> {
    let folder = folder(stage);
    std::fs::create_dir_all(&folder)?;
    config.sandbox.paths.push(folder);
    Ok(())
}

fn folder(stage: &Path) -> PathBuf {
    stage.join("gates")
}
