//! The helper process that talks git.

use std::io;
use std::path::{Path, PathBuf};

use api::id::{CommitSha, RecipeFolder};
use git2::build::CheckoutBuilder;
use git2::{Commit, ErrorCode, Oid, Repository};
use moss_fetcher::{Exceptions, Reach};

use super::access::{Access, Way};
use super::{Cloned, Job, RecipeText, submodules};
use crate::folder::{self, Folder};

/// The largest recipe that is read, in bytes.
const MAX_RECIPE: usize = 1 << 20;

/// Where a fetched ref is kept.
pub(super) const FETCHED: &str = "refs/avalanche/fetched";

/// `GIT_FETCH_DEPTH_UNSHALLOW` of libgit2: all of the history.
const ALL_HISTORY: i32 = i32::MAX;

/// Does a job.
pub(crate) fn run(job: Job) -> Result<Cloned, String> {
    plain_git::isolate();
    service::install_tls_provider();
    match job {
        Job::Recipe {
            url,
            token,
            git_ref,
            commit,
            folder,
            git,
            target,
        } => {
            let access = Access {
                url: url.as_str(),
                way: &Way::straight(token.as_ref())?,
            };
            recipe(&access, &git_ref, &commit, &folder, &git, &target)
        }
        Job::Upstream {
            url,
            reference,
            root,
            directory,
            allow_private,
            max_bytes,
        } => {
            let reach = Reach::Public(Exceptions {
                networks: allow_private,
                origins: Vec::new(),
            });
            let way = Way::checked(reach, max_bytes)?;
            upstream(&url, &reference, &root, &directory, &way)
        }
    }
}

fn recipe(
    access: &Access<'_>,
    git_ref: &str,
    commit: &CommitSha,
    folder: &RecipeFolder,
    git: &Path,
    target: &Path,
) -> Result<Cloned, String> {
    let repository =
        Repository::init_bare(git).map_err(|error| failed("make a repository", &error))?;
    let wanted = Oid::from_bytes(commit.as_bytes()).map_err(|error| failed("name", &error))?;
    fetch_commit(access, &repository, git_ref, wanted)?;
    let found = repository.find_commit(wanted).map_err(|error| {
        format!(
            "{git_ref} of {} does not lead to commit {commit}: {}",
            access.url,
            error.message()
        )
    })?;
    let recipe = read_recipe(&repository, &found, folder)?;
    repository
        .checkout_tree(
            found.as_object(),
            Some(CheckoutBuilder::new().force().target_dir(target)),
        )
        .map_err(|error| failed(&format!("check out commit {commit}"), &error))?;
    Ok(Cloned {
        commit: *commit,
        recipe: Some(recipe),
    })
}

/// Fetches as little as brings the commit: the ref's tip, the commit by its name, all of the ref.
fn fetch_commit(
    access: &Access<'_>,
    repository: &Repository,
    git_ref: &str,
    wanted: Oid,
) -> Result<(), String> {
    let by_ref = format!("+{git_ref}:{FETCHED}");
    let tip = access.fetch(repository, &by_ref, 1);
    if repository.find_commit(wanted).is_ok() {
        return Ok(());
    }
    // A server may refuse to serve a commit by its name; then the whole ref is asked for.
    let _ = access.fetch(repository, &format!("+{wanted}:{FETCHED}"), 1);
    if repository.find_commit(wanted).is_ok() {
        return Ok(());
    }
    tip.map_err(|error| failed(&format!("fetch {git_ref} of {}", access.url), &error))?;
    access
        .fetch(repository, &by_ref, ALL_HISTORY)
        .map_err(|error| failed(&format!("fetch {git_ref} of {}", access.url), &error))
}

