//! Asks GitHub at intervals, and at the start, for changes whose webhooks may have been lost.

mod absent;
mod turn;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use api::id::CommitSha;
use jiff::Timestamp;
use moss_db::{Error as StorageError, RoTxn};
use service::error::Chain;
use tokio::time::Instant;

use super::{Backoff, Summit, look};
use crate::config::Bot;
use crate::db::{Repository, Tables, Write, look_key};
use crate::domain::build::{Build, Hold, Target};
use crate::domain::name::RepositoryId;
use crate::domain::trust::Origin;
use crate::github::{self, Class, Pull};
pub use absent::{LetGoError, Missing};
use turn::Turns;

/// The longest pause before a requested sweep or a retry.
const MOST_PAUSE: Duration = Duration::from_secs(60);

pub(super) async fn work(summit: Arc<Summit>) {
    let pause = Duration::from_secs(summit.config.github.sweep_seconds.max(1));
    // Strangers can cause sweeps, by installing the public App, and so can outdated webhooks. Hence
    // the backoff.
    let mut backoff = Backoff::up_to(MOST_PAUSE.min(pause));
    let mut redelivered: Option<Instant> = None;
    let mut turns = Turns::default();
    loop {
        let was_suspended = summit.app.suspended_since().is_some();
        let swept = async {
            summit.sweep(&mut turns).await?;
            // Only regular sweeps read the deliveries: the list is long and has no ETag.
            if redelivered.is_none_or(|last| last.elapsed() >= pause) {
                summit.redeliver().await?;
                redelivered = Some(Instant::now());
            }
            Ok::<_, look::Error>(())
        };
        let swept = swept.await;
        let is_suspended = summit.app.suspended_since().is_some();
        if was_suspended && !is_suspended {
            summit.wakes.go_on();
        }
        match swept {
            Ok(()) => {}
            // No webhook may tell of its end.
            Err(_) if is_suspended => {
                backoff.wait().await;
                if !summit.wakes.sweep.is_woken_within(MOST_PAUSE).await {
                    backoff.reset();
                }
                continue;
            }
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "a sweep failed and is retried");
                backoff.wait().await;
                continue;
            }
        }
        backoff.wait().await;
        tokio::select! {
            () = summit.app.wait_for_suspension() => {}
            is_woken = summit.wakes.sweep.is_woken_within(pause) => if !is_woken {
                backoff.reset();
            }
        }
    }
}

impl Summit {
    /// Checks the list of repositories, and the branches and pull requests of those that it is the
    /// turn of.
    ///
    /// # Errors
    /// When GitHub or the database fails; earlier findings stay. If only one repository fails, the
    /// sweep skips it.
    async fn sweep(self: &Arc<Self>, turns: &mut Turns) -> Result<(), look::Error> {
        // A repository that is new since the list was requested is not gone, although the list
        // lacks it.
        let seen = self.seen_repositories().await?;
        let installation = self
            .app
            .find_installation(&self.config.github.organisation)
            .await?;
        let now = self.clock.now();
        let (mut found, mut marks) = (BTreeMap::new(), Vec::new());
        match installation {
            Some(installation) => {
                for (info, mark) in self.app.repositories(installation).await? {
                    marks.push((info.id, mark));
                    found.insert(info.id, info.into_row(installation));
                }
            }
            None => {
                // A wrong name in the configuration must not end everything that is under way.
                tracing::error!(
                    organisation = self.config.github.organisation,
                    "the App is not installed in the organisation; nothing is let go of"
                );
                return Ok(());
            }
        }
        self.keep_repositories(found.clone()).await?;
        self.settle_absent(&seen, &found).await?;
        let chosen = turns.choose(&marks);
        let marks: BTreeMap<RepositoryId, github::Mark> = marks.into_iter().collect();
        for id in chosen {
            let row = &found[&id];
            match self.sweep_repository(id, row).await {
                // Only when there is nothing to look at, GitHub and the database agree.
                Ok(Found::Nothing) => turns.note(id, &marks[&id], now),
                Ok(Found::Moved) => {}
                // The next repository would fail too.
                Err(
                    error @ look::Error::GitHub(
                        github::Error::RateLimited { .. } | github::Error::Suspended { .. },
                    ),
                ) => {
                    return Err(error);
                }
                Err(error) => {
                    tracing::warn!(repository.name = %row.name, error = %Chain(&error), "a repository was not swept");
                }
            }
        }
        Ok(())
    }

