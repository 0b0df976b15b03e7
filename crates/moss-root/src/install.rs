//! All of it: from the names to a root that is whole.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use moss_format::{Dependency, Meta};
use tempfile::TempDir;
use url::Url;

use crate::lay::{self, Conflict};
use crate::{Error, channel, fetch};

/// What is to be installed, and where.
#[derive(Debug, Clone)]
pub struct Order {
    /// The index of the packages.
    pub index: Url,
    /// What is wanted: names of packages, or what one of them provides, such as `binary(nano)`.
    pub wanted: Vec<Dependency>,
    /// The folder, which must be empty or not there.
    pub folder: PathBuf,
}

/// What was installed.
#[derive(Debug, Clone)]
pub struct Installed {
    /// The packages, by name, as the index lists them.
    pub packages: Vec<Meta>,
    /// The paths that two of them have.
    pub conflicts: Vec<Conflict>,
}

/// Installs packages and all that they depend on into a folder, which is there when it is whole.
/// Owner and group of all files are those of the process, and nothing is set-user-id.
///
/// # Errors
/// When something is not there, not sound, or cannot be written; see [`enum@Error`].
pub async fn install(order: &Order) -> Result<Installed, Error> {
    if order.wanted.is_empty() {
        return Err(Error::Nothing);
    }
    check_folder(&order.folder)?;
    let packages = channel::read(&order.index).await;
    let packages = packages.map_err(|source| Error::Index {
        url: order.index.clone(),
        source: Box::new(source),
    })?;
    let chosen = channel::choose(packages, &order.wanted)?;
    let staging = staging(&order.folder)?;
    let stones = fetch::fetch(&order.index, chosen, staging.path()).await?;
    let folder = order.folder.clone();
    let laid = tokio::task::spawn_blocking(move || {
        let root = staging.path().join("root");
        make_root(&root).map_err(|source| file("make the folder", &root, source))?;
        let conflicts = lay::lay(&stones, &root)?;
        // An empty folder gives way to it, one that was filled meanwhile does not.
        fs::rename(&root, &folder)
            .map_err(|source| file("put the root in place as", &folder, source))?;
        let packages = stones.into_iter().map(|stone| stone.meta).collect();
        Ok(Installed {
            packages,
            conflicts,
        })
    });
    laid.await.map_err(|_| Error::Cancelled)?
}

/// Nothing that exists is ever replaced.
fn check_folder(folder: &Path) -> Result<(), Error> {
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Error::Occupied(folder.to_owned())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(file("look into", folder, source)),
    }
}

/// A folder beside the one that is asked for, on the same disk, so that the root can be renamed.
fn staging(folder: &Path) -> Result<TempDir, Error> {
    let parent = match folder.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(|source| file("make the folder", parent, source))?;
    tempfile::Builder::new()
        .prefix(".installing-")
        .tempdir_in(parent)
        .map_err(|source| file("write to", parent, source))
}

fn make_root(root: &Path) -> io::Result<()> {
    fs::create_dir(root)?;
    // Whatever the process's umask is.
    fs::set_permissions(root, Permissions::from_mode(0o755))
}

fn file(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::File {
        action,
        path: path.to_owned(),
        source,
    }
}
