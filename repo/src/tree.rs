//! vessel's files.
//!
//! ```text
//! <data>/public/<channel>/moss-root-index.json          also .zst and .gz, for clients that take them
//!                         history/<id>/<arch>/stone.index
//!                         stream/<stream>/<arch>/stone.index   a link to its history's
//!                         pool/v0/<p>/<source>/<file>.stone
//! <data>/staging/<import>/<sha256>        fetched, not yet in the pool
//! <data>/aside/                           written, not yet in its place
//! ```
//! All lie in one file system, so that what was written aside comes into its place by a rename or a
//! link: a reader finds the old or the new, never a part. Nothing counts as there before it and the
//! folder that names it are synced. What lies in `aside` at a start is what a crash left over.

mod durable;
mod history;
mod pool;
mod root;

use std::io;
use std::path::{Path, PathBuf};

use api::id::{ChannelName, ImportId, Sha256};

pub(crate) use pool::Pooled;

/// The name of every index.
pub(crate) const INDEX_FILE: &str = "stone.index";

/// The name of a channel's root index.
pub(crate) const ROOT_FILE: &str = "moss-root-index.json";

/// A file that could not be dealt with.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub(crate) struct TreeError {
    action: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl TreeError {
    /// What kind of answer the system gave.
    pub(crate) fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// Names the action and its subject.
    fn of(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self {
            action,
            path,
            source,
        }
    }
}

/// The folders below the data folder.
#[derive(Debug)]
pub(crate) struct Tree {
    public: PathBuf,
    staging: PathBuf,
    aside: PathBuf,
}

impl Tree {
    /// Creates the folders that are missing and empties `aside`. Only one process may use a data
    /// folder; the lock on its database sees to that.
    ///
    /// # Errors
    /// When a folder cannot be created or emptied.
    pub(crate) fn open(data: &Path) -> Result<Self, TreeError> {
        let tree = Self {
            public: data.join("public"),
            staging: data.join("staging"),
            aside: data.join("aside"),
        };
        durable::remove_folder(&tree.aside)?;
        for folder in [&tree.public, &tree.staging, &tree.aside] {
            durable::create_folder(folder)?;
        }
        Ok(tree)
    }

    /// What clients may see.
    pub(crate) fn public(&self) -> &Path {
        &self.public
    }

    /// A channel's folder.
    pub(crate) fn channel(&self, channel: &ChannelName) -> PathBuf {
        self.public.join(channel.as_str())
    }

    /// Where an import's stones are fetched to.
    pub(crate) fn staging(&self, import: ImportId) -> PathBuf {
        self.staging.join(import.to_string())
    }

    /// Where one stone of an import is fetched to.
    pub(crate) fn staged(&self, import: ImportId, sha256: Sha256) -> PathBuf {
        self.staging(import).join(sha256.to_string())
    }

    /// Creates an import's staging folder.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(crate) fn create_staging(&self, import: ImportId) -> Result<(), TreeError> {
        durable::create_folder(&self.staging(import))
    }

    /// Removes what was fetched for an import.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(crate) fn clear_staging(&self, import: ImportId) -> Result<(), TreeError> {
        durable::remove_folder(&self.staging(import))
    }

    /// Removes what was fetched for imports other than these.
    ///
    /// # Errors
    /// When a folder cannot be read or removed.
    pub(crate) fn keep_staging(&self, imports: &[ImportId]) -> Result<(), TreeError> {
        let kept: Vec<_> = imports.iter().map(ToString::to_string).collect();
        for name in durable::names(&self.staging)? {
            if !kept.contains(&name) {
                tracing::info!(staging.folder = %name, "removing what a past import left behind");
                durable::remove_folder(&self.staging.join(&name))?;
            }
        }
        Ok(())
    }

    fn aside(&self, channel: &ChannelName, what: &str) -> PathBuf {
        self.aside.join(format!("{channel}-{what}"))
    }
}
