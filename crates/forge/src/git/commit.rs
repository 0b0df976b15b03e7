//! Commits: what the API and the push event say of them, and writing one.

use std::path::Path;

use git2::{DiffOptions, Oid, Repository, Sort};
use jiff::Timestamp;

use crate::git::refs::{Change, ChangeKind};
use crate::git::{Context, GitError};
use crate::name::Sha;

/// At most as many commits as GitHub lists in a push event.
const MAX_LISTED: usize = 2_048;
/// Only so many of them carry their file lists: nothing may be derived from these lists, and a
/// push of a whole history must not keep its event waiting for thousands of diffs.
const MAX_FILE_LISTS: usize = 100;
/// As many files as GitHub shows of one commit.
pub(super) const MAX_FILES: usize = 300;

/// A commit.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) sha: Sha,
    pub(crate) tree: Sha,
    pub(crate) parents: Vec<Sha>,
    pub(crate) message: String,
    pub(crate) author: Person,
    pub(crate) committer: Person,
    pub(crate) files: Vec<File>,
}

/// Who wrote a commit, as the commit says.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) at: Timestamp,
}

/// A file that a commit changed.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) blob: Sha,
    pub(crate) status: FileStatus,
    pub(crate) additions: usize,
    pub(crate) deletions: usize,
}

/// How a commit changed a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileStatus {
    Added,
    Modified,
    Removed,
}

impl FileStatus {
    /// GitHub's word for it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Removed => "removed",
        }
    }
}

/// What a push event says besides the ref.
#[derive(Debug, Clone)]
pub(crate) struct Pushed {
    /// Oldest first.
    pub(crate) commits: Vec<Commit>,
    pub(crate) head: Option<Commit>,
    pub(crate) history: History,
}

/// Whether a push kept the branch's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum History {
    Kept,
    Rewritten,
}

/// Finds the commit that a branch, tag, ref or (short) commit id names.
pub(crate) fn find(path: &Path, name: &str) -> Result<Option<Sha>, GitError> {
    let repository = super::open(path)?;
    for candidate in [
        format!("refs/heads/{name}"),
        format!("refs/tags/{name}"),
        format!("refs/{name}"),
    ] {
        if !git2::Reference::is_valid_name(&candidate) {
            continue;
        }
        if let Ok(reference) = repository.find_reference(&candidate)
            && let Ok(commit) = reference.peel_to_commit()
        {
            return Ok(Some(Sha::from_oid(commit.id())));
        }
    }
    if name.len() < 7 || name.len() > 40 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let found = repository.find_commit_by_prefix(name);
    Ok(found.ok().map(|commit| Sha::from_oid(commit.id())))
}

/// Reads a commit with its changed files.
pub(crate) fn read(path: &Path, sha: &Sha) -> Result<Option<Commit>, GitError> {
    let repository = super::open(path)?;
    match repository.find_commit(sha.oid()) {
        Ok(commit) => describe(&repository, &commit, path, Files::Counted).map(Some),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error).context("read a commit", path),
    }
}

/// Reads what a push event says of a changed ref.
pub(crate) fn pushed(path: &Path, change: &Change, others: &[Oid]) -> Result<Pushed, GitError> {
    let repository = super::open(path)?;
    let Some(after) = change.kind.after() else {
        return Ok(Pushed {
            commits: Vec::new(),
            head: None,
            history: History::Kept,
        });
    };
    let head = repository
        .find_object(after, None)
        .and_then(|object| object.peel_to_commit())
        .context("read the pushed commit", path)?;
    let history = match change.kind {
        ChangeKind::Updated { before, .. }
            if !repository
                .graph_descendant_of(head.id(), before)
                .unwrap_or(false) =>
        {
            History::Rewritten
        }
        ChangeKind::Updated { .. } | ChangeKind::Created { .. } | ChangeKind::Deleted { .. } => {
            History::Kept
        }
    };
    let mut walk = repository.revwalk().context("walk the history", path)?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)
        .context("walk the history", path)?;
    walk.push(head.id()).context("walk the history", path)?;
    for known in change.kind.before().iter().chain(others) {
        // A tag of something other than a commit hides nothing.
        let _hidden = walk.hide(*known);
    }
    let mut commits = Vec::new();
    for (position, oid) in walk.take(MAX_LISTED).enumerate() {
        let commit = oid
            .and_then(|oid| repository.find_commit(oid))
            .context("read a pushed commit", path)?;
        let files = if position < MAX_FILE_LISTS {
            Files::Listed
        } else {
            Files::Omitted
        };
        commits.push(describe(&repository, &commit, path, files)?);
    }
    commits.reverse();
    let head = describe(&repository, &head, path, Files::Listed)?;
    Ok(Pushed {
        commits,
        head: Some(head),
        history,
    })
}

