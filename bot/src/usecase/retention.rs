//! Forgets what is old: first logs, then builds. Logs are also removed when they exceed their
//! limit.
//!
//! Each pass visits the builds from the oldest on, in transactions of bounded size. A build's row
//! says that its logs are gone before the files are removed. A file is removed only if its build is
//! gone or says so. So the next pass finishes an interrupted one.

mod files;

use std::sync::Arc;
use std::time::Duration;

use api::id::BuildId;
use jiff::{SignedDuration, Timestamp};
use moss_db::{Error as StorageError, RoTxn, RwTxn};
use service::error::Chain;

use super::Summit;
use crate::config::Retention;
use crate::db::{Command, RecipePlace, Tables, Write, look_key};
use crate::domain::build::{Build, State};
use crate::domain::retention::{Keep, Relevance, Verdict, judge};

/// How many rows one transaction visits.
const BATCH: usize = 256;

/// How long deliveries and commands are remembered. GitHub redelivers for three days.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The interval of passes.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The pause after a failed pass.
const RETRY: Duration = Duration::from_secs(600);

/// Why a pass was interrupted.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("cannot tidy up the logs")]
    Files(#[from] std::io::Error),
}

pub(super) async fn work(summit: Arc<Summit>) {
    loop {
        let pause = match summit.forget().await {
            Ok(()) => DAY,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "the retention pass failed");
                RETRY
            }
        };
        tokio::time::sleep(pause).await;
    }
}

impl Summit {
    /// Runs one pass. A step that fails does not stop the others.
    async fn forget(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let steps = [
            self.forget_builds(now).await.map_err(Error::from),
            self.forget_commands(now).await.map_err(Error::from),
            self.forget_deliveries(now).await.map_err(Error::from),
            self.bound_logs(now).await,
            self.remove_files().await,
        ];
        let failed = steps.iter().filter_map(|step| step.as_ref().err());
        for error in failed.skip(1) {
            tracing::error!(error = %Chain(error), "another step of the retention pass failed");
        }
        steps.into_iter().collect()
    }