    /// Stores all of GitHub's repositories in one transaction. If each row were written only after
    /// the sweep of the one before, it could be outdated by then.
    async fn keep_repositories(
        &self,
        found: BTreeMap<RepositoryId, Repository>,
    ) -> Result<(), StorageError> {
        let (tables, now) = (self.tables.clone(), self.clock.now());
        self.submit(move |txn| {
            for (id, row) in found {
                keep_repository(&tables, txn, id, row, now)?;
            }
            Ok::<_, StorageError>(())
        })
        .await?;
        // A repository that is back has check runs that could not be written in the meantime.
        self.wakes.reconcile.wake();
        Ok(())
    }

    async fn sweep_repository(
        &self,
        id: RepositoryId,
        row: &Repository,
    ) -> Result<Found, look::Error> {
        let pulls = self.app.open_pulls(row).await?;
        let mut heads = BTreeMap::new();
        let branches = pulls.iter().map(|pull| &pull.base.branch);
        for branch in branches.chain([&row.default_branch]) {
            if !heads.contains_key(branch)
                && let Some(head) = self.app.find_branch_head(row, branch).await?
            {
                heads.insert(branch.clone(), head);
            }
        }
        let groups = self.app.merge_groups(row).await?;
        let tables = self.tables.clone();
        let default = row.default_branch.clone();
        let bots = self.config.github.bots.clone();
        let found = self
            .db
            .submit(move |txn| {
                let mut moved = moved_branches(&tables, txn, id, &default, &heads)?;
                moved.extend(moved_pulls(&tables, txn, id, &pulls)?);
                moved.extend(moved_groups(&tables, txn, id, &groups)?);
                let held = held_pulls(&tables, txn, id, &bots, &pulls)?;
                for target in moved.iter().chain(&held) {
                    tables.wish(txn, id, target)?;
                }
                Ok::<_, StorageError>(match moved.is_empty() {
                    true => Found::Nothing,
                    false => Found::Moved,
                })
            })
            .await?;
        self.wakes.looks.wake();
        Ok(found)
    }

    /// Asks GitHub to redeliver failed deliveries.
    async fn redeliver(&self) -> Result<(), look::Error> {
        for failed in self.app.failed_deliveries().await? {
            let tables = self.tables.clone();
            let guid = failed.guid.clone();
            let known = self
                .db
                .query(move |txn| tables.deliveries.contains(txn, &guid))
                .await?;
            if !known {
                tracing::info!(delivery.id = failed.guid, "asking for a delivery again");
                let turn = self.app.turn(Class::Progress).await?;
                match self.app.redeliver(turn, &failed).await {
                    // A delivery that GitHub refuses to send again must not stop the others.
                    Err(error @ github::Error::Refused { .. }) => {
                        tracing::warn!(delivery.id = failed.guid, error = %Chain(&error), "not delivered again");
                    }
                    asked => asked?,
                }
            }
        }
        Ok(())
    }
}

/// What a sweep found in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// All is as it was at the last look.
    Nothing,
    /// Something is to be looked at.
    Moved,
}

/// Writes a repository's row if it has changed. After a change of the default branch, the new
/// branch continues from the old one's last plan.
fn keep_repository(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    id: RepositoryId,
    row: Repository,
    now: Timestamp,
) -> Result<(), StorageError> {
    let before = tables.repositories.find(txn, &id.number())?;
    if before.as_ref() == Some(&row) {
        return Ok(());
    }
    tables.repositories.put(txn, &id.number(), &row)?;
    // A repository that is back has heads that could not be shown in the meantime.
    tables.note_open_heads(txn, id)?;
    if let Some(before) = before
        && before.default_branch != row.default_branch
    {
        tables.move_branch(txn, id, before.default_branch, row.default_branch, now)?;
    }
    Ok(())
}

