//! The helper process that talks git.

use std::io;
use std::path::{Path, PathBuf};

use api::id::{CommitSha, RecipeFolder};
use git2::build::CheckoutBuilder;
use git2::{
    AutotagOption, Commit, Cred, CredentialType, ErrorCode, FetchOptions, Oid, RemoteCallbacks,
    RemoteRedirect, Repository, SubmoduleUpdateOptions,
};

use super::{Cloned, Job, RecipeText, Token};
use crate::folder::{self, Folder};

/// The largest recipe that is read, in bytes.
const MAX_RECIPE: usize = 1 << 20;

/// Where a fetched ref is kept.
const FETCHED: &str = "refs/avalanche/fetched";

/// `GIT_FETCH_DEPTH_UNSHALLOW` of libgit2: all of the history.
const ALL_HISTORY: i32 = i32::MAX;

/// Does a job.
pub(crate) fn run(job: Job) -> Result<Cloned, String> {
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
                token: token.as_ref(),
            };
            recipe(&access, &git_ref, &commit, &folder, &git, &target)
        }
        Job::Upstream {
            url,
            reference,
            root,
            directory,
        } => upstream(&url, &reference, &root, &directory),
    }
}

struct Access<'a> {
    url: &'a str,
    token: Option<&'a Token>,
}

impl Access<'_> {
    fn fetch(&self, repository: &Repository, refspec: &str, depth: i32) -> Result<(), git2::Error> {
        let mut callbacks = RemoteCallbacks::new();
        let mut asked = false;
        callbacks.credentials(move |_, _, allowed| match self.token {
            // Asked a second time, the token was refused; answering again would loop.
            Some(token) if !asked && allowed.contains(CredentialType::USER_PASS_PLAINTEXT) => {
                asked = true;
                Cred::userpass_plaintext("x-access-token", token.expose())
            }
            Some(_) => Err(git2::Error::from_str("the repository refuses the token")),
            None => Err(git2::Error::from_str("the repository asks for credentials")),
        });
        let mut options = FetchOptions::new();
        options
            .remote_callbacks(callbacks)
            .download_tags(AutotagOption::None)
            .depth(depth);
        // A redirect would carry the token elsewhere.
        options.follow_redirects(match self.token {
            Some(_) => RemoteRedirect::None,
            None => RemoteRedirect::Initial,
        });
        repository
            .remote_anonymous(self.url)?
            .fetch(&[refspec], Some(&mut options), None)
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
        // The mode tells a file from a symbolic link; both are blobs.
        if !matches!(entry.filemode(), 0o100_644 | 0o100_755) {
            return Err(format!("{path} is no file"));
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
    Err(format!(
        "commit {} has no stone.yaml in {folder}",
        commit.id()
    ))
}

/// A whole clone, as build systems ask `git describe` and the like.
fn upstream(url: &str, reference: &str, root: &Path, directory: &Path) -> Result<Cloned, String> {
    let access = Access { url, token: None };
    let target = empty_folder(root, directory)?;
    let repository = Repository::init(target).map_err(|e| failed("make a repository", &e))?;
    let fetch = |refspec: &str| access.fetch(&repository, refspec, 0);
    for refspec in [
        "+refs/heads/*:refs/remotes/origin/*",
        "+refs/tags/*:refs/tags/*",
    ] {
        fetch(refspec).map_err(|error| failed(&format!("fetch {url}"), &error))?;
    }
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
        fetch(&format!("+{reference}:{FETCHED}"))
            .map_err(|error| failed(&format!("fetch {reference} of {url}"), &error))?;
        found = repository.revparse_single(reference).ok();
    }
    let commit = found
        .and_then(|object| object.peel_to_commit().ok())
        .ok_or_else(|| format!("{url} has no branch, tag or commit {reference:?}"))?;
    repository
        .checkout_tree(commit.as_object(), Some(CheckoutBuilder::new().force()))
        .and_then(|()| repository.set_head_detached(commit.id()))
        .and_then(|()| submodules(&repository, 0))
        .map_err(|error| failed(&format!("check out {reference} of {url}"), &error))?;
    let id = <[u8; 20]>::try_from(commit.id().as_bytes())
        .map_err(|_| format!("{url} does not use SHA-1"))?;
    Ok(Cloned {
        commit: CommitSha::from_bytes(id),
        recipe: None,
    })
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

/// Fetches and checks out the submodules, and theirs.
fn submodules(repository: &Repository, depth: u32) -> Result<(), git2::Error> {
    if depth > 8 {
        return Err(git2::Error::from_str(
            "submodules are nested more than 8 deep",
        ));
    }
    for mut submodule in repository.submodules()? {
        submodule.update(true, Some(&mut SubmoduleUpdateOptions::new()))?;
        submodules(&submodule.open()?, depth + 1)?;
    }
    Ok(())
}

fn failed(action: &str, error: &git2::Error) -> String {
    format!("cannot {action}: {}", error.message())
}
