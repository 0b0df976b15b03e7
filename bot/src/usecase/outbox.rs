//! Does the effects that were committed, until each is done. All are idempotent.
//!
//! One task for each builder that is to be told something, so that a silent one keeps nobody else from
//! hearing of it. What is to be stopped goes before what may be dropped.

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

/// The longest pause after an effect that failed: what is to be stopped may come meanwhile.
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// How many effects are done before it is looked whether more urgent ones came.
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
    /// The builders that are to be told something.
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

    /// Tells a builder all that it is to be told.
    async fn tell(&self, builder: &ServiceName) {
        let mut backoff = Backoff::up_to(LAST_PAUSE);
        // What failed before is tried after all else.
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

    /// Tries some of the effects of a builder, each once.
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
                tracing::warn!(?effect, error = %Chain(&error), "an effect is tried again");
                failed.insert(number);
                told = Told::NotAll;
                // Without an answer the others get none either.
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
            // Gone already, or over: what was wanted is so.
            Err(error) if matches!(error.find_status(), Some(404 | 409 | 410 | 422)) => {
                tracing::debug!(builder.name = %builder, %error, "an effect had nothing to do");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// How telling a builder went.
enum Told {
    /// There is nothing to tell.
    Nothing,
    /// It knows all of the part.
    All,
    /// Something of it has to be told again.
    NotAll,
}
