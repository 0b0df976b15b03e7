//! Taking an order.

use std::sync::Arc;

use api::id::{ChannelName, ImportId, ServiceName};
use api::import::{Import, Order};

use super::{Failure, Repository};
use crate::db::Accepted;
use crate::domain::order::{self, Invalid};

/// Why an order was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAccepted {
    /// It makes no sense.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// vessel has no such channel.
    #[error("there is no channel {0}")]
    NoChannel(ChannelName),
    /// The id is taken.
    #[error("the import {0} was ordered before, and that order says something else")]
    Conflict(ImportId),
    /// It failed.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl Repository {
    /// Takes an order into a channel; the same order under the same id is taken once. It is durable
    /// when this returns.
    ///
    /// # Errors
    /// Why it is not taken.
    pub(crate) async fn accept(
        self: &Arc<Self>,
        id: ImportId,
        order: Order,
        ordered_by: ServiceName,
    ) -> Result<Import, NotAccepted> {
        order::check(&order)?;
        let channel = self
            .channels
            .get(&order.channel)
            .ok_or_else(|| NotAccepted::NoChannel(order.channel.clone()))?;
        let this = Arc::clone(self);
        let accepted = self
            .environment
            .submit(move |txn| {
                let now = this.clock.now();
                this.tables.accept(txn, id, order, ordered_by, now)
            })
            .await
            .map_err(|error: moss_db::Error| Failure::from(error))?;
        match accepted {
            Accepted::Conflict => Err(NotAccepted::Conflict(id)),
            Accepted::Known(record) => Ok(self.view(id, *record)),
            Accepted::New(record) => {
                tracing::info!(
                    import.id = %id,
                    channel = %channel.name,
                    stones = order::stones(&record.order).count(),
                    "took an import"
                );
                self.tell();
                channel.wake.notify_one();
                Ok(self.view(id, *record))
            }
        }
    }
}
