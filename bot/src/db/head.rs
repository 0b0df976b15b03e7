//! Heads, and which of them GitHub may not show as they are.
//!
//! A change of a head, or of a build at it, counts the head's row in `heads_open` up. The row goes
//! when GitHub shows a conclusion, if nothing was counted meanwhile. So a crash loses no change.

use api::id::CommitSha;
use jiff::Timestamp;
use moss_db::{Error, RoTxn};

use super::key::{look_key, target_key};
use super::tables::Tables;
use super::write::Write;
use crate::domain::build::{Shown, Target};
use crate::domain::head::{Head, HeadId, HeadTarget};
use crate::domain::name::RepositoryId;

/// A head whose check run says what it should, and is concluded.
#[derive(Debug, Clone, Copy)]
pub struct Settled {
    /// How often something had changed when that was computed.
    pub changes: u64,
    /// True when none of its builds can go on.
    pub is_over: bool,
}

fn key(id: HeadId) -> (u64, CommitSha) {
    (id.repository.number(), id.commit)
}

impl Tables {
    /// A head, and how often something changed of it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn find_head(&self, txn: &RoTxn<'_>, id: HeadId) -> Result<Option<(Head, u64)>, Error> {
        let Some(head) = self.heads.find(txn, &key(id))? else {
            return Ok(None);
        };
        let changes = self.heads_open.find(txn, &key(id))?;
        let changes = changes.unwrap_or(head.shown.seq);
        Ok(Some((head, changes)))
    }

    /// The heads of a target: the present one, and while that is being planned no other.
    ///
    /// # Errors
    /// When the database fails.
    pub fn head_of(
        &self,
        txn: &RoTxn<'_>,
        repository: RepositoryId,
        target: &Target,
    ) -> Result<Option<(HeadId, HeadTarget)>, Error> {
        let place = target_key(repository, target);
        for head in self.heads_by_target.keys(txn, &place)? {
            let (_, commit) = head?;
            let id = HeadId { repository, commit };
            let row = self.heads.find(txn, &key(id))?;
            if let Some(of) = row.as_ref().and_then(|head| head.find(target)) {
                return Ok(Some((id, of.clone())));
            }
        }
        Ok(None)
    }

    /// When a commit became the head of a target, as far as summit knows.
    ///
    /// # Errors
    /// When the database fails.
    pub fn head_since(
        &self,
        txn: &RoTxn<'_>,
        repository: RepositoryId,
        target: &Target,
        commit: CommitSha,
    ) -> Result<Option<Timestamp>, Error> {
        let head = self.heads.find(txn, &key(HeadId { repository, commit }))?;
        let planned = head.as_ref().and_then(|head| head.find(target)?.since);
        if planned.is_some() {
            return Ok(planned);
        }
        let look = self.looks.find(txn, &look_key(repository, target))?;
        Ok(look.and_then(|look| look.since(commit)))
    }

    /// Makes `commit` the head of a target. What it headed before is no head of the target any more.
    ///
    /// # Errors
    /// When the database fails.
    pub fn put_head(
        &self,
        txn: &mut Write<'_, '_>,
        id: HeadId,
        of: HeadTarget,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.leave_heads(txn, id.repository, &of.target, Some(id.commit))?;
        let head = self.heads.find(txn, &key(id))?;
        let is_new = head.is_none();
        let mut head = head.unwrap_or_else(|| Head::new(now));
        if head.put(of) || is_new {
            self.heads.put(txn, &key(id), &head)?;
            self.touch_head(txn, id)?;
        }
        Ok(())
    }

    /// Removes a target that is closed or gone from its head.
    ///
    /// # Errors
    /// When the database fails.
    pub fn drop_head(
        &self,
        txn: &mut Write<'_, '_>,
        repository: RepositoryId,
        target: &Target,
    ) -> Result<(), Error> {
        self.leave_heads(txn, repository, target, None)
    }

    /// Removes a target from all heads except `but`.
    fn leave_heads(
        &self,
        txn: &mut Write<'_, '_>,
        repository: RepositoryId,
        target: &Target,
        but: Option<CommitSha>,
    ) -> Result<(), Error> {
        let place = target_key(repository, target);
        let heads = self.heads_by_target.keys(txn, &place)?;
        let heads = heads.collect::<Result<Vec<_>, Error>>()?;
        for (_, commit) in heads {
            let id = HeadId { repository, commit };
            if Some(commit) == but {
                continue;
            }
            if let Some(mut head) = self.heads.find(txn, &key(id))?
                && head.remove(target)
            {
                self.heads.put(txn, &key(id), &head)?;
                self.touch_head(txn, id)?;
            }
        }
        Ok(())
    }

    /// Gives the heads of a renamed branch their new target.
    ///
    /// # Errors
    /// When the database fails.
    pub fn rename_heads(
        &self,
        txn: &mut Write<'_, '_>,
        repository: RepositoryId,
        from: &Target,
        to: &Target,
        now: Timestamp,
    ) -> Result<(), Error> {
        if let Some((id, of)) = self.head_of(txn, repository, from)? {
            self.drop_head(txn, repository, from)?;
            let target = to.clone();
            self.put_head(txn, id, HeadTarget { target, ..of }, now)?;
        }
        Ok(())
    }

    /// Counts a change of a head, if the commit is one. The count goes on from what GitHub shows, so
    /// that no later state has the number of an earlier one.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) fn touch_head(&self, txn: &mut Write<'_, '_>, id: HeadId) -> Result<(), Error> {
        let changes = match self.heads_open.find(txn, &key(id))? {
            Some(changes) => changes,
            None => match self.heads.find(txn, &key(id))? {
                Some(head) => head.shown.seq,
                None => return Ok(()),
            },
        };
        self.heads_open.put(txn, &key(id), &(changes + 1))?;
        txn.note_head(id);
        Ok(())
    }

    /// Stores what GitHub shows of a head. One that is `settled` needs no further write, unless
    /// something changed meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub fn put_shown_head(
        &self,
        txn: &mut Write<'_, '_>,
        id: HeadId,
        shown: Shown,
        settled: Option<Settled>,
    ) -> Result<(), Error> {
        let Some((mut head, changes)) = self.find_head(txn, id)? else {
            return Ok(());
        };
        head.shown = shown;
        let settled = settled.filter(|settled| settled.changes == changes);
        let is_settled = settled.is_some();
        let is_over = settled.is_some_and(|settled| settled.is_over);
        if is_settled {
            self.heads_open.delete(txn, &key(id))?;
        }
        match head.targets.is_empty() && is_over {
            true => drop(self.heads.delete(txn, &key(id))?),
            false => self.heads.put(txn, &key(id), &head)?,
        }
        Ok(())
    }

    /// The heads that GitHub may not show as they are. Called once, at the start of summit.
    ///
    /// # Errors
    /// When the database fails.
    pub fn open_heads(&self, txn: &RoTxn<'_>) -> Result<Vec<HeadId>, Error> {
        let keys = self.heads_open.iter(txn)?.keys();
        let ids = keys.map(|key| {
            let (repository, commit) = key?;
            let repository = RepositoryId::new(repository);
            Ok(HeadId { repository, commit })
        });
        ids.collect()
    }

    /// The heads that GitHub does not show as they are, in repositories that the App can see.
    ///
    /// # Errors
    /// When the database fails.
    pub fn unshown_heads(&self, txn: &RoTxn<'_>) -> Result<Vec<HeadId>, Error> {
        let mut unshown = Vec::new();
        for row in self.heads_open.iter(txn)? {
            let (key, changes) = row?;
            let repository = self.repositories.find(txn, &key.0)?;
            if repository.is_none_or(|row| row.gone_at.is_some()) {
                continue;
            }
            let head = self.heads.find(txn, &key)?;
            if head.is_some_and(|head| head.shown.seq != changes) {
                let (repository, commit) = (RepositoryId::new(key.0), key.1);
                unshown.push(HeadId { repository, commit });
            }
        }
        Ok(unshown)
    }

    /// Notes the open heads of a repository, so that they are shown.
    ///
    /// # Errors
    /// When the database fails.
    pub fn note_open_heads(
        &self,
        txn: &mut Write<'_, '_>,
        repository: RepositoryId,
    ) -> Result<(), Error> {
        let rows = self.heads_open.iter_prefix(txn, &repository.number())?;
        let keys = rows.keys().collect::<Result<Vec<_>, Error>>()?;
        for (_, commit) in keys {
            txn.note_head(HeadId { repository, commit });
        }
        Ok(())
    }

    /// Takes all targets of a repository that is gone from their heads. No check run can be written
    /// there; one that is open is concluded if the repository comes back.
    ///
    /// # Errors
    /// When the database fails.
    pub fn let_go_of_heads(
        &self,
        txn: &mut Write<'_, '_>,
        repository: RepositoryId,
    ) -> Result<(), Error> {
        let rows = self.heads.iter_prefix(txn, &repository.number())?;
        let rows = rows.collect::<Result<Vec<_>, Error>>()?;
        for (key, mut head) in rows {
            if head.shown.run.is_none() || head.shown.concluded {
                self.heads.delete(txn, &key)?;
                self.heads_open.delete(txn, &key)?;
                continue;
            }
            head.targets.clear();
            self.heads.put(txn, &key, &head)?;
            let commit = key.1;
            self.touch_head(txn, HeadId { repository, commit })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
