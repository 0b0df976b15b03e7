//! Waiting for an import to move.

use std::sync::Arc;
use std::time::Duration;

use api::id::ImportId;
use api::import::{Import, State};

use super::obstacle::Obstacle;
use super::{Failure, Repository, locked};
use crate::db::ImportRecord;

/// The longest wait for a change.
const LONG_POLL: Duration = Duration::from_secs(25);

impl Repository {
    /// The import: at once when its `seq` is above `after`, or none is given; else when it moves,
    /// the wait is over or the service ends.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn find_import(
        self: &Arc<Self>,
        id: ImportId,
        after: Option<u64>,
    ) -> Result<Option<Import>, Failure> {
        // Subscribed before the first look, so that no change falls between the two.
        let mut changes = self.changes.subscribe();
        let wait = tokio::time::sleep(LONG_POLL);
        tokio::pin!(wait);
        loop {
            let Some(import) = self.look_up(id).await? else {
                return Ok(None);
            };
            if after.is_none_or(|after| import.seq > after) {
                return Ok(Some(import));
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = &mut wait => return Ok(Some(import)),
                () = self.ending.cancelled() => return Ok(Some(import)),
            }
        }
    }

    async fn look_up(self: &Arc<Self>, id: ImportId) -> Result<Option<Import>, Failure> {
        let this = Arc::clone(self);
        let found = self
            .environment
            .query(move |txn| this.tables.find_import(txn, id))
            .await;
        let found: Option<ImportRecord> = found.map_err(|error: moss_db::Error| error)?;
        Ok(found.map(|record| self.view(id, record)))
    }

    /// What the API says of an import: published only once clients can see it, and waiting while
    /// nothing of its channel goes on.
    pub(super) fn view(&self, id: ImportId, record: ImportRecord) -> Import {
        let channel = self.channels.get(&record.order.channel);
        let is_hidden = channel.is_some_and(|channel| locked(&channel.hidden).contains(&id));
        // Told and not kept: no import of the channel goes on, and the database may be what fails.
        let obstacle = channel.and_then(|channel| locked(&channel.obstacle).clone());
        let mut import = record.view(id);
        if is_hidden && matches!(import.state, State::Published { .. }) {
            // The step before, with the number that it had.
            import.state = obstacle.map_or(State::Publishing, Obstacle::wait_to_be_seen);
            import.seq -= 1;
        } else if !import.state.is_final() {
            import.state = obstacle.map_or(import.state, Obstacle::wait);
        }
        import
    }
}
