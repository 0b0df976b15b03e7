//! Another default branch: the branch was renamed, or another one became the default.
//!
//! What can still move goes over at once. Settled builds can be many, so they follow in parts; until
//! then the old branch has a row in `moves`.

use jiff::Timestamp;
use moss_db::{Error, RoTxn};

use super::key::{claim_key, look_key, target_key};
use super::tables::Tables;
use super::write::Write;
use crate::domain::build::Target;
use crate::domain::claim::Claim;
use crate::domain::name::RepositoryId;

impl Tables {
    /// Moves all records from the old default branch to the new one: the planned commit, the head,
    /// the claims, and the builds that are not settled. The settled ones follow; see
    /// [`Self::move_settled`].
    ///
    /// # Errors
    /// When the database fails.
    pub fn move_branch(
        &self,
        txn: &mut Write<'_, '_>,
        repository: RepositoryId,
        from: String,
        to: String,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.note_move(txn, repository, &from, &to)?;
        let (from, to) = (Target::Branch { name: from }, Target::Branch { name: to });
        let (old, new) = (look_key(repository, &from), look_key(repository, &to));
        // The channel has what was planned of the old branch, so that commit is the base of the
        // next look.
        let planned = self.planned.find(txn, &old)?;
        self.planned.delete(txn, &old)?;
        self.planned.delete(txn, &new)?;
        if let Some(commit) = planned {
            self.planned.put(txn, &new, &commit)?;
        }
        for build in self.builds_of(txn, repository, &from)? {
            self.move_build(txn, build, to.clone())?;
        }
        self.rename_heads(txn, repository, &from, &to, now)?;
        let rows = self.claims.iter_prefix(txn, &repository.number())?;
        let rows = rows.collect::<Result<Vec<_>, Error>>()?;
        for (key, claim) in rows {
            self.claims.delete(txn, &key)?;
            let branch = to.to_string();
            let key = claim_key(repository, &to, &claim.folder);
            self.claims.put(txn, &key, &Claim { branch, ..claim })?;
        }
        self.wish(txn, repository, &to)
    }

    /// Remembers that settled builds have to follow. Earlier moves go on to the newest branch.
    fn note_move(
        &self,
        txn: &mut Write<'_, '_>,
        repository: RepositoryId,
        from: &str,
        to: &str,
    ) -> Result<(), Error> {
        let rows = self.moves.iter_prefix(txn, &repository.number())?;
        let mut sources = rows.keys().collect::<Result<Vec<_>, Error>>()?;
        sources.push((repository.number(), from.to_owned()));
        for source in sources {
            match source.1 == to {
                true => drop(self.moves.delete(txn, &source)?),
                false => self.moves.put(txn, &source, &to.to_owned())?,
            }
        }
        Ok(())
    }

    /// Moves the next settled builds of an old default branch, at most `most`. False when none is
    /// left.
    ///
    /// # Errors
    /// When the database fails.
    pub fn move_settled(
        &self,
        txn: &mut Write<'_, '_>,
        repository: RepositoryId,
        most: usize,
    ) -> Result<bool, Error> {
        let mut rows = self.moves.iter_prefix(txn, &repository.number())?;
        let Some((source, to)) = rows.next().transpose()? else {
            return Ok(false);
        };
        drop(rows);
        let (name, to) = (source.1.clone(), Target::Branch { name: to });
        let from = target_key(repository, &Target::Branch { name });
        let ids = self.builds_of_target.keys(txn, &from)?.take(most);
        let ids = ids.collect::<Result<Vec<_>, Error>>()?;
        let mut moved = 0;
        for id in &ids {
            match self.find_build(txn, *id) {
                Ok(Some(build)) => {
                    self.move_build(txn, build, to.clone())?;
                    moved += 1;
                }
                Ok(None) => {}
                // It stays where it is until an operator sets it aside.
                Err(error) if error.is_of_a_row() => {}
                Err(error) => return Err(error),
            }
        }
        if moved == 0 {
            self.moves.delete(txn, &source)?;
        }
        Ok(true)
    }

    /// True when settled builds still have to follow to the default branch.
    ///
    /// # Errors
    /// When the database fails.
    pub fn has_moves(&self, txn: &RoTxn<'_>, repository: RepositoryId) -> Result<bool, Error> {
        let mut rows = self.moves.iter_prefix(txn, &repository.number())?;
        Ok(rows.next().transpose()?.is_some())
    }
}
