//! The ways to bring a pull request's commits to its base.

use std::path::Path;

use git2::{Commit, Index, Oid, Repository, Signature, Sort};

use super::{FORGE, merge};
use crate::git::{Context, GitError};
use crate::name::Sha;

/// How a pull request's commits come to its base.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MergeMethod {
    /// One new commit with two parents: the base and the head.
    #[default]
    Merge,
    /// One new commit with one parent, which is the base.
    Squash,
    /// A new commit for each of the head's, on top of the base. Commits with several parents are
    /// left out.
    Rebase,
    /// No new commit: the base moves to the head, which has to hold it.
    FastForward,
}

/// Who writes which words into a merge.
pub(crate) struct Words<'text> {
    pub(crate) message: &'text str,
    /// Name and e-mail address of who merges.
    pub(crate) by: (&'text str, &'text str),
    /// Those of who opened the pull request.
    pub(crate) author: (&'text str, &'text str),
}

/// Makes what the base is to point to, and moves nothing. None where the head conflicts with the
/// base, or does not hold it and had to.
pub(crate) fn make(
    path: &Path,
    method: MergeMethod,
    base: &Sha,
    head: &Sha,
    words: &Words<'_>,
) -> Result<Option<Sha>, GitError> {
    let repository = crate::git::open(path)?;
    let made = match method {
        MergeMethod::Merge => merge(&repository, base, head, words.message, words.by),
        MergeMethod::Squash => squash(&repository, base, head, words),
        MergeMethod::Rebase => rebase(&repository, base, head),
        MergeMethod::FastForward => {
            return Ok(super::contains(path, head, base)?.then(|| head.clone()));
        }
    };
    made.context("merge a pull request", path)
}

fn squash(
    repository: &Repository,
    base: &Sha,
    head: &Sha,
    words: &Words<'_>,
) -> Result<Option<Sha>, git2::Error> {
    let base = repository.find_commit(base.oid())?;
    let head = repository.find_commit(head.oid())?;
    let index = repository.merge_commits(&base, &head, None)?;
    let author = Signature::now(words.author.0, words.author.1)?;
    let commit = commit(repository, index, &author, words.message, &base)?;
    Ok(commit.map(Sha::from_oid))
}

/// Copies the head's commits, oldest first, each onto the one before.
fn rebase(repository: &Repository, base: &Sha, head: &Sha) -> Result<Option<Sha>, git2::Error> {
    let mut walk = repository.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
    walk.push(head.oid())?;
    walk.hide(base.oid())?;
    let mut tip = repository.find_commit(base.oid())?;
    for oid in walk {
        let picked = repository.find_commit(oid?)?;
        if picked.parent_count() > 1 {
            continue;
        }
        let index = repository.cherrypick_commit(&picked, &tip, 0, None)?;
        let message = String::from_utf8_lossy(picked.message_bytes()).into_owned();
        let Some(made) = commit(repository, index, &picked.author(), &message, &tip)? else {
            return Ok(None);
        };
        tip = repository.find_commit(made)?;
    }
    Ok(Some(Sha::from_oid(tip.id())))
}

/// Commits an index on one parent. None where it has conflicts. The committer is the forge, so that
/// the commit is another one than what it was made of.
fn commit(
    repository: &Repository,
    mut index: Index,
    author: &Signature<'_>,
    message: &str,
    parent: &Commit<'_>,
) -> Result<Option<Oid>, git2::Error> {
    if index.has_conflicts() {
        return Ok(None);
    }
    let tree = repository.find_tree(index.write_tree_to(repository)?)?;
    let committer = Signature::now(FORGE.0, FORGE.1)?;
    let made = repository.commit(None, author, &committer, message, &tree, &[parent])?;
    Ok(Some(made))
}
