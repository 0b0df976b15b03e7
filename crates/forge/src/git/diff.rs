//! The difference between two trees, line by line, within bounds.

use std::path::Path;

use git2::{Delta, DiffLineType, DiffOptions, Patch, Repository, Tree};

use crate::git::commit::{FileStatus, MAX_FILES};
use crate::git::{Context, GitError};
use crate::name::Sha;

/// A larger file's lines are not compared, in bytes.
const MAX_BLOB: i64 = 1024 * 1024;
/// Lines of one file's difference.
const MAX_LINES_OF_FILE: usize = 2_000;
/// Lines of a whole difference.
const MAX_LINES: usize = 10_000;
/// Characters of one line.
const MAX_LINE: usize = 2_000;

/// What two trees have not in common.
#[derive(Debug, Clone, Default)]
pub(crate) struct Difference {
    pub(crate) files: Vec<FileDiff>,
    /// How many more files changed than are listed.
    pub(crate) omitted: usize,
}

/// A changed file.
#[derive(Debug, Clone)]
pub(crate) struct FileDiff {
    pub(crate) path: String,
    pub(crate) blob: Sha,
    pub(crate) status: FileStatus,
    pub(crate) additions: usize,
    pub(crate) deletions: usize,
    pub(crate) body: Body,
}

/// What is shown of a changed file.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Hunks(Vec<Hunk>),
    /// Not text, or too large to be compared.
    Binary,
    /// More lines than are shown.
    TooLong,
}

/// Lines that follow each other.
#[derive(Debug, Clone)]
pub(crate) struct Hunk {
    /// `@@ -1,2 +1,3 @@ …`
    pub(crate) header: String,
    pub(crate) lines: Vec<Line>,
}

/// A line, with its number on either side where it is there.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) kind: LineKind,
    pub(crate) old: Option<u32>,
    pub(crate) new: Option<u32>,
    pub(crate) text: String,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineKind {
    Kept,
    Added,
    Removed,
    /// Not a line: git's remark that the last one does not end.
    Remark,
}

impl LineKind {
    /// The character before it in a patch.
    pub(crate) const fn mark(self) -> char {
        match self {
            Self::Kept => ' ',
            Self::Added => '+',
            Self::Removed => '-',
            Self::Remark => '\\',
        }
    }
}

impl FileDiff {
    /// Its lines, where they are shown.
    pub(crate) fn hunks(&self) -> &[Hunk] {
        match &self.body {
            Body::Hunks(hunks) => hunks,
            Body::Binary | Body::TooLong => &[],
        }
    }

