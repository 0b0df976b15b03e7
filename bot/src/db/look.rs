//! Wishes to look at a target, and what pull requests were planned against.

use std::collections::BTreeSet;

use api::id::{Architecture, CommitSha, RecipeFolder, Sha256};
use jiff::{SignedDuration, Timestamp};
use moss_db::{Error, RwTxn};
use serde::{Deserialize, Serialize};

use super::{Tables, Write};
use crate::domain::build::{Conflict, Target};
use crate::domain::claim::Claim;
use crate::domain::name::RepositoryId;

/// A wish to look at a target again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// The repository.
    pub repository: RepositoryId,
    /// What to look at.
    pub target: Target,
    /// How many wishes came in.
    pub count: u64,
    /// How many looks at it in a row were begun and did not come back, because the process ended.
    #[serde(default)]
    pub unreturned: u32,
    /// When the last one was begun.
    #[serde(default)]
    pub begun_at: Option<Timestamp>,
    /// What the last one failed with, when it is to be repeated.
    #[serde(default)]
    pub failure: Option<LookFailure>,
}

/// A look that has to be repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookFailure {
    /// How many looks in a row failed.
    pub times: u32,
    /// What the last one failed with, for people.
    pub reason: String,
    /// When it is repeated; a new wish does not wait for that.
    pub again_at: Timestamp,
}

impl Look {
    /// How many looks may be cut off before the target is set aside.
    pub const MAX_UNRETURNED: u32 = 3;

    /// How long it is set aside then, until it is tried once more.
    const ASIDE: SignedDuration = SignedDuration::from_hours(1);

    /// The pause after the first look that failed; after each further one it is twice as long, …
    const FIRST_PAUSE: SignedDuration = SignedDuration::from_millis(250);

    /// … up to this.
    const LAST_PAUSE: SignedDuration = SignedDuration::from_mins(2);

    /// When it may be begun. One that did not come back too often is set aside: something in the
    /// target may be what ends the process, and then looking again at each start would keep
    /// everything else from being done.
    pub fn due_at(&self) -> Timestamp {
        let aside = (self.unreturned >= Self::MAX_UNRETURNED)
            .then_some(self.begun_at)
            .flatten()
            .map(|begun| begun.saturating_add(Self::ASIDE).unwrap_or(Timestamp::MAX));
        let again = self.failure.as_ref().map(|failure| failure.again_at);
        aside.max(again).unwrap_or(Timestamp::MIN)
    }

    /// True when it may be begun.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.due_at() <= now
    }

    /// Notes that the look failed at `now`.
    fn fail(&mut self, reason: String, now: Timestamp) {
        let before = self.failure.as_ref().map_or(0, |failure| failure.times);
        let pause = Self::FIRST_PAUSE
            .saturating_mul(2_i32.saturating_pow(before))
            .min(Self::LAST_PAUSE);
        self.failure = Some(LookFailure {
            times: before.saturating_add(1),
            reason,
            again_at: now.saturating_add(pause).unwrap_or(Timestamp::MAX),
        });
    }
}

/// What a pull request would be merged into, as it was when it was last looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// The head.
    pub head: CommitSha,
    /// The branch that it goes to.
    pub branch: String,
    /// That branch's head.
    pub tip: CommitSha,
    /// Where the two part; none when they have nothing in common.
    pub base: Option<CommitSha>,
    /// Why they cannot be merged, if that is so.
    pub conflict: Option<Conflict>,
}

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

/// The key of a target in `planned` and `looks`.
pub fn look_key(repository: RepositoryId, target: &Target) -> (u64, String) {
    (repository.number(), target.git_ref())
}

/// The key of a recipe's claim: a digest, because a folder can be longer than a key may be.
pub fn claim_key(
    repository: RepositoryId,
    target: &Target,
    folder: &RecipeFolder,
) -> (u64, [u8; 32]) {
    let text = format!("{}\n{folder}", target.git_ref());
    (repository.number(), *Sha256::of(text.as_bytes()).as_bytes())
}
