//! What refs point to, and what a push changed.

use std::collections::BTreeMap;
use std::path::Path;

use git2::{ObjectType, Oid};

use crate::git::{Context, GitError};
use crate::name::Sha;

/// The branches and tags of a repository.
pub(crate) type Refs = BTreeMap<String, Oid>;

/// A ref of any kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The full name: `refs/heads/main`.
    pub(crate) name: String,
    pub(crate) target: Sha,
    /// What the target is: an annotated tag points to a tag.
    pub(crate) kind: ObjectType,
}

/// What happened to one ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) name: String,
    pub(crate) kind: ChangeKind,
}

/// How a ref changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Created { after: Oid },
    Updated { before: Oid, after: Oid },
    Deleted { before: Oid },
}

impl ChangeKind {
    /// Where the ref points now; none once it is deleted.
    pub(crate) const fn after(self) -> Option<Oid> {
        match self {
            Self::Created { after } | Self::Updated { after, .. } => Some(after),
            Self::Deleted { .. } => None,
        }
    }

    /// Where the ref pointed; none if it is new.
    pub(crate) const fn before(self) -> Option<Oid> {
        match self {
            Self::Deleted { before } | Self::Updated { before, .. } => Some(before),
            Self::Created { .. } => None,
        }
    }
}

impl Change {
    /// The branch, if the ref is one.
    pub(crate) fn branch(&self) -> Option<&str> {
        self.name.strip_prefix("refs/heads/")
    }
}

/// Reads all branches and tags.
pub(crate) fn read(path: &Path) -> Result<Refs, GitError> {
    let repository = super::open(path)?;
    let mut refs = Refs::new();
    let all = repository.references().context("list refs", path)?;
    for reference in all {
        let reference = reference.context("read a ref", path)?;
        let (Ok(name), Some(target)) = (reference.name(), reference.target()) else {
            continue;
        };
        if name.starts_with("refs/heads/") || name.starts_with("refs/tags/") {
            refs.insert(name.to_owned(), target);
        }
    }
    Ok(refs)
}

/// Reads all refs of any kind whose full names begin like that, by name.
pub(crate) fn matching(path: &Path, beginning: &str) -> Result<Vec<Reference>, GitError> {
    let repository = super::open(path)?;
    let mut found = Vec::new();
    let all = repository.references().context("list refs", path)?;
    for reference in all {
        let reference = reference.context("read a ref", path)?;
        let (Ok(name), Some(target)) = (reference.name(), reference.target()) else {
            continue;
        };
        if !name.starts_with(beginning) {
            continue;
        }
        let object = repository.find_object(target, None);
        let kind = object.context("read what a ref points to", path)?.kind();
        found.push(Reference {
            name: name.to_owned(),
            target: Sha::from_oid(target),
            kind: kind.unwrap_or(ObjectType::Any),
        });
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// What a ref points to, if it is there.
pub(crate) fn find(path: &Path, name: &str) -> Result<Option<Sha>, GitError> {
    match super::open(path)?.refname_to_id(name) {
        Ok(tip) => Ok(Some(Sha::from_oid(tip))),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error).context("read a ref", path),
    }
}

/// Points a ref to a commit, whether it is there or not.
pub(crate) fn point(path: &Path, name: &str, to: &Sha, why: &str) -> Result<(), GitError> {
    let repository = super::open(path)?;
    repository
        .reference(name, to.oid(), true, why)
        .context("move a ref", path)?;
    Ok(())
}

/// Removes a ref, if it is there.
pub(crate) fn remove(path: &Path, name: &str) -> Result<(), GitError> {
    match super::open(path)?.find_reference(name) {
        Ok(mut reference) => reference.delete().context("remove a ref", path),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(()),
        Err(error) => Err(error).context("read a ref", path),
    }
}

/// What turns one set of refs into another, by name.
pub(crate) fn changes(before: &Refs, after: &Refs) -> Vec<Change> {
    let mut changes = Vec::new();
    for (name, old) in before {
        let kind = match after.get(name) {
            None => ChangeKind::Deleted { before: *old },
            Some(new) if new != old => ChangeKind::Updated {
                before: *old,
                after: *new,
            },
            Some(_) => continue,
        };
        changes.push(Change {
            name: name.clone(),
            kind,
        });
    }
    for (name, new) in after {
        if !before.contains_key(name) {
            let kind = ChangeKind::Created { after: *new };
            changes.push(Change {
                name: name.clone(),
                kind,
            });
        }
    }
    changes.sort_by(|one, other| one.name.cmp(&other.name));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn created_updated_and_deleted_refs_are_told_apart() {
        let oid = |digit: char| Oid::from_str(&digit.to_string().repeat(40)).unwrap();
        let before = Refs::from([
            ("refs/heads/gone".to_owned(), oid('1')),
            ("refs/heads/main".to_owned(), oid('2')),
            ("refs/heads/same".to_owned(), oid('3')),
        ]);
        let after = Refs::from([
            ("refs/heads/main".to_owned(), oid('4')),
            ("refs/heads/new".to_owned(), oid('5')),
            ("refs/heads/same".to_owned(), oid('3')),
        ]);
        let kinds: Vec<_> = changes(&before, &after)
            .into_iter()
            .map(|change| change.kind)
            .collect();
        assert_eq!(
            kinds,
            [
                ChangeKind::Deleted { before: oid('1') },
                ChangeKind::Updated {
                    before: oid('2'),
                    after: oid('4')
                },
                ChangeKind::Created { after: oid('5') },
            ]
        );
    }
}