    /// The patch as GitHub's API gives it; none where the lines are not shown.
    pub(crate) fn patch(&self) -> Option<String> {
        let mut lines = Vec::new();
        for hunk in self.hunks() {
            lines.push(hunk.header.clone());
            let of_hunk = hunk.lines.iter();
            lines.extend(of_hunk.map(|line| format!("{}{}", line.kind.mark(), line.text)));
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

/// What a commit changed of its first parent.
pub(crate) fn of_commit(path: &Path, sha: &Sha) -> Result<Difference, GitError> {
    let repository = super::open(path)?;
    (|| {
        let commit = repository.find_commit(sha.oid())?;
        let before = match commit.parent(0) {
            Ok(parent) => Some(parent.tree()?),
            Err(_first_commit) => None,
        };
        compare(&repository, before.as_ref(), &commit.tree()?)
    })()
    .context("compare a commit with its parent", path)
}

/// What a head changed since it left its base; nothing where they have no commit in common.
pub(crate) fn of_pull(path: &Path, base: &Sha, head: &Sha) -> Result<Difference, GitError> {
    let repository = super::open(path)?;
    let found = (|| {
        let fork_point = repository.merge_base(base.oid(), head.oid())?;
        let before = repository.find_commit(fork_point)?.tree()?;
        let after = repository.find_commit(head.oid())?.tree()?;
        compare(&repository, Some(&before), &after)
    })();
    match found {
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(Difference::default()),
        found => found.context("compare a pull request with its base", path),
    }
}

fn compare(
    repository: &Repository,
    before: Option<&Tree<'_>>,
    after: &Tree<'_>,
) -> Result<Difference, git2::Error> {
    let mut options = DiffOptions::new();
    options.context_lines(3).max_size(MAX_BLOB);
    let diff = repository.diff_tree_to_tree(before, Some(after), Some(&mut options))?;
    let count = diff.deltas().len();
    let mut files = Vec::new();
    let mut room = MAX_LINES;
    for index in 0..count.min(MAX_FILES) {
        let Some(delta) = diff.get_delta(index) else {
            continue;
        };
        let (side, status) = match delta.status() {
            Delta::Added => (delta.new_file(), FileStatus::Added),
            Delta::Deleted => (delta.old_file(), FileStatus::Removed),
            // Without rename detection only modified and type-changed files are left.
            Delta::Unmodified
            | Delta::Modified
            | Delta::Renamed
            | Delta::Copied
            | Delta::Ignored
            | Delta::Untracked
            | Delta::Typechange
            | Delta::Unreadable
            | Delta::Conflicted => (delta.new_file(), FileStatus::Modified),
        };
        let path = String::from_utf8_lossy(side.path_bytes().unwrap_or_default()).into_owned();
        let blob = Sha::from_oid(side.id());
        // None where nothing can be compared.
        let patch = Patch::from_diff(&diff, index)?;
        let is_binary = diff
            .get_delta(index)
            .is_some_and(|delta| delta.flags().is_binary());
        let (_, additions, deletions) = match &patch {
            Some(patch) => patch.line_stats()?,
            None => (0, 0, 0),
        };
        let body = match patch {
            Some(patch) if !is_binary => lines(&patch, &mut room)?,
            Some(_) | None => Body::Binary,
        };
        files.push(FileDiff {
            path,
            blob,
            status,
            additions,
            deletions,
            body,
        });
    }
    Ok(Difference {
        omitted: count - files.len(),
        files,
    })
}

/// The lines of one file, taken off the room that is left for all.
fn lines(patch: &Patch<'_>, room: &mut usize) -> Result<Body, git2::Error> {
    let mut total = 0;
    for hunk in 0..patch.num_hunks() {
        total += patch.num_lines_in_hunk(hunk)?;
    }
    if total > MAX_LINES_OF_FILE || total > *room {
        return Ok(Body::TooLong);
    }
    *room -= total;
    let mut hunks = Vec::new();
    for index in 0..patch.num_hunks() {
        let (hunk, count) = patch.hunk(index)?;
        let header = String::from_utf8_lossy(hunk.header()).trim_end().to_owned();
        let mut lines = Vec::new();
        for number in 0..count {
            let line = patch.line_in_hunk(index, number)?;
            let kind = match line.origin_value() {
                DiffLineType::Addition => LineKind::Added,
                DiffLineType::Deletion => LineKind::Removed,
                DiffLineType::ContextEOFNL | DiffLineType::AddEOFNL | DiffLineType::DeleteEOFNL => {
                    LineKind::Remark
                }
                DiffLineType::Context
                | DiffLineType::FileHeader
                | DiffLineType::HunkHeader
                | DiffLineType::Binary => LineKind::Kept,
            };
            let text = String::from_utf8_lossy(line.content());
            let text = match kind {
                LineKind::Remark => " No newline at end of file".to_owned(),
                LineKind::Kept | LineKind::Added | LineKind::Removed => {
                    let text = text.strip_suffix('\n').unwrap_or(&text);
                    text.chars().take(MAX_LINE).collect()
                }
            };
            lines.push(Line {
                kind,
                old: line.old_lineno(),
                new: line.new_lineno(),
                text,
            });
        }
        hunks.push(Hunk { header, lines });
    }
    Ok(Body::Hunks(hunks))
}
