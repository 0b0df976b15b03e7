//! Does the committed effects and retries each until it succeeds. All effects are idempotent.
//!
//! Each builder has a task of its own, so a silent builder delays no other. Cancellations go before
//! releases.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use api::attempt::Attempt;
use api::claims::Scope;
use api::id::ServiceName;
use moss_db::Error as StorageError;
use service::client::CallError;
use service::error::Chain;

use super::keyed::{self, Wanted};
use super::{Backoff, Summit};
use crate::domain::build::Effect;

/// The longest pause after a failed effect. It is short, because a cancellation may come meanwhile.
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// How many effects are done before the task checks for more urgent ones.
const PART: usize = 16;

pub(super) async fn work(summit: Arc<Summit>) {
    let tell = |builder, ()| {
        let summit = Arc::clone(&summit);
        async move { summit.tell(&builder).await }
    };
    let wake = &summit.wakes.outbox;
    keyed::run(wake, "effects", || summit.builders_to_tell(), tell).await;
}

impl Summit {
    /// The builders with effects to do.
    async fn builders_to_tell(&self) -> Result<Wanted<ServiceName, ()>, StorageError> {
        let tables = self.tables.clone();
        self.db
            .query(move |txn| {
                let mut builders = BTreeMap::new();
                for row in tables.outbox.iter(txn)? {
                    builders.insert(row?.1.builder().clone(), ());
                }
                Ok(builders.into_iter().collect::<Vec<_>>().into())
            })
            .await
    }

    /// Does all effects for a builder.
    async fn tell(&self, builder: &ServiceName) {
        let mut backoff = Backoff::up_to(LAST_PAUSE);
        // Effects that failed come last.
        let mut failed = BTreeSet::new();
        loop {
            match self.tell_part(builder, &mut failed).await {
                Ok(Told::Nothing) => return,
                Ok(Told::All) => backoff.reset(),
                Ok(Told::NotAll) => backoff.wait().await,
                Err(error) => {
                    tracing::error!(error = %Chain(&error), "effects cannot be read");
                    backoff.wait().await;
                }
            }
        }
    }

    /// Does some of a builder's effects, each once.
    async fn tell_part(
        &self,
        builder: &ServiceName,
        failed: &mut BTreeSet<u64>,
    ) -> Result<Told, StorageError> {
        let (tables, name) = (self.tables.clone(), builder.clone());
        let mut effects: Vec<(u64, Effect)> = self
            .db
            .query(move |txn| {
                let rows = tables.outbox.iter(txn)?;
                rows.filter(|row| !matches!(row, Ok((_, effect)) if *effect.builder() != name))
                    .collect()
            })
            .await?;
        if effects.is_empty() {
            return Ok(Told::Nothing);
        }
        effects.sort_by_key(|(number, effect)| {
            let can_wait = matches!(effect, Effect::Release { .. });
            (failed.contains(number), can_wait, *number)
        });
        let mut told = Told::All;
        for (number, effect) in effects.into_iter().take(PART) {
            if let Err(error) = self.do_effect(&effect).await {
                tracing::warn!(?effect, error = %Chain(&error), "an effect is retried");
                failed.insert(number);
                told = Told::NotAll;
                // The builder did not answer, so the other effects would fail too.
                if error.find_status().is_none() {
                    break;
                }
                continue;
            }
            let tables = self.tables.clone();
            self.db
                .submit(move |txn| tables.outbox.delete(txn, &number))
                .await?;
        }
        Ok(told)
    }

    async fn do_effect(&self, effect: &Effect) -> Result<(), CallError> {
        let (builder, done) = match effect {
            Effect::Release { builder, attempt } => {
                let Some(client) = self.find_builder(builder) else {
                    return Ok(());
                };
                let path = format!("/api/v1/attempts/{attempt}/release");
                (
                    builder,
                    client.post::<Attempt>(Scope::Attempts, &path, &()).await,
                )
            }
            Effect::Cancel { builder, attempt } => {
                let Some(client) = self.find_builder(builder) else {
                    return Ok(());
                };
                let path = format!("/api/v1/attempts/{attempt}");
                (
                    builder,
                    client.delete::<Attempt>(Scope::Attempts, &path).await,
                )
            }
        };
        match done {
            Ok(_) => Ok(()),
            // The attempt is gone or over, so the effect has nothing to do.
            Err(error) if matches!(error.find_status(), Some(404 | 409 | 410 | 422)) => {
                tracing::debug!(builder.name = %builder, %error, "an effect had nothing to do");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// The result of a part.
enum Told {
    /// No effect is left.
    Nothing,
    /// All effects of the part succeeded.
    All,
    /// Some effects have to be retried.
    NotAll,
}
