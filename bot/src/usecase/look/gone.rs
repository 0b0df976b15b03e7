//! Repositories that the App cannot see any more: deleted, moved, or without the App.
//!
//! summit ends such a repository's builds, frees its names, and plans nothing of it. When the App
//! sees it again, it is treated like a new one.

use std::sync::Arc;

use jiff::Timestamp;

use super::commit::give_up;
use super::released::Released;
use super::{Error, Summit, names};
use crate::db::{ChangeError, Repository, Tables, Write};
use crate::domain::build::{By, Event};
use crate::domain::claim::Names;
use crate::domain::name::RepositoryId;

impl Summit {
    /// The repositories that the App could see when it listed them last.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::usecase) async fn seen_repositories(
        &self,
    ) -> Result<Vec<(RepositoryId, Repository)>, moss_db::Error> {
        let tables = self.tables.clone();
        self.db
            .query(move |txn| {
                let mut seen = Vec::new();
                for row in tables.repositories.iter(txn)? {
                    let (id, repository) = row?;
                    if repository.gone_at.is_none() {
                        seen.push((RepositoryId::new(id), repository));
                    }
                }
                Ok(seen)
            })
            .await
    }

    /// Ends the builds of a repository that the App cannot see, and frees its names.
    ///
    /// # Errors
    /// When the database fails, or the channel cannot be read. The channel decides what becomes of
    /// recipes that take a freed name.
    pub(in crate::usecase) async fn let_go(
        self: &Arc<Self>,
        repository: RepositoryId,
    ) -> Result<(), Error> {
        let released = self.released().await?;
        let (tables, now) = (self.tables.clone(), self.clock.now());
        self.submit(move |txn| let_go(&tables, txn, repository, now, &released))
            .await?;
        tracing::warn!(
            repository.id = repository.number(),
            "the App cannot see the repository any more"
        );
        Ok(())
    }
}

fn let_go(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    repository: RepositoryId,
    now: Timestamp,
    released: &Released,
) -> Result<(), ChangeError> {
    let number = repository.number();
    let Some(mut row) = tables.repositories.find(txn, &number)? else {
        return Ok(());
    };
    row.gone_at = Some(now);
    tables.missing.delete(txn, &number)?;
    tables.repositories.put(txn, &number, &row)?;
    for build in &tables.builds_of_repository(txn, repository)? {
        give_up(
            tables,
            txn,
            build,
            Event::Cancelled(By::RepositoryGone),
            now,
        )?;
    }
    let planned = keys(tables.planned.iter_prefix(txn, &number)?)?;
    for key in planned {
        tables.planned.delete(txn, &key)?;
        tables.unplanned.delete(txn, &key)?;
    }
    let looks = keys(tables.looks.iter_prefix(txn, &number)?)?;
    for key in looks {
        tables.looks.delete(txn, &key)?;
    }
    let merges = keys(tables.merges.iter_prefix(txn, &number)?)?;
    for key in merges {
        tables.merges.delete(txn, &key)?;
    }
    tables.let_go_of_heads(txn, repository)?;
    tables.forget_durations(txn, repository)?;
    let freed = names::let_go(tables, txn, repository)?;
    names::revive(
        tables,
        txn,
        (repository, now),
        freed,
        &Names::new(),
        released,
    )?;
    Ok(())
}

fn keys<K, V>(
    rows: impl Iterator<Item = Result<(K, V), moss_db::Error>>,
) -> Result<Vec<K>, moss_db::Error> {
    rows.map(|row| Ok(row?.0)).collect()
}

#[cfg(test)]
mod tests;