fn read_recipe(
    repository: &Repository,
    commit: &Commit<'_>,
    folder: &RecipeFolder,
) -> Result<RecipeText, String> {
    let tree = commit
        .tree()
        .map_err(|error| failed("read the commit", &error))?;
    let mut odd = None;
    for file_name in ["stone.yaml", "stone.yml"] {
        let path = match folder.as_str() {
            "." => file_name.to_owned(),
            folder => format!("{folder}/{file_name}"),
        };
        let entry = match tree.get_path(Path::new(&path)) {
            Ok(entry) => entry,
            Err(error) if error.code() == ErrorCode::NotFound => continue,
            Err(error) => return Err(failed(&format!("look for {path}"), &error)),
        };
        // The mode tells a file from a symbolic link; both are blobs. A file under the other name is
        // better, as for who ordered the build.
        if !matches!(entry.filemode(), 0o100_644 | 0o100_755) {
            odd.get_or_insert(path);
            continue;
        }
        let blob = repository
            .find_blob(entry.id())
            .map_err(|e| failed("read the recipe", &e))?;
        if blob.size() > MAX_RECIPE {
            return Err(format!("{path} has more than {MAX_RECIPE} bytes"));
        }
        let text = String::from_utf8(blob.content().to_vec())
            .map_err(|_| format!("{path} is not UTF-8"))?;
        return Ok(RecipeText {
            file_name: file_name.to_owned(),
            text,
        });
    }
    Err(match odd {
        Some(path) => format!("{path} is no file"),
        None => format!("commit {} has no stone.yaml in {folder}", commit.id()),
    })
}

/// A whole clone, as build systems ask `git describe` and the like.
fn upstream(
    url: &str,
    reference: &str,
    root: &Path,
    directory: &Path,
    way: &Way,
) -> Result<Cloned, String> {
    let access = Access { url, way };
    let target = empty_folder(root, directory)?;
    let repository = Repository::init(&target).map_err(|e| failed("make a repository", &e))?;
    fetch_all(&access, &repository)?;
    let names = [
        format!("refs/tags/{reference}"),
        format!("refs/remotes/origin/{reference}"),
        reference.to_owned(),
    ];
    let mut found = names
        .iter()
        .find_map(|name| repository.revparse_single(name).ok());
    if found.is_none() && Oid::from_str(reference).is_ok() && reference.len() == 40 {
        // A commit that no branch or tag leads to.
        access
            .fetch(&repository, &format!("+{reference}:{FETCHED}"), 0)
            .map_err(|error| failed(&format!("fetch {reference} of {url}"), &error))?;
        found = repository.revparse_single(reference).ok();
    }
    let commit = found
        .and_then(|object| object.peel_to_commit().ok())
        .ok_or_else(|| format!("{url} has no branch, tag or commit {reference:?}"))?;
    repository
        .checkout_tree(commit.as_object(), Some(CheckoutBuilder::new().force()))
        .and_then(|()| repository.set_head_detached(commit.id()))
        .map_err(|error| failed(&format!("check out {reference} of {url}"), &error))?;
    submodules::check_out(&repository, url, way).map_err(|error| error.to_string())?;
    let id = <[u8; 20]>::try_from(commit.id().as_bytes())
        .map_err(|_| format!("{url} does not use SHA-1"))?;
    Ok(Cloned {
        commit: CommitSha::from_bytes(id),
        recipe: None,
    })
}

/// Fetches all branches and tags with all of their history.
pub(super) fn fetch_all(access: &Access<'_>, repository: &Repository) -> Result<(), String> {
    for refspec in [
        "+refs/heads/*:refs/remotes/origin/*",
        "+refs/tags/*:refs/tags/*",
    ] {
        access
            .fetch(repository, refspec, 0)
            .map_err(|error| failed(&format!("fetch {}", access.url), &error))?;
    }
    Ok(())
}

/// Makes `directory` below `root` where it is missing. An upstream before this one may have put
/// links or files there, which are neither followed nor mixed with.
fn empty_folder(root: &Path, directory: &Path) -> Result<PathBuf, String> {
    let failed = |error: io::Error| match folder::is_no_folder(&error) {
        true => format!("{directory:?} leads through a link or a file of another upstream"),
        false => format!("cannot make {directory:?}: {error}"),
    };
    Folder::open(root)
        .and_then(|root| root.make(directory))
        .map_err(failed)?;
    let target = root.join(directory);
    match std::fs::read_dir(&target).map_err(failed)?.next() {
        None => Ok(target),
        Some(_) => Err(format!(
            "another upstream is in {directory:?} already; give one of them a `clonedir`"
        )),
    }
}

pub(super) fn failed(action: &str, error: &git2::Error) -> String {
    format!("cannot {action}: {}", error.message())
}