/// How much to say of a commit's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Files {
    Omitted,
    Listed,
    Counted,
}

pub(super) fn describe(
    repository: &Repository,
    commit: &git2::Commit<'_>,
    path: &Path,
    files: Files,
) -> Result<Commit, GitError> {
    Ok(Commit {
        sha: Sha::from_oid(commit.id()),
        tree: Sha::from_oid(commit.tree_id()),
        parents: commit.parent_ids().map(Sha::from_oid).collect(),
        message: String::from_utf8_lossy(commit.message_bytes()).into_owned(),
        author: person(&commit.author()),
        committer: person(&commit.committer()),
        files: match files {
            Files::Omitted => Vec::new(),
            Files::Listed | Files::Counted => changed_files(repository, commit, files)
                .context("compare a commit with its parent", path)?,
        },
    })
}

fn person(signature: &git2::Signature<'_>) -> Person {
    Person {
        name: String::from_utf8_lossy(signature.name_bytes()).into_owned(),
        email: String::from_utf8_lossy(signature.email_bytes()).into_owned(),
        at: Timestamp::from_second(signature.when().seconds()).unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

fn changed_files(
    repository: &Repository,
    commit: &git2::Commit<'_>,
    files: Files,
) -> Result<Vec<File>, git2::Error> {
    let parent = match commit.parent(0) {
        Ok(parent) => Some(parent.tree()?),
        Err(_first_commit) => None,
    };
    let mut options = DiffOptions::new();
    options.context_lines(0);
    let diff =
        repository.diff_tree_to_tree(parent.as_ref(), Some(&commit.tree()?), Some(&mut options))?;
    let mut changed = Vec::new();
    for (index, delta) in diff.deltas().enumerate().take(MAX_FILES) {
        let (side, status) = match delta.status() {
            git2::Delta::Added => (delta.new_file(), FileStatus::Added),
            git2::Delta::Deleted => (delta.old_file(), FileStatus::Removed),
            // Without rename detection only modified and type-changed files are left.
            git2::Delta::Unmodified
            | git2::Delta::Modified
            | git2::Delta::Renamed
            | git2::Delta::Copied
            | git2::Delta::Ignored
            | git2::Delta::Untracked
            | git2::Delta::Typechange
            | git2::Delta::Unreadable
            | git2::Delta::Conflicted => (delta.new_file(), FileStatus::Modified),
        };
        let lines = match files {
            Files::Counted => git2::Patch::from_diff(&diff, index)?
                .map(|patch| patch.line_stats())
                .transpose()?,
            Files::Listed | Files::Omitted => None,
        };
        let (_, additions, deletions) = lines.unwrap_or_default();
        changed.push(File {
            path: String::from_utf8_lossy(side.path_bytes().unwrap_or_default()).into_owned(),
            blob: Sha::from_oid(side.id()),
            status,
            additions,
            deletions,
        });
    }
    Ok(changed)
}

/// A change to one file, for [`write`].
#[derive(Debug, Clone)]
pub enum Edit {
    /// The file's new bytes.
    Put(Vec<u8>),
    /// The file goes.
    Remove,
}

/// Writes a commit on a branch, which it may create, without a working tree.
pub(crate) fn write(
    path: &Path,
    branch: &str,
    author: (&str, &str),
    message: &str,
    edits: &[(String, Edit)],
) -> Result<Sha, GitError> {
    let repository = super::open(path)?;
    let reference = format!("refs/heads/{branch}");
    let parent = repository
        .find_reference(&reference)
        .and_then(|reference| reference.peel_to_commit())
        .ok();
    let result = (|| {
        let mut index = git2::Index::new()?;
        if let Some(parent) = &parent {
            index.read_tree(&parent.tree()?)?;
        }
        for (file, edit) in edits {
            match edit {
                Edit::Put(bytes) => index.add(&entry(file, repository.blob(bytes)?))?,
                Edit::Remove => index.remove(Path::new(file), 0)?,
            }
        }
        let tree = repository.find_tree(index.write_tree_to(&repository)?)?;
        let signature = git2::Signature::now(author.0, author.1)?;
        let parents: Vec<_> = parent.iter().collect();
        repository.commit(
            Some(&reference),
            &signature,
            &signature,
            message,
            &tree,
            &parents,
        )
    })();
    result.map(Sha::from_oid).context("write a commit", path)
}

fn entry(file: &str, blob: Oid) -> git2::IndexEntry {
    git2::IndexEntry {
        ctime: git2::IndexTime::new(0, 0),
        mtime: git2::IndexTime::new(0, 0),
        dev: 0,
        ino: 0,
        mode: 0o100_644,
        uid: 0,
        gid: 0,
        file_size: 0,
        id: blob,
        flags: 0,
        flags_extended: 0,
        path: file.as_bytes().to_vec(),
    }
}
