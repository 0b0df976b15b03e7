//! The submodules of an upstream, and theirs.
//!
//! Their addresses and folders are a stranger's text. They are fetched like the upstream itself and
//! from nowhere else than such a one could be: libgit2 would also take a path of this machine.

use std::path::{Path, PathBuf};

use git2::build::CheckoutBuilder;
use git2::{Oid, Repository, Submodule};
use url::Url;

use super::access::{Access, Way};
use super::child::{FETCHED, fetch_all};
use crate::folder::Folder;

/// How deep submodules may nest.
const MAX_DEPTH: u32 = 8;
/// How many there may be, those of submodules included; Boost has some 170.
const MAX_COUNT: u32 = 512;

/// Why a submodule cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// They nest too deep.
    #[error("the submodules of {0} nest more than {MAX_DEPTH} deep")]
    TooDeep(String),
    /// They are too many.
    #[error("there are more than {MAX_COUNT} submodules, reached in {0}")]
    TooMany(String),
    /// It would be fetched from somewhere else than over the network.
    #[error("the submodule {path:?} has the URL {url:?}, which {fault}")]
    Url {
        path: PathBuf,
        url: String,
        fault: &'static str,
    },
    /// Its folder is none, or has files already.
    #[error("the submodule {0:?} has no empty folder of its own to go to")]
    Folder(PathBuf),
    /// It cannot be fetched.
    #[error("cannot fetch the submodule {path:?}: {message}")]
    Fetch { path: PathBuf, message: String },
    /// git's own files cannot be read or written.
    #[error("cannot check out the submodules of {url}: {}", source.message())]
    Git { url: String, source: git2::Error },
}

/// Fetches and checks out the submodules of a repository that was cloned from `url`.
pub(super) fn check_out(repository: &Repository, url: &str, way: &Way) -> Result<(), Error> {
    let mut left = MAX_COUNT;
    descend(repository, url, way, 0, &mut left)
}

fn descend(
    repository: &Repository,
    url: &str,
    way: &Way,
    depth: u32,
    left: &mut u32,
) -> Result<(), Error> {
    let git = |source| Error::Git {
        url: url.to_owned(),
        source,
    };
    for submodule in repository.submodules().map_err(git)? {
        // One that only `.gitmodules` names has no commit to check out.
        let Some(commit) = submodule.head_id() else {
            continue;
        };
        if depth == MAX_DEPTH {
            return Err(Error::TooDeep(url.to_owned()));
        }
        *left = left.checked_sub(1).ok_or(Error::TooMany(url.to_owned()))?;
        let from = address(&submodule, url)?;
        let folder = folder(repository, submodule.path())?;
        let inner = fetch(&folder, from.as_str(), commit, way).map_err(|message| Error::Fetch {
            path: submodule.path().to_owned(),
            message,
        })?;
        descend(&inner, from.as_str(), way, depth + 1, left)?;
    }
    Ok(())
}

/// Where a submodule of the repository at `parent` is fetched from.
fn address(submodule: &Submodule<'_>, parent: &str) -> Result<Url, Error> {
    let text = String::from_utf8_lossy(submodule.opt_url_bytes().unwrap_or_default());
    resolve(parent, &text).map_err(|fault| Error::Url {
        path: submodule.path().to_owned(),
        url: text.into_owned(),
        fault,
    })
}

/// A relative URL is one beside the parent's, as git has it: `../x` of `https://a/b/c` is
/// `https://a/b/x`.
fn resolve(parent: &str, text: &str) -> Result<Url, &'static str> {
    let invalid = |_| "is none";
    let parent = parent.trim_end_matches('/');
    let url = if text.starts_with("./") || text.starts_with("../") {
        let base = Url::parse(&format!("{parent}/")).map_err(invalid)?;
        base.join(text).map_err(invalid)?
    } else {
        Url::parse(text).map_err(|_| "is none; it may be a path or of ssh")?
    };
    match url.scheme() {
        "https" => Ok(url),
        // No worse than its parent.
        "http" if parent.starts_with("http://") => Ok(url),
        "http" => Err("is not encrypted, while that of its parent is"),
        _ => Err("is not of https"),
    }
}

/// Makes the folder for a submodule, which a commit cannot lead elsewhere by a link.
fn folder(repository: &Repository, path: &Path) -> Result<PathBuf, Error> {
    let unfit = || Error::Folder(path.to_owned());
    let top = repository.workdir().ok_or_else(unfit)?;
    Folder::open(top)
        .and_then(|top| top.make(path))
        .map_err(|_| unfit())?;
    let folder = top.join(path);
    let mut entries = std::fs::read_dir(&folder).map_err(|_| unfit())?;
    match entries.next() {
        None => Ok(folder),
        Some(_) => Err(unfit()),
    }
}

fn fetch(folder: &Path, url: &str, commit: Oid, way: &Way) -> Result<Repository, String> {
    let told = |error: git2::Error| error.message().to_owned();
    let repository = Repository::init(folder).map_err(told)?;
    let access = Access { url, way };
    fetch_all(&access, &repository)?;
    if repository.find_commit(commit).is_err() {
        // One that no branch or tag leads to.
        access
            .fetch(&repository, &format!("+{commit}:{FETCHED}"), 0)
            .map_err(told)?;
    }
    let found = repository.find_commit(commit).map_err(told)?;
    repository
        .checkout_tree(found.as_object(), Some(CheckoutBuilder::new().force()))
        .and_then(|()| repository.set_head_detached(commit))
        .map_err(told)?;
    drop(found);
    Ok(repository)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submodules_come_from_where_their_upstream_could_come_from() {
        let resolve = |parent: &str, text: &str| resolve(parent, text).map(|url| url.to_string());
        let parent = "https://example.org/a/b.git";
        for (text, url) in [
            ("../c.git", "https://example.org/a/c.git"),
            ("../../x/c", "https://example.org/x/c"),
            ("../../../../c", "https://example.org/c"),
            ("./c", "https://example.org/a/b.git/c"),
            ("https://other.org/c", "https://other.org/c"),
        ] {
            assert_eq!(resolve(parent, text), Ok(url.to_owned()), "{text}");
        }
        for text in [
            "/srv/git/private",
            "file:///srv/git/private",
            "../",
            "",
            ".",
            "git@example.org:c",
            "ssh://example.org/c",
            "git://example.org/c",
            "http://example.org/c",
            "ext::sh -c true",
        ] {
            let resolved = resolve(parent, text);
            let stays = resolved
                .as_ref()
                .is_ok_and(|url| url.starts_with("https://example.org/"));
            assert!(resolved.is_err() || stays, "{text}: {resolved:?}");
        }
        let parent = "http://127.0.0.1:80/a/b";
        assert!(resolve(parent, "../c").is_ok_and(|url| url == "http://127.0.0.1/a/c"));
    }
}
