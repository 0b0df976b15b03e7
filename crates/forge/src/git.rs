//! Git, on disk: bare repositories through libgit2, and git's own server over HTTP.

pub(crate) mod backend;
pub(crate) mod commit;
pub(crate) mod diff;
pub(crate) mod history;
pub(crate) mod merge;
pub(crate) mod refs;
pub(crate) mod tree;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::name::Branch;

/// Git could not do what was asked.
#[derive(Debug, Error)]
#[error("{action} in {path}")]
pub struct GitError {
    action: &'static str,
    path: PathBuf,
    #[source]
    source: git2::Error,
}

/// Names the action that failed.
pub(crate) trait Context<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, GitError>;
}

impl<T> Context<T> for Result<T, git2::Error> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, GitError> {
        self.map_err(|source| GitError {
            action,
            path: path.to_owned(),
            source,
        })
    }
}

/// Opens a bare repository.
pub(crate) fn open(path: &Path) -> Result<git2::Repository, GitError> {
    git2::Repository::open_bare(path).context("open a repository", path)
}

/// Makes a bare repository that takes pushes, or finds the one already there.
pub(crate) fn init(path: &Path, default_branch: &Branch) -> Result<(), GitError> {
    let mut options = git2::RepositoryInitOptions::new();
    options
        .bare(true)
        .mkpath(true)
        .external_template(false)
        .initial_head(default_branch.as_str());
    let repository =
        git2::Repository::init_opts(path, &options).context("create a repository", path)?;
    let mut config = repository
        .config()
        .context("open the configuration", path)?;
    let settings = [
        ("http.receivepack", "true"),
        // refs/pull/ is the forge's own, as on GitHub: it can be fetched, not pushed.
        ("receive.hideRefs", "refs/pull"),
        ("receive.autogc", "false"),
        // GitHub lets a client ask for any commit it knows the id of.
        ("uploadpack.allowAnySHA1InWant", "true"),
        ("uploadpack.allowFilter", "true"),
    ];
    for (key, value) in settings {
        config
            .set_str(key, value)
            .context("configure a repository", path)?;
    }
    Ok(())
}

/// Lets `HEAD` of a bare repository point to a branch that is there.
pub(crate) fn set_default(path: &Path, branch: &Branch) -> Result<(), GitError> {
    let name = format!("refs/heads/{branch}");
    let repository = open(path)?;
    repository
        .find_reference(&name)
        .and_then(|_| repository.set_head(&name))
        .context("change the default branch", path)
}

/// Lets `HEAD` of a bare repository point to a branch, which may be one to come.
pub(crate) fn point_head(path: &Path, branch: &Branch) -> Result<(), GitError> {
    open(path)?
        .set_head(&branch.reference())
        .context("point HEAD to the default branch", path)
}

/// Deletes a branch that is there.
pub(crate) fn delete_branch(path: &Path, branch: &Branch) -> Result<(), GitError> {
    open(path)?
        .find_reference(&branch.reference())
        .and_then(|mut reference| reference.delete())
        .context("delete a branch", path)
}

/// Removes a bare repository from the disk, if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), GitError> {
    match std::fs::remove_dir_all(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => {
            Err(git2::Error::from_str(&error.to_string())).context("remove a repository", path)
        }
    }
}

/// Copies a repository into a new one of its own.
pub(crate) fn fork(from: &Path, into: &Path, default_branch: &Branch) -> Result<(), GitError> {
    init(into, default_branch)?;
    let repository = open(into)?;
    let url = from.to_string_lossy();
    let mut remote = repository
        .remote_anonymous(&url)
        .context("name the parent", into)?;
    let specs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
    remote
        .fetch(&specs, None, None)
        .context("fetch from the parent", into)
}
