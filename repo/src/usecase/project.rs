//! Making the public files say what the database says.
//!
//! Level-triggered: it does not matter what changed, or how often it runs. Streams come before the
//! root index, so that what the root index names is there.

use std::sync::atomic::Ordering;

use super::{Channel, Failure, Repository, locked};
use crate::domain::root::RootIndex;

impl Repository {
    /// Writes a channel's streams and root index, where they differ from what they should be. Then
    /// every import that is published in the database is so for clients.
    ///
    /// # Errors
    /// When the database or a file fails. The channel is then marked as behind.
    pub(super) fn project(&self, channel: &Channel) -> Result<(), Failure> {
        let _one_at_a_time = locked(&channel.projecting);
        channel.is_behind.store(true, Ordering::Release);
        let (standing, seen) = self.environment.read(|txn| {
            let standing = self.tables.standing(txn, &channel.name)?;
            let mut seen = Vec::new();
            let hidden = locked(&channel.hidden).clone();
            for import in hidden {
                // One that is hidden but not published is about to be: it stays hidden.
                let record = self.tables.find_import(txn, import)?;
                seen.extend(
                    record
                        .filter(|record| record.state.is_final())
                        .map(|_| import),
                );
            }
            Ok::<_, Failure>((standing, seen))
        })?;
        for (stream, history) in &standing.streams {
            self.tree.point_stream(&channel.name, stream, history)?;
        }
        let histories = standing
            .histories
            .into_iter()
            .map(|history| history.id)
            .collect();
        let root = RootIndex::new(standing.streams, standing.tags, histories)?;
        self.tree.write_root(&channel.name, &root.to_json())?;
        channel.is_behind.store(false, Ordering::Release);
        let mut hidden = locked(&channel.hidden);
        for import in &seen {
            hidden.remove(import);
        }
        drop(hidden);
        self.tell();
        Ok(())
    }
}
