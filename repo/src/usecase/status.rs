//! How vessel stands: what is under way, and how full the database is.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::id::ChannelName;
use api::import::Import;
use api::status::Database;

use super::{Failure, Repository, locked};

impl Repository {
    /// How full the database is.
    pub(crate) fn usage(&self) -> Database {
        let usage = self.environment.usage();
        Database {
            used_bytes: usage.used(),
            map_bytes: usage.map_size(),
        }
    }

    /// The imports of each channel that have not ended for those who look from outside, in the order
    /// in which they arrived.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn open_imports(
        self: &Arc<Self>,
    ) -> Result<BTreeMap<ChannelName, Vec<Import>>, Failure> {
        let this = Arc::clone(self);
        let open = self.environment.query(move |txn| {
            let mut open = BTreeMap::new();
            for channel in this.channels.values() {
                // What is published in the database and not for clients has not ended either.
                let mut ids = locked(&channel.hidden).clone();
                ids.extend(this.tables.open_imports(txn, &channel.name)?);
                let mut records = Vec::new();
                for id in ids {
                    let record = this.tables.find_import(txn, id)?;
                    records.extend(record.map(|record| (record.arrival, id, record)));
                }
                records.sort_by_key(|(arrival, ..)| *arrival);
                let views = records.into_iter();
                let views = views.map(|(_, id, record)| this.view(id, record));
                open.insert(channel.name.clone(), views.collect());
            }
            Ok::<_, Failure>(open)
        });
        let open: BTreeMap<_, Vec<Import>> = open.await?;
        Ok(open)
    }
}
