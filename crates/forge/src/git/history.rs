//! Commits in their order, a stretch at a time.

use std::path::Path;

use git2::Sort;

use crate::git::commit::{self, Commit, Files};
use crate::git::{Context, GitError};
use crate::name::Sha;

/// A stretch of a history.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stretch {
    /// Newest first, without their files.
    pub(crate) commits: Vec<Commit>,
    /// Whether older ones follow.
    pub(crate) goes_on: bool,
}

/// As many commits as GitHub lists of one pull request.
pub(crate) const MAX_OF_PULL: usize = 250;

/// The commits that `tip` has, newest first: `take` of them after the first `skip`. It costs as
/// much as the commits that are skipped and taken, not as the whole history.
pub(crate) fn list(path: &Path, tip: &Sha, skip: usize, take: usize) -> Result<Stretch, GitError> {
    walk(path, tip, None, skip, take)
}

/// The commits that `head` has and `base` lacks, oldest first, the newest [`MAX_OF_PULL`] of them.
pub(crate) fn between(path: &Path, base: &Sha, head: &Sha) -> Result<Stretch, GitError> {
    let mut stretch = walk(path, head, Some(base), 0, MAX_OF_PULL)?;
    stretch.commits.reverse();
    Ok(stretch)
}

fn walk(
    path: &Path,
    tip: &Sha,
    without: Option<&Sha>,
    skip: usize,
    take: usize,
) -> Result<Stretch, GitError> {
    let repository = super::open(path)?;
    let ids = (|| {
        let mut walk = repository.revwalk()?;
        walk.set_sorting(Sort::TIME)?;
        walk.push(tip.oid())?;
        if let Some(without) = without {
            walk.hide(without.oid())?;
        }
        walk.skip(skip)
            .take(take.saturating_add(1))
            .collect::<Result<Vec<_>, git2::Error>>()
    })()
    .context("list commits", path)?;
    let mut commits = Vec::new();
    for id in ids.iter().take(take) {
        let commit = repository.find_commit(*id).context("read a commit", path)?;
        commits.push(commit::describe(
            &repository,
            &commit,
            path,
            Files::Omitted,
        )?);
    }
    Ok(Stretch {
        commits,
        goes_on: ids.len() > take,
    })
}
