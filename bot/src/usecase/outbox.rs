//! Does the effects that were committed, until each is done. All are idempotent.

use std::sync::Arc;

use api::attempt::Attempt;
use api::claims::Scope;
use moss_db::Error as StorageError;
use service::client::CallError;
use service::error::Chain;

use super::Summit;
use super::worker::{self, Round};
use crate::domain::build::Effect;

pub(super) async fn work(summit: Arc<Summit>) {
    worker::run(&summit.wakes.outbox, "effects", || summit.do_effects()).await;
}

impl Summit {
    /// Tries every effect once.
    async fn do_effects(&self) -> Result<Round, StorageError> {
        let tables = self.tables.clone();
        let effects: Vec<(u64, Effect)> = self
            .db
            .query(move |txn| tables.outbox.iter(txn)?.collect())
            .await?;
        let mut round = Round::Done;
        for (number, effect) in effects {
            if let Err(error) = self.do_effect(&effect).await {
                tracing::warn!(?effect, error = %Chain(&error), "an effect is tried again");
                round = Round::Later;
                continue;
            }
            let tables = self.tables.clone();
            self.db
                .submit(move |txn| tables.outbox.delete(txn, &number))
                .await?;
        }
        Ok(round)
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