/// The branches whose head has changed since the last look.
fn moved_branches(
    tables: &Tables,
    txn: &RoTxn<'_>,
    repository: RepositoryId,
    default: &str,
    heads: &BTreeMap<String, CommitSha>,
) -> Result<Vec<Target>, StorageError> {
    let mut moved = BTreeSet::new();
    for row in tables.merges.iter_prefix(txn, &repository.number())? {
        let (_, merge) = row?;
        if heads
            .get(&merge.branch)
            .is_some_and(|head| *head != merge.tip)
        {
            moved.insert(merge.branch);
        }
    }
    let published = Target::Branch {
        name: default.to_owned(),
    };
    let planned = tables
        .planned
        .find(txn, &look_key(repository, &published))?;
    if heads
        .get(default)
        .is_some_and(|head| planned != Some(*head))
    {
        moved.insert(default.to_owned());
    }
    let targets = moved.into_iter().map(|name| Target::Branch { name });
    Ok(targets.collect())
}

/// The pull requests that are held because of their author, who may have got write access since, or a
/// role in the configuration. No webhook reports that.
fn held_pulls(
    tables: &Tables,
    txn: &RoTxn<'_>,
    repository: RepositoryId,
    bots: &[Bot],
    open: &[Pull],
) -> Result<Vec<Target>, StorageError> {
    let mut held = tables.builds_set_aside(txn, repository)?;
    held.retain(|build| !build.permits_running());
    let targets: HashSet<&Target> = held.iter().map(|build| &build.target).collect();
    let own = open
        .iter()
        .filter(|pull| match (pull.origin(), &pull.user) {
            (Origin::Own, Some(author)) if author.is_bot() => {
                bots.iter().any(|bot| bot.may_write(author.id.number()))
            }
            (Origin::Own | Origin::AuthorsFork, Some(author)) => !author.is_bot(),
            (Origin::ForkOf(_) | Origin::Gone, _) | (_, None) => false,
        });
    let pulls = own.map(|pull| Target::Pull {
        number: pull.number,
    });
    Ok(pulls.filter(|target| targets.contains(target)).collect())
}

/// The merge groups that have come, changed or gone since the last look.
fn moved_groups(
    tables: &Tables,
    txn: &RoTxn<'_>,
    repository: RepositoryId,
    groups: &BTreeMap<String, CommitSha>,
) -> Result<Vec<Target>, StorageError> {
    let mut planned = BTreeMap::new();
    for entry in tables.planned.iter_prefix(txn, &repository.number())? {
        let ((_, git_ref), commit) = entry?;
        if let Some(Target::Group { name }) = Target::of_ref(&git_ref) {
            planned.insert(name, commit);
        }
    }
    let names: BTreeSet<&String> = groups.keys().chain(planned.keys()).collect();
    let moved = names
        .into_iter()
        .filter(|name| groups.get(*name) != planned.get(*name));
    Ok(moved.map(|name| Target::of_branch(name)).collect())
}

/// True when builds of a pull request wait because it was a draft.
fn is_held_as_draft(
    tables: &Tables,
    txn: &RoTxn<'_>,
    repository: RepositoryId,
    target: &Target,
) -> Result<bool, StorageError> {
    let builds = tables.builds_of(txn, repository, target)?;
    let is_draft = |build: &Build| matches!(build.state.find_hold(), Some(Hold::Draft));
    Ok(builds.iter().any(is_draft))
}

/// The pull requests that have changed since the last look: pushed to, another base branch, closed.
fn moved_pulls(
    tables: &Tables,
    txn: &RoTxn<'_>,
    repository: RepositoryId,
    open: &[Pull],
) -> Result<Vec<Target>, StorageError> {
    let mut moved = Vec::new();
    let mut numbers = HashSet::new();
    for pull in open {
        let number = pull.number;
        let target = Target::Pull { number };
        numbers.insert(number);
        let planned = tables.planned.find(txn, &look_key(repository, &target))?;
        let merge = tables.merges.find(txn, &(repository.number(), number))?;
        let is_ready = !pull.draft && is_held_as_draft(tables, txn, repository, &target)?;
        if planned != Some(pull.head.sha)
            || is_ready
            || merge.is_none_or(|merge| merge.branch != pull.base.branch)
        {
            moved.push(target);
        }
    }
    for entry in tables.planned.iter_prefix(txn, &repository.number())? {
        let ((_, git_ref), _) = entry?;
        if let Some(target @ Target::Pull { number }) = Target::of_ref(&git_ref)
            && !numbers.contains(&number)
        {
            moved.push(target);
        }
    }
    Ok(moved)
}

#[cfg(test)]
mod tests;
