//! Having targets looked at again.

use std::collections::BTreeSet;

use api::id::Architecture;
use jiff::Timestamp;
use moss_db::{Error, RwTxn};

use super::key::{claim_key, look_key};
use super::look::Look;
use super::tables::Tables;
use super::write::Write;
use crate::domain::build::Target;
use crate::domain::claim::Claim;
use crate::domain::name::RepositoryId;

impl Tables {
    /// Wishes for a look at a target.
    ///
    /// # Errors
    /// When the database fails.
    pub fn wish(
        &self,
        txn: &mut RwTxn<'_>,
        repository: RepositoryId,
        target: &Target,
    ) -> Result<(), Error> {
        let key = look_key(repository, target);
        let look = self.looks.find(txn, &key)?;
        let mut look = look.unwrap_or_else(|| Look {
            repository,
            target: target.clone(),
            count: 0,
            unreturned: 0,
            begun_at: None,
            failure: None,
        });
        look.count += 1;
        // Whatever was in the way may be gone: that something came from GitHub speaks for it.
        look.failure = None;
        self.looks.put(txn, &key, &look)
    }

    /// The published branch of a repository has another name now, or is another branch: what was
    /// planned and is claimed of the old one is the new one's, and its builds under way are.
    ///
    /// # Errors
    /// When the database fails.
    pub fn move_branch(
        &self,
        txn: &mut Write<'_, '_>,
        repository: RepositoryId,
        from: String,
        to: String,
    ) -> Result<(), Error> {
        let (from, to) = (Target::Branch { name: from }, Target::Branch { name: to });
        let (old, new) = (look_key(repository, &from), look_key(repository, &to));
        // What is published is what was planned last, whatever was planned of the new one before.
        let planned = self.planned.find(txn, &old)?;
        self.planned.delete(txn, &old)?;
        self.planned.delete(txn, &new)?;
        if let Some(commit) = planned {
            self.planned.put(txn, &new, &commit)?;
        }
        for build in self.builds_of(txn, repository, &from)? {
            self.move_build(txn, build, to.clone())?;
        }
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

    /// Notes for which profiles branches are planned from now on. When one of them is new, branches are
    /// looked at anew, which plans what the channel lacks of it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn plan_for(&self, txn: &mut RwTxn<'_>, profiles: &[Architecture]) -> Result<(), Error> {
        let known = self.profiles.iter(txn)?.keys();
        let known = known.collect::<Result<BTreeSet<String>, Error>>()?;
        let wanted: BTreeSet<String> = profiles.iter().map(ToString::to_string).collect();
        // One that comes back was not planned for meanwhile.
        for gone in known.difference(&wanted) {
            self.profiles.delete(txn, gone)?;
        }
        if wanted.is_subset(&known) {
            return Ok(());
        }
        for profile in &wanted {
            self.profiles.put(txn, profile, &())?;
        }
        let rows = self.planned.iter(txn)?.keys();
        let rows = rows.collect::<Result<Vec<_>, Error>>()?;
        for key in rows {
            if let Some(name) = key.1.strip_prefix("refs/heads/") {
                self.planned.delete(txn, &key)?;
                let name = name.to_owned();
                self.wish(txn, RepositoryId::new(key.0), &Target::Branch { name })?;
            }
        }
        Ok(())
    }

    /// Notes that a look begins, before it does. None when nobody wishes for it any more.
    ///
    /// # Errors
    /// When the database fails.
    pub fn begin_look(
        &self,
        txn: &mut RwTxn<'_>,
        key: &(u64, String),
        now: Timestamp,
    ) -> Result<Option<Look>, Error> {
        let Some(mut look) = self.looks.find(txn, key)? else {
            return Ok(None);
        };
        look.unreturned += 1;
        look.begun_at = Some(now);
        self.looks.put(txn, key, &look)?;
        Ok(Some(look))
    }

    /// Notes that a look failed, which came back therefore, if it is still wished for. One that was
    /// wished for meanwhile is begun anew at once.
    ///
    /// # Errors
    /// When the database fails.
    pub fn fail_look(
        &self,
        txn: &mut RwTxn<'_>,
        look: &Look,
        reason: String,
        now: Timestamp,
    ) -> Result<(), Error> {
        let key = look_key(look.repository, &look.target);
        let Some(mut found) = self.looks.find(txn, &key)? else {
            return Ok(());
        };
        found.unreturned = 0;
        if found.count == look.count {
            found.fail(reason, now);
        }
        self.looks.put(txn, &key, &found)
    }

    /// Notes that a look came back, if it is still wished for.
    ///
    /// # Errors
    /// When the database fails.
    pub fn end_look(&self, txn: &mut RwTxn<'_>, key: &(u64, String)) -> Result<(), Error> {
        match self.looks.find(txn, key)? {
            Some(look) if look.unreturned > 0 => {
                let unreturned = 0;
                self.looks.put(txn, key, &Look { unreturned, ..look })
            }
            Some(_) | None => Ok(()),
        }
    }
}
