//! Does the effects that were committed, until each is done. All are idempotent.

use std::sync::Arc;

use api::attempt::Attempt;
use api::claims::Scope;
use moss_db::Error as StorageError;
use service::client::CallError;
use service::error::Chain;

use super::{Backoff, Summit};
use crate::domain::build::Effect;

pub(super) async fn work(summit: Arc<Summit>) {
    let mut backoff = Backoff::new();
    loop {
        match summit.do_effects().await {
            Ok(true) => {
                backoff.reset();
                summit.wakes.outbox.wait().await;
            }
            Ok(false) => backoff.wait_or(&summit.wakes.outbox).await,
            Err(error) => {
                tracing::error!(%error, "effects cannot be read");
                backoff.wait().await;
            }
        }
    }
}

impl Summit {
    /// Tries every effect once; true when all are done.
    async fn do_effects(&self) -> Result<bool, StorageError> {
        let tables = self.tables.clone();
        let effects: Vec<(u64, Effect)> = self
            .db
            .query(move |txn| tables.outbox.iter(txn)?.collect())
            .await?;
        let mut all = true;
        for (number, effect) in effects {
            if let Err(error) = self.do_effect(&effect).await {
                tracing::warn!(?effect, error = %Chain(&error), "an effect is tried again");
                all = false;
                continue;
            }
            let tables = self.tables.clone();
            self.db
                .submit(move |txn| tables.outbox.delete(txn, &number))
                .await?;
        }
        Ok(all)
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
                tracing::debug!(%builder, %error, "an effect had nothing to do");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
