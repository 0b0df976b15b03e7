//! The hosts of two builders: each has a folder of its own, where packages can be installed.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use api::claims::Scope;
use api::host::Status;
use service::client::Client;

use super::Stage;
use crate::actor::Actor;

/// The name of the second builder.
pub(super) const SECOND: &str = "avalanche-2";

/// The packages that can be installed.
const PACKAGES: [&str; 2] = ["cane", "bark"];

/// Lets a builder's host have the packages that are installed in its folder.
pub(super) fn give(config: &mut avalanche::Config, stage: &Path, name: &str) -> Result<()> {
    let folder = folder(stage, name);
    std::fs::create_dir_all(&folder)?;
    for package in PACKAGES {
        let file = folder.join(package).display().to_string();
        config.host.packages.insert(package.to_owned(), file);
    }
    config.sandbox.paths.push(folder);
    Ok(())
}

fn folder(stage: &Path, name: &str) -> PathBuf {
    stage.join("hosts").join(name)
}

impl Stage {
    /// The second of two builders.
    ///
    /// # Errors
    /// When the setup asks for one builder.
    pub fn second(&self) -> Result<&Actor> {
        self.second.as_ref().context("the stage has one builder")
    }

    /// The second of two builders, to stop and to start.
    ///
    /// # Errors
    /// When the setup asks for one builder.
    pub fn second_mut(&mut self) -> Result<&mut Actor> {
        self.second.as_mut().context("the stage has one builder")
    }

    /// The builder of that name.
    fn builder(&mut self, name: &str) -> Result<&mut Actor> {
        if name == SECOND {
            self.second_mut()
        } else {
            Ok(&mut self.avalanche)
        }
    }

    /// Installs a package, `cane` or `bark`, on the host of one of two builders, and starts the
    /// builder again, so that it looks at once.
    ///
    /// # Errors
    /// When the builder does not end or start.
    pub async fn install(&mut self, builder: &str, package: &str) -> Result<()> {
        let file = folder(self.folder.path(), builder).join(package);
        std::fs::write(&file, package).with_context(|| format!("no {}", file.display()))?;
        let actor = self.builder(builder)?;
        actor.stop().await?;
        actor.start().await?;
        self.look_at_hosts().await
    }

    /// Lets the builders look at their hosts, which takes a while the first time: none is to be
    /// taken for silent that only looks.
    pub(super) async fn look_at_hosts(&mut self) -> Result<()> {
        self.until("what all builders have on their hosts", async |stage| {
            for builder in &stage.to_builders {
                if find_status(builder).await?.is_none() {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })
        .await
    }
}

/// What a builder says of itself; none while it still looks at its host.
pub(super) async fn find_status(builder: &Client) -> Result<Option<Status>> {
    match builder.get(Scope::Status, "/api/v1/status").await {
        Ok(status) => Ok(Some(status)),
        Err(error) if error.find_status() == Some(503) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