    async fn forget_builds(&self, now: Timestamp) -> Result<(), StorageError> {
        let keep = keep(self.config.retention);
        let mut cursor = None;
        loop {
            let tables = self.tables.clone();
            let swept = self
                .submit(move |txn| sweep(&tables, txn, cursor, keep, now))
                .await?;
            swept.log();
            cursor = swept.last;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    async fn forget_commands(&self, now: Timestamp) -> Result<(), StorageError> {
        let tables = self.tables.clone();
        self.db
            .submit(move |txn| forget_commands(&tables, txn, now))
            .await
    }

    async fn forget_deliveries(&self, now: Timestamp) -> Result<(), StorageError> {
        loop {
            let tables = self.tables.clone();
            let forget = move |txn: &mut RwTxn<'_>| forget_deliveries(&tables, txn, now);
            if self.db.submit(forget).await? == 0 {
                return Ok(());
            }
        }
    }
}

fn keep(retention: Retention) -> Keep {
    let days = |days: u32| SignedDuration::from_hours(i64::from(days) * 24);
    Keep {
        logs: days(retention.log_days),
        builds: days(retention.build_days),
    }
}

/// What one transaction of a pass did.
#[derive(Debug, Default, PartialEq, Eq)]
struct Swept {
    dropped: usize,
    forgotten: usize,
    /// The last visited build; `None` when all younger builds are too young.
    last: Option<BuildId>,
}

impl Swept {
    fn log(&self) {
        if self.dropped + self.forgotten > 0 {
            tracing::info!(
                builds = self.forgotten,
                logs = self.dropped,
                "forgetting what is old"
            );
        }
    }
}

/// Visits the builds after `cursor`.
fn sweep(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    cursor: Option<BuildId>,
    keep: Keep,
    now: Timestamp,
) -> Result<Swept, StorageError> {
    let (batch, next) = tables.oldest_builds(txn, cursor, BATCH)?;
    let youngest = now - keep.logs.min(keep.builds);
    let mut swept = Swept::default();
    for build in &batch {
        // Ids are in the order of creation.
        if build.created_at > youngest {
            return Ok(swept);
        }
        let relevance = relevance(tables, txn, build)?;
        match judge(build, relevance, keep, now) {
            Verdict::Keep => {}
            Verdict::DropLogs => {
                drop_logs(tables, txn, build.clone(), now)?;
                swept.dropped += 1;
            }
            Verdict::Forget => {
                tables.forget_build(txn, build.id)?;
                swept.forgotten += 1;
            }
        }
    }
    swept.last = next;
    Ok(swept)
}

/// Deletes the oldest deliveries, also those that cannot be read, and returns how many.
fn forget_deliveries(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    now: Timestamp,
) -> Result<usize, StorageError> {
    let before = (now - REMEMBERED).as_second();
    let mut old = Vec::new();
    for entry in tables.deliveries_by_time.iter(txn)?.take(BATCH) {
        match entry? {
            (time, guid) if time < before => old.push(guid),
            _ => break,
        }
    }
    let mut forgotten = 0;
    for guid in &old {
        let is_deleted = match tables.deliveries.delete(txn, guid) {
            Err(error) if error.is_of_a_row() => tables.deliveries.tear_out(txn, guid)?.is_some(),
            row => row?.is_some(),
        };
        forgotten += usize::from(is_deleted);
        tables.bodies.delete(txn, guid)?;
    }
    Ok(forgotten)
}

/// Deletes commands that were answered long ago. Until then summit recognises a command by its
/// comment, even when GitHub redelivers it.
fn forget_commands(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    now: Timestamp,
) -> Result<(), StorageError> {
    let rows: Vec<_> = tables.commands.iter(txn)?.collect();
    for row in rows {
        let (key, command) = match row {
            Err(error) if error.is_of_a_row() => {
                tracing::error!(error = %Chain(&error), "a command cannot be read");
                continue;
            }
            row => row?,
        };
        match command.taken_at {
            Some(taken_at) if now.duration_since(taken_at) < REMEMBERED => {}
            Some(_) if command.answered => drop(tables.commands.delete(txn, &key)?),
            Some(_) => {}
            // A row from an older version has no time, so its time begins now.
            None => {
                let taken_at = Some(now);
                tables.commands.put(
                    txn,
                    &key,
                    &Command {
                        taken_at,
                        ..command
                    },
                )?;
            }
        }
    }
    Ok(())
}

/// Stores that the logs of a build are gone. The files are removed later.
fn drop_logs(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    mut build: Build,
    now: Timestamp,
) -> Result<(), StorageError> {
    build.logs_removed_at = Some(now);
    tables.put_build(txn, &build)
}

fn relevance(tables: &Tables, txn: &RoTxn<'_>, build: &Build) -> Result<Relevance, StorageError> {
    if tables.is_named(txn, build.id)? {
        return Ok(Relevance::Named);
    }
    let repository = tables.repositories.find(txn, &build.repository.number())?;
    if repository.is_some_and(|repository| repository.gone_at.is_some()) {
        return Ok(Relevance::Gone);
    }
    // A closed pull request has no present builds.
    let place = look_key(build.repository, &build.target);
    if !build.target.is_published() && !tables.planned.contains(txn, &place)? {
        return Ok(Relevance::Past);
    }
    let mut newer = tables.builds_of_recipe(txn, RecipePlace::from(&*build.plan))?;
    newer.retain(|id| *id > build.id);
    if newer.is_empty() {
        return Ok(Relevance::Present);
    }
    if !matches!(build.state, State::Published { .. }) {
        return Ok(Relevance::Past);
    }
    for id in newer {
        let newer = tables.find_build(txn, id)?;
        if newer.is_some_and(|newer| matches!(newer.state, State::Published { .. })) {
            return Ok(Relevance::Past);
        }
    }
    Ok(Relevance::Present)
}

#[cfg(test)]
mod tests;
