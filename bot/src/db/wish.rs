//! Requests for looks, and the bookkeeping of looks.

use std::collections::BTreeSet;

use api::id::Architecture;
use jiff::Timestamp;
use moss_db::{Error, RwTxn};

use super::key::look_key;
use super::look::{Look, Reported};
use super::tables::Tables;
use crate::domain::build::Target;
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
            heads: Vec::new(),
        });
        look.count += 1;
        // A wish usually follows a message from GitHub, so GitHub may be reachable again: do not
        // pause.
        look.failure = None;
        self.looks.put(txn, &key, &look)
    }

    /// Adds a head that a webhook reported to the wish of its target.
    ///
    /// # Errors
    /// When the database fails.
    pub fn report_head(
        &self,
        txn: &mut RwTxn<'_>,
        repository: RepositoryId,
        target: &Target,
        head: Reported,
    ) -> Result<(), Error> {
        let key = look_key(repository, target);
        if let Some(mut look) = self.looks.find(txn, &key)? {
            look.report(head);
            self.looks.put(txn, &key, &look)?;
        }
        Ok(())
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
            if let Some(target @ Target::Branch { .. }) = Target::of_ref(&key.1) {
                let mut profiles = self.unplanned.find(txn, &key)?.unwrap_or_default();
                profiles.extend(new.iter().cloned());
                profiles.sort();
                profiles.dedup();
                self.unplanned.put(txn, &key, &profiles)?;
                self.wish(txn, RepositoryId::new(key.0), &target)?;
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
