//! Folders and files of a commit, within bounds.

use std::path::Path;

use git2::ObjectType;

use crate::git::commit;
use crate::git::{Context, GitError};
use crate::name::Sha;

/// A larger file is not shown, in bytes.
pub(crate) const MAX_SHOWN: usize = 512 * 1024;
/// Entries of one folder that are listed.
pub(crate) const MAX_ENTRIES: usize = 2_000;
/// Folders that a path may have.
const MAX_DEPTH: usize = 100;

/// What lies at a path.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    Folder(Folder),
    File(File),
}

/// A folder.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    /// Folders first, each kind by name.
    pub(crate) entries: Vec<Entry>,
    /// How many more there are.
    pub(crate) omitted: usize,
}

/// Something in a folder.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// What something in a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Folder,
    File,
    /// A commit of another repository.
    Submodule,
}

/// A file.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// In bytes.
    pub(crate) size: usize,
    pub(crate) content: Content,
}

/// What a file holds.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Text(String),
    Binary,
    /// More than [`MAX_SHOWN`].
    TooLarge,
}

/// A commit by the name that was asked for, and a path in it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) reference: String,
    pub(crate) sha: Sha,
    pub(crate) path: String,
}

/// Tells the ref from the path in `ref/path`. A ref may have slashes too; the shortest one that
/// is there is meant, as git lets no ref lie below another.
pub(crate) fn resolve(path: &Path, rest: &str) -> Result<Option<Place>, GitError> {
    let rest = rest.trim_matches('/');
    let ends = rest
        .match_indices('/')
        .map(|(at, _)| at)
        .chain([rest.len()]);
    for end in ends.take(MAX_DEPTH) {
        let (reference, inner) = rest.split_at(end);
        if let Some(sha) = commit::find(path, reference)? {
            return Ok(Some(Place {
                reference: reference.to_owned(),
                sha,
                path: inner.trim_start_matches('/').to_owned(),
            }));
        }
    }
    Ok(None)
}

/// Looks at a path of a commit; the empty path is its root.
pub(crate) fn look(path: &Path, commit: &Sha, inner: &str) -> Result<Option<Found>, GitError> {
    if inner.contains('\0') {
        return Ok(None); // libgit2 takes no such text, and no file has such a name
    }
    let repository = super::open(path)?;
    let found = (|| {
        let mut object = repository.find_commit(commit.oid())?.tree()?.into_object();
        // Name by name, as they are: `..` is a name like any other, and there is none.
        for name in inner.split('/').filter(|name| !name.is_empty()) {
            let below = object
                .as_tree()
                .and_then(|tree| tree.get_name(name))
                .map(|entry| entry.to_object(&repository));
            match below {
                Some(found) => object = found?,
                None => return Ok(None),
            }
        }
        if let Some(tree) = object.as_tree() {
            return Ok(Some(Found::Folder(folder(tree))));
        }
        Ok::<_, git2::Error>(object.as_blob().map(|blob| Found::File(file(blob))))
    })();
    match found {
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        found => found.context("look at a file", path),
    }
}

fn folder(tree: &git2::Tree<'_>) -> Folder {
    let mut entries: Vec<_> = tree
        .iter()
        .take(MAX_ENTRIES)
        .map(|entry| Entry {
            name: String::from_utf8_lossy(entry.name_bytes()).into_owned(),
            kind: match entry.kind() {
                Some(ObjectType::Tree) => Kind::Folder,
                Some(ObjectType::Commit) => Kind::Submodule,
                Some(ObjectType::Blob | ObjectType::Tag | ObjectType::Any) | None => Kind::File,
            },
        })
        .collect();
    entries.sort_by(|one, other| (one.kind, &one.name).cmp(&(other.kind, &other.name)));
    Folder {
        omitted: tree.len() - entries.len(),
        entries,
    }
}

fn file(blob: &git2::Blob<'_>) -> File {
    let content = if blob.size() > MAX_SHOWN {
        Content::TooLarge
    } else if blob.is_binary() {
        Content::Binary
    } else {
        Content::Text(String::from_utf8_lossy(blob.content()).into_owned())
    };
    File {
        size: blob.size(),
        content,
    }
}
