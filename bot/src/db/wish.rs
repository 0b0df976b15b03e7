//! Requests for looks, and the bookkeeping of looks.

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
    /// Requests a look at a target.
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
        // A wish usually follows a message from GitHub, so GitHub may be reachable again: do not
        // pause.
        look.failure = None;
        self.looks.put(txn, &key, &look)
    }

    /// Moves all records from the old default branch to the new one: the planned commit, the
    /// claims, and the builds that are not settled. The branch was renamed, or another branch
    /// became the default.
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

    /// Sets the profiles for which branches are planned. A new profile is noted as unplanned for
    /// all branches, with a wish for a look at each. The look plans the builds that the channel
    /// lacks for it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn plan_for(&self, txn: &mut RwTxn<'_>, profiles: &[Architecture]) -> Result<(), Error> {
        let known = self.profiles.iter(txn)?.keys();
        let known = known.collect::<Result<BTreeSet<String>, Error>>()?;
        let wanted: BTreeSet<String> = profiles.iter().map(ToString::to_string).collect();
        // A profile that comes back later missed changes, so it has to count as new then.
        for gone in known.difference(&wanted) {
            self.profiles.delete(txn, gone)?;
        }
        let new: Vec<Architecture> = profiles
            .iter()
            .filter(|profile| !known.contains(profile.as_str()))
            .cloned()
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        for profile in &new {
            self.profiles.put(txn, &profile.to_string(), &())?;
        }
        let rows = self.planned.iter(txn)?.keys();
        let rows = rows.collect::<Result<Vec<_>, Error>>()?;
        for key in rows {
            if let Some(name) = key.1.strip_prefix("refs/heads/") {
                let mut profiles = self.unplanned.find(txn, &key)?.unwrap_or_default();
                profiles.extend(new.iter().cloned());
                profiles.sort();
                profiles.dedup();
                self.unplanned.put(txn, &key, &profiles)?;
                let name = name.to_owned();
                self.wish(txn, RepositoryId::new(key.0), &Target::Branch { name })?;
            }
        }
        Ok(())
    }

    /// Records the start of a look, before it runs; none when there is no wish for it any more.
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

    /// Records that a look failed. Its process survived, so it does not count as unreturned. A new
    /// wish that came during the look is due at once.
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

    /// Records that a look has ended without killing the process, if there is still a wish for it.
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
