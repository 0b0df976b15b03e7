//! From verified stones to a history that clients see: see the commit points in
//! [`super`](crate::usecase). One function for each, in their order; all block.

use api::id::ImportId;
use api::import::{Refusal, RefusalReason};
use service::error::Chain;

use super::verify::Verified;
use super::{Channel, Failure, Repository, locked};
use crate::domain::arrival::refuse;
use crate::domain::change::Change;
use crate::domain::history::{self, History};
use crate::domain::import::Event;
use crate::domain::pool::Place;
use crate::tree::Pooled;

/// What came of giving stones their places in the pool.
#[derive(Debug)]
pub(super) enum Pooling {
    /// All are there.
    Done,
    /// A name is taken by other bytes.
    Refused(Refusal),
}

impl Repository {
    /// Commit point 3: gives the stones their places in the pool.
    pub(super) fn pool(
        &self,
        channel: &Channel,
        import: ImportId,
        stones: &[Verified],
    ) -> Result<Pooling, Failure> {
        for stone in stones {
            let package = stone.package();
            let staged = self.tree.staged(import, package.sha256());
            let place = Place::of(package);
            match self
                .tree
                .pool(&channel.name, &place, &staged, package.sha256())?
            {
                Pooled::There => {}
                Pooled::Taken => {
                    let name = package.file_name();
                    let message = format!("the pool has other bytes under the name {name}");
                    return Ok(Pooling::Refused(refuse(
                        RefusalReason::ReleaseTaken,
                        name,
                        message,
                    )));
                }
            }
        }
        Ok(Pooling::Done)
    }

    /// Undoes commit point 3 for an import that has to wait, so that its stones take no
    /// names that a later build of the same release needs. They were admitted in this turn, so no
    /// history names them: what a channel has, or had, only ever gives way to something newer of the
    /// same recipe.
    pub(super) fn take_back(&self, channel: &Channel, import: ImportId, stones: &[Verified]) {
        for stone in stones {
            let package = stone.package();
            let staged = self.tree.staged(import, package.sha256());
            let place = Place::of(package);
            if let Err(error) = self.tree.take_back(&channel.name, &place, &staged) {
                tracing::warn!(import.id = %import, error = %Chain(&error), "a stone is left in the pool");
            }
        }
    }

    /// Commit point 4: writes the indexes of a new history, which nobody names yet. `stones` are
    /// those of the packages that come.
    pub(super) fn write_history(
        &self,
        channel: &Channel,
        import: ImportId,
        change: &Change,
        stones: &[Verified],
    ) -> Result<History, Failure> {
        let (mut packages, newest) = self.environment.read(|txn| {
            let packages = self.tables.packages(txn, &channel.name)?;
            Ok::<_, Failure>((packages, self.tables.find_newest(txn, &channel.name)?))
        })?;
        change.apply(&mut packages);
        let mut entries = locked(&channel.entries);
        for stone in stones {
            entries.insert(stone.package().sha256(), stone.entry().clone());
        }
        drop(entries);
        let indexes = self.compose(channel, &packages, newest.as_ref())?;
        let now = self.clock.now();
        let history = History {
            id: history::id(now, import),
            import,
            published_at: now,
            packages: packages.len() as u64,
        };
        self.tree
            .write_history(&channel.name, &history.id, &indexes)?;
        Ok(history)
    }

    /// Commit point 5: the database takes the history, and the import is published. Clients see it
    /// after the next [`Repository::project`], and until then the API hides it.
    pub(super) fn commit(
        &self,
        channel: &Channel,
        import: ImportId,
        history: &History,
        change: &Change,
    ) -> Result<(), Failure> {
        locked(&channel.hidden).insert(import);
        let committed = self.environment.write(|txn| {
            self.tables.publish(txn, &channel.name, history, change)?;
            let event = Event::Published(history.id.clone());
            self.tables.step(txn, import, event, history.published_at)?;
            Ok::<_, Failure>(())
        });
        if committed.is_err() {
            // It may end in another way, which no projection follows.
            locked(&channel.hidden).remove(&import);
        }
        committed
    }
}
