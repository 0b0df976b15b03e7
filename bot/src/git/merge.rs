//! Whether two commits can be merged.

use std::collections::BTreeSet;

use api::id::CommitSha;
use git2::{IndexEntry, MergeOptions};

use super::mirror::{Error, Mirror, oid};

/// How many paths are named.
const NAMED: usize = 20;

/// The paths on which two commits cannot be merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflicts {
    /// Some of the paths, sorted; what is not UTF-8 is replaced.
    pub paths: Vec<String>,
    /// How many there are.
    pub count: usize,
}

impl Mirror {
    /// Where a merge of `theirs` into `ours` conflicts; none when it does not. Nothing is written.
    ///
    /// # Errors
    /// When an object is missing.
    pub fn find_conflicts(
        &self,
        ours: CommitSha,
        theirs: CommitSha,
    ) -> Result<Option<Conflicts>, Error> {
        let failed = |source| Error::Read {
            what: format!("{ours} and {theirs}"),
            source,
        };
        let ours_commit = self.git.find_commit(oid(ours)).map_err(failed)?;
        let theirs_commit = self.git.find_commit(oid(theirs)).map_err(failed)?;
        let merged = self
            .git
            .merge_commits(&ours_commit, &theirs_commit, Some(&MergeOptions::new()))
            .map_err(failed)?;
        if !merged.has_conflicts() {
            return Ok(None);
        }
        let mut paths = BTreeSet::new();
        for conflict in merged.conflicts().map_err(failed)? {
            let conflict = conflict.map_err(failed)?;
            let side = conflict.our.or(conflict.their).or(conflict.ancestor);
            paths.extend(side.map(|IndexEntry { path, .. }| path));
        }
        let named = paths.iter().take(NAMED);
        Ok(Some(Conflicts {
            paths: named
                .map(|path| String::from_utf8_lossy(path).into_owned())
                .collect(),
            count: paths.len(),
        }))
    }
}
