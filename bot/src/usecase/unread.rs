//! Deliveries that could not be read. Their bodies are kept: a later version of summit may be able to
//! read them, and nothing else may tell of a comment or of a pressed button.

use api::operator::{Replay, UnreadDelivery};
use moss_db::{Error, RoTxn};

use super::Summit;
use super::receive::Verified;
use crate::db::Tables;

impl Summit {
    /// The deliveries that could not be read, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unread_deliveries(&self) -> Result<Vec<UnreadDelivery>, Error> {
        let tables = self.tables.clone();
        self.db.query(move |txn| list(&tables, txn)).await
    }

    /// Reads a delivery again that could not be read. `None` when no such delivery is known.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replay(&self, guid: String) -> Result<Option<Replay>, Error> {
        let (tables, key) = (self.tables.clone(), guid.clone());
        let kept = self.db.query(move |txn| {
            let body = tables.bodies.find(txn, &key)?;
            let row = tables.deliveries.find(txn, &key)?;
            Ok::<_, Error>(body.zip(row).map(|(body, row)| (body, row.event)))
        });
        let Some((body, event)) = kept.await? else {
            return Ok(None);
        };
        let event = match Verified::of_kept(guid.clone(), event, &body) {
            Ok(event) => event,
            Err(error) => {
                let outcome = format!("its body cannot be read: {error}");
                return Ok(Some(Replay {
                    guid,
                    is_read: false,
                    outcome,
                }));
            }
        };
        let outcome = self.take_event(event).await?;
        Ok(outcome.map(|outcome| Replay {
            guid,
            is_read: outcome.is_read,
            outcome: outcome.text,
        }))
    }
}

fn list(tables: &Tables, txn: &RoTxn<'_>) -> Result<Vec<UnreadDelivery>, Error> {
    let mut unread = Vec::new();
    for guid in tables.bodies.iter(txn)?.keys() {
        let guid = guid?;
        if let Some(row) = tables.deliveries.find(txn, &guid)? {
            unread.push(UnreadDelivery {
                guid,
                event: row.event,
                received_at: row.received_at,
                reason: row.outcome,
            });
        }
    }
    unread.sort_by_key(|delivery| delivery.received_at);
    Ok(unread)
}

#[cfg(test)]
mod tests;
