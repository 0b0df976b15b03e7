//! Now and then, and at start, asks GitHub for what webhooks may have failed to tell.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use moss_db::Error as StorageError;
use service::error::Chain;

use super::inbox::keep_repository;
use super::{Summit, look};
use crate::db::{Repository, look_key};
use crate::domain::build::Target;
use crate::domain::name::RepositoryId;
use crate::github;

/// How many pages of deliveries a sweep reads: 100 attempts each.
const DELIVERY_PAGES: usize = 10;

pub(super) async fn work(summit: Arc<Summit>) {
    let pause = Duration::from_secs(summit.config.github.sweep_seconds.max(1));
    loop {
        if let Err(error) = summit.sweep().await {
            tracing::warn!(error = %Chain(&error), "a sweep failed; the next one follows");
        }
        tokio::time::sleep(pause).await;
    }
}

impl Summit {
    /// Looks at every repository, branch and pull request once.
    ///
    /// # Errors
    /// When GitHub or the database fails; what was found before stays found. A repository that
    /// fails alone is passed over.
    pub async fn sweep(&self) -> Result<(), look::Error> {
        let installation = self
            .app
            .installation(&self.config.github.organisation)
            .await?;
        for info in self.app.repositories(installation).await? {
            let (id, row) = (info.id, info.into_row(installation));
            let tables = self.tables.clone();
            let kept = row.clone();
            self.db
                .submit(move |txn| keep_repository(&tables, txn, id, kept))
                .await?;
            match self.sweep_repository(id, &row).await {
                Ok(()) => {}
                // The next repository would fail in the same way.
                Err(error @ look::Error::GitHub(github::Error::RateLimited { .. })) => {
                    return Err(error);
                }
                Err(error) => {
                    tracing::warn!(repository = %row.name, error = %Chain(&error), "a repository was not swept");
                }
            }
        }
        self.redeliver().await
    }

    async fn sweep_repository(
        &self,
        id: RepositoryId,
        row: &Repository,
    ) -> Result<(), look::Error> {
        let mut wanted = Vec::new();
        let branch = Target::Branch {
            name: row.default_branch.clone(),
        };
        if let Some(head) = self.app.find_branch_head(row, &row.default_branch).await? {
            wanted.push((branch, Some(head)));
        }
        let mut open = HashSet::new();
        // Their authors may have been given write access, which no webhook tells.
        let mut within = HashSet::new();
        for pull in self.app.open_pulls(row).await? {
            let target = Target::Pull {
                number: pull.number,
            };
            open.insert(target.git_ref());
            if !pull.is_from_fork() {
                within.insert(target.git_ref());
            }
            wanted.push((target, Some(pull.head.sha)));
        }
        let tables = self.tables.clone();
        self.db
            .submit(move |txn| {
                // Pull requests that were closed without our knowing.
                for entry in tables.planned.iter_prefix(txn, &id.number())? {
                    let ((_, git_ref), _) = entry?;
                    let number = git_ref
                        .strip_prefix("refs/pull/")
                        .and_then(|rest| rest.strip_suffix("/head"))
                        .and_then(|number| number.parse().ok());
                    if let Some(number) = number
                        && !open.contains(&git_ref)
                    {
                        wanted.push((Target::Pull { number }, None));
                    }
                }
                let mut active = tables.active_builds(txn)?;
                active.retain(|build| build.repository == id && build.unapproved.is_some());
                for (target, head) in wanted {
                    let planned = tables.planned.find(txn, &look_key(id, &target))?;
                    let held = within.contains(&target.git_ref())
                        && active.iter().any(|build| build.target == target);
                    if head.is_none() || planned != head || held {
                        tables.wish(txn, id, &target)?;
                    }
                }
                Ok::<_, StorageError>(())
            })
            .await?;
        self.wakes.looks.wake();
        Ok(())
    }

    /// Has deliveries that never reached us delivered again.
    async fn redeliver(&self) -> Result<(), look::Error> {
        for failed in self.app.failed_deliveries(DELIVERY_PAGES).await? {
            let tables = self.tables.clone();
            let guid = failed.guid.clone();
            let known = self
                .db
                .query(move |txn| tables.deliveries.contains(txn, &guid))
                .await?;
            if !known {
                tracing::info!(delivery.id = failed.guid, "asking for a delivery again");
                self.app.redeliver(&failed).await?;
            }
        }
        Ok(())
    }
}
