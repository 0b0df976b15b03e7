//! Finding merge conflicts between two commits.

use std::collections::BTreeSet;

use api::id::CommitSha;
use git2::{IndexEntry, MergeOptions, ObjectType, Oid};

use super::bounds::{Bounds, TooLarge};
use super::mirror::{Error, Mirror, oid};
use super::tree::Cut;

/// How many conflicting paths are listed.
const NAMED: usize = 20;

/// How deep the folders of a merge may lie.
const MAX_DEPTH: usize = 128;

/// The total length of all paths that differ, in bytes. A merge keeps all of them in memory.
const MAX_PATHS: usize = 64 << 20;

/// How deep libgit2 merges merge bases when there are several.
const MAX_BASES: u32 = 8;

/// The paths on which two commits cannot be merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflicts {
    /// Some of the paths, sorted. Bytes that are not UTF-8 are replaced.
    pub paths: Vec<String>,
    /// How many paths conflict.
    pub count: usize,
}

impl Mirror {
    /// The conflicts of a merge of `theirs` into `ours`; none when it is clean. The merge happens
    /// in memory only. If `theirs` differs too much from the merge base, no merge is tried.
    ///
    /// # Errors
    /// When an object is missing.
    pub fn find_conflicts(
        &self,
        ours: CommitSha,
        theirs: CommitSha,
        bounds: Bounds,
    ) -> Result<Result<Option<Conflicts>, TooLarge>, Error> {
        let base = self.find_merge_base(ours, theirs)?;
        if let Err(too_large) = self.measure(base, theirs, bounds)? {
            return Ok(Err(too_large));
        }
        let failed = |source| Error::Read {
            what: format!("{ours} and {theirs}"),
            source,
        };
        let ours_commit = self.git.find_commit(oid(ours)).map_err(failed)?;
        let theirs_commit = self.git.find_commit(oid(theirs)).map_err(failed)?;
        let mut options = MergeOptions::new();
        options.recursion_limit(MAX_BASES);
        let merged = self
            .git
            .merge_commits(&ours_commit, &theirs_commit, Some(&options))
            .map_err(failed)?;
        if !merged.has_conflicts() {
            return Ok(Ok(None));
        }
        let mut paths = BTreeSet::new();
        for conflict in merged.conflicts().map_err(failed)? {
            let conflict = conflict.map_err(failed)?;
            let side = conflict.our.or(conflict.their).or(conflict.ancestor);
            paths.extend(side.map(|IndexEntry { path, .. }| path));
        }
        let named = paths.iter().take(NAMED);
        Ok(Ok(Some(Conflicts {
            paths: named
                .map(|path| String::from_utf8_lossy(path).into_owned())
                .collect(),
            count: paths.len(),
        })))
    }

    /// Checks that the whole difference between two commits is within bounds.
    fn measure(
        &self,
        base: Option<CommitSha>,
        head: CommitSha,
        bounds: Bounds,
    ) -> Result<Result<(), TooLarge>, Error> {
        match self.go_through(base, head, bounds) {
            Ok(()) => Ok(Ok(())),
            Err(Cut::TooLarge(too_large)) => Ok(Err(too_large)),
            Err(Cut::Failed(error)) => Err(error),
        }
    }

    fn go_through(
        &self,
        base: Option<CommitSha>,
        head: CommitSha,
        bounds: Bounds,
    ) -> Result<(), Cut> {
        let base = base.map(|base| self.tree_of(base)).transpose()?;
        let (mut entries, mut paths, mut bytes) = (0, 0, 0_u64);
        // The folder in `base`, the folder in `head`, its depth, and the length of its path.
        let mut open: Vec<(Option<Oid>, Oid, usize, usize)> =
            vec![(base.map(|tree| tree.id()), self.tree_of(head)?.id(), 0, 0)];
        while let Some((before, after, depth, length)) = open.pop() {
            let before = before.map(|id| self.tree(id)).transpose()?;
            for entry in &self.tree(after)? {
                self.go_on()?;
                let same = before
                    .as_ref()
                    .and_then(|tree| tree.get_name_bytes(entry.name_bytes()));
                if same.as_ref().is_some_and(|same| same.id() == entry.id()) {
                    continue;
                }
                let length = length + 1 + entry.name_bytes().len();
                entries += 1;
                paths += length;
                if entries > bounds.entries {
                    let limit = bounds.entries;
                    return Err(TooLarge::Entries { limit }.into());
                }
                if paths > MAX_PATHS {
                    return Err(TooLarge::Paths { limit: MAX_PATHS }.into());
                }
                match entry.kind() {
                    Some(ObjectType::Tree) if depth == MAX_DEPTH => {
                        return Err(TooLarge::Depth { limit: MAX_DEPTH }.into());
                    }
                    Some(ObjectType::Tree) => {
                        let same = same.filter(|same| same.kind() == Some(ObjectType::Tree));
                        open.push((same.map(|same| same.id()), entry.id(), depth + 1, length));
                    }
                    Some(ObjectType::Blob) => {
                        bytes = bytes.saturating_add(self.size(entry.id())? as u64);
                    }
                    // A submodule's commit is in another repository.
                    _ => {}
                }
                if bytes > bounds.bytes {
                    let limit = bounds.bytes;
                    return Err(TooLarge::Files { limit }.into());
                }
            }
        }
        Ok(())
    }
}
