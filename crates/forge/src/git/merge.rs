//! Merging a pull request's head into its base, for the answer whether it would and for doing so.

pub(crate) mod method;

use std::path::Path;

use git2::{Repository, Signature};

use crate::git::{Context, GitError};
use crate::name::Sha;
use crate::state::pull::Mergeability;

/// Brings a commit from one repository into another and points a ref at it.
pub(crate) fn fetch(from: &Path, into: &Path, sha: &Sha, reference: &str) -> Result<(), GitError> {
    let repository = super::open(into)?;
    if from != into && repository.find_commit(sha.oid()).is_err() {
        let url = from.to_string_lossy();
        let mut remote = repository
            .remote_anonymous(&url)
            .context("name a fork", into)?;
        let mut options = git2::FetchOptions::new();
        options.download_tags(git2::AutotagOption::None);
        let refspec = format!("+refs/heads/*:{FORK_NAMESPACE}*");
        remote
            .fetch(&[refspec.as_str()], Some(&mut options), None)
            .context("fetch from a fork", into)?;
    }
    repository
        .reference(reference, sha.oid(), true, "pull request")
        .context("write a pull request's ref", into)?;
    remove_fork_refs(&repository).context("remove a fork's refs", into)
}

/// Where a fork's branches stand while they are fetched; kept by the pull request's own ref.
const FORK_NAMESPACE: &str = "refs/fork/";

fn remove_fork_refs(repository: &Repository) -> Result<(), git2::Error> {
    for reference in repository.references_glob(&format!("{FORK_NAMESPACE}*"))? {
        reference?.delete()?;
    }
    Ok(())
}

/// Merges head into base without moving the base: the merge commit stands at
/// `refs/pull/N/merge`.
pub(crate) fn attempt(
    path: &Path,
    number: u64,
    base: &Sha,
    head: &Sha,
    message: &str,
) -> Result<Mergeability, GitError> {
    let repository = super::open(path)?;
    let reference = format!("refs/pull/{number}/merge");
    match merge(&repository, base, head, message, FORGE).context("merge a pull request", path)? {
        Some(commit) => {
            repository
                .reference(&reference, commit.oid(), true, "merge of a pull request")
                .context("write a pull request's ref", path)?;
            Ok(Mergeability::Clean(commit))
        }
        None => {
            if let Ok(mut stale) = repository.find_reference(&reference) {
                stale
                    .delete()
                    .context("remove a pull request's ref", path)?;
            }
            Ok(Mergeability::Conflicting)
        }
    }
}

/// Who commits what is merged here.
const FORGE: (&str, &str) = ("Forge", "noreply@forge.invalid");

fn merge(
    repository: &Repository,
    base: &Sha,
    head: &Sha,
    message: &str,
    author: (&str, &str),
) -> Result<Option<Sha>, git2::Error> {
    let base = repository.find_commit(base.oid())?;
    let head = repository.find_commit(head.oid())?;
    let mut index = repository.merge_commits(&base, &head, None)?;
    if index.has_conflicts() {
        return Ok(None);
    }
    let tree = repository.find_tree(index.write_tree_to(repository)?)?;
    let author = Signature::now(author.0, author.1)?;
    let committer = Signature::now(FORGE.0, FORGE.1)?;
    let commit = repository.commit(None, &author, &committer, message, &tree, &[&base, &head])?;
    Ok(Some(Sha::from_oid(commit)))
}

/// Whether one commit has another among its ancestors, or is it.
pub(crate) fn contains(path: &Path, tip: &Sha, ancestor: &Sha) -> Result<bool, GitError> {
    let repository = super::open(path)?;
    if tip == ancestor {
        return Ok(true);
    }
    repository
        .graph_descendant_of(tip.oid(), ancestor.oid())
        .context("compare two commits", path)
}

/// As [`contains`], where the ancestor may be a commit that this repository does not know.
pub(crate) fn contains_known(path: &Path, tip: &Sha, ancestor: &Sha) -> Result<bool, GitError> {
    let is_known = super::open(path)?.find_commit(ancestor.oid()).is_ok();
    Ok(is_known && contains(path, tip, ancestor)?)
}

/// How far a head is from its base, for the numbers of a pull request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Distance {
    pub(crate) commits: usize,
    pub(crate) additions: usize,
    pub(crate) deletions: usize,
    pub(crate) files: usize,
}

/// Measures the change from the merge base to the head.
pub(crate) fn distance(path: &Path, base: &Sha, head: &Sha) -> Result<Distance, GitError> {
    let repository = super::open(path)?;
    let measured = (|| {
        let fork_point = repository.merge_base(base.oid(), head.oid())?;
        let (ahead, _) = repository.graph_ahead_behind(head.oid(), base.oid())?;
        let from = repository.find_commit(fork_point)?.tree()?;
        let to = repository.find_commit(head.oid())?.tree()?;
        let stats = repository
            .diff_tree_to_tree(Some(&from), Some(&to), None)?
            .stats()?;
        Ok::<_, git2::Error>(Distance {
            commits: ahead,
            additions: stats.insertions(),
            deletions: stats.deletions(),
            files: stats.files_changed(),
        })
    })();
    match measured {
        Ok(distance) => Ok(distance),
        // Two histories without a common commit have no distance.
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(Distance::default()),
        Err(error) => Err(error).context("measure a pull request", path),
    }
}
