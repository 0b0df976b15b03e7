//! Stores how many writes went to GitHub, at most once a second, and takes them up at the start: GitHub
//! goes on counting while summit starts anew.

use std::sync::Arc;
use std::time::Duration;

use moss_db::Error;
use service::error::Chain;
use tokio_util::sync::CancellationToken;

use super::Summit;

/// The shortest time between two transactions.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn work(summit: Arc<Summit>, shutdown: CancellationToken) {
    let store = async {
        loop {
            summit.app.wait_for_unsaved_writes().await;
            summit.store_writes().await;
            tokio::time::sleep(PAUSE).await;
        }
    };
    let _: Option<()> = shutdown.run_until_cancelled(store).await;
    summit.store_writes().await;
}

impl Summit {
    /// Stores the writes that are not stored yet.
    async fn store_writes(&self) {
        let count = self.app.take_unsaved_writes();
        if count == 0 {
            return;
        }
        let (tables, now) = (self.tables.clone(), self.clock.now());
        let stored = self
            .db
            .submit(move |txn| tables.add_writes(txn, now, count))
            .await;
        if let Err(error) = stored {
            tracing::error!(error = %Chain(&error), "the count of writes to GitHub is not stored");
            self.app.return_unsaved_writes(count);
        }
    }

    /// Counts the writes of the process before this one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn restore_writes(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let writes = self
            .db
            .read(|txn| self.tables.writes_of_the_hour(txn, now))?;
        self.app.restore_writes(&writes);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
