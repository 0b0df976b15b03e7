//! Bringing one import to its end: what is missing is fetched and verified, the channel's rules
//! decide, and what they admit is published.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use api::id::{ImportId, RecipeName, Sha256};
use api::import::{Order, Stone};
use futures_util::{StreamExt as _, TryStreamExt as _};
use service::error::Chain;

use super::publish::Pooling;
use super::verify::{Verified, verify};
use super::work::Stop;
use super::{Channel, Failure, Repository};
use crate::db::ImportRecord;
use crate::domain::arrival::{self, Admission};
use crate::domain::change::Change;
use crate::domain::import::{Event, state_name};
use crate::domain::package::Package;

/// How many stones are fetched and verified side by side.
const SIDE_BY_SIDE: usize = 4;

impl Repository {
    /// Brings an import to its end.
    pub(super) async fn carry_out(
        self: &Arc<Self>,
        channel: &Arc<Channel>,
        id: ImportId,
        record: ImportRecord,
    ) -> Result<(), Stop> {
        tracing::debug!(import.id = %id, import.state = state_name(&record.state), "an import's turn");
        let wanted = wanted(&record.order);
        let (this, name) = (Arc::clone(self), channel.name.clone());
        let packages = self
            .environment
            .query(move |txn| Ok::<_, Failure>(this.tables.packages(txn, &name)?));
        let packages = packages.await?;
        let known: HashMap<_, _> = packages
            .values()
            .map(|package| (package.sha256(), package))
            .collect();
        let is_known = |stone: &Stone| known.contains_key(&stone.sha256);
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let done = wanted.iter().filter(|(_, stone)| is_known(stone)).count();
        let begun = Event::Begun {
            done: count(done),
            total: count(wanted.len()),
        };
        self.step(id, begun).await?;
        arrival::check_file_names(wanted.iter().map(|(_, stone)| stone))?;
        for (recipe, stone) in &wanted {
            if let Some(package) = known.get(&stone.sha256) {
                arrival::check_claims(stone, recipe, &channel.architectures, package)?;
            }
        }
        let missing = wanted
            .iter()
            .filter(|(_, stone)| !is_known(stone))
            .cloned()
            .collect();
        let fetched = self.obtain(channel, id, missing).await?;
        let arriving: Vec<Package> = wanted
            .iter()
            .filter_map(|(_, stone)| match known.get(&stone.sha256) {
                Some(package) => Some((*package).clone()),
                None => fetched
                    .get(&stone.sha256)
                    .map(|stone| stone.package().clone()),
            })
            .collect();
        match arrival::admit(&packages, &arriving)? {
            Admission::Nothing => self.end_unchanged(channel, id).await,
            // What the channel knew never comes, so what comes was fetched.
            Admission::Changes(change) => {
                let coming = change.coming.iter();
                let stones = coming
                    .filter_map(|package| fetched.get(&package.sha256()).cloned())
                    .collect();
                self.publish(channel, id, change, stones).await
            }
        }
    }

    /// Fetches and verifies stones, some side by side.
    pub(super) async fn obtain(
        self: &Arc<Self>,
        channel: &Arc<Channel>,
        id: ImportId,
        missing: Vec<(RecipeName, Stone)>,
    ) -> Result<HashMap<Sha256, Verified>, Stop> {
        self.blocking(move |this| Ok(this.tree.create_staging(id)?))
            .await?;
        let fetching = futures_util::stream::iter(missing)
            .map(|(recipe, stone)| async move {
                let sha256 = stone.sha256;
                let verified = self.obtain_one(channel, id, recipe, stone).await?;
                self.step(id, Event::StoneVerified).await?;
                Ok::<_, Stop>((sha256, verified))
            })
            .buffer_unordered(SIDE_BY_SIDE)
            .try_collect();
        match self.ending.run_until_cancelled(fetching).await {
            Some(fetched) => fetched,
            None => Err(Stop::Ending),
        }
    }

    async fn obtain_one(
        self: &Arc<Self>,
        channel: &Arc<Channel>,
        id: ImportId,
        recipe: RecipeName,
        stone: Stone,
    ) -> Result<Verified, Stop> {
        let path = self.tree.staged(id, stone.sha256);
        let fetched = self.fetcher.fetch(&stone, &path).await?;
        let channel = Arc::clone(channel);
        let verdict =
            self.blocking(move |_| Ok(verify(&fetched, &stone, &recipe, &channel.architectures)));
        verdict.await?
    }

    /// The channel has every stone: its newest history holds them.
    async fn end_unchanged(
        self: &Arc<Self>,
        channel: &Arc<Channel>,
        id: ImportId,
    ) -> Result<(), Stop> {
        let (this, name) = (Arc::clone(self), channel.name.clone());
        let newest = self
            .environment
            .query(move |txn| Ok::<_, Failure>(this.tables.find_newest(txn, &name)?));
        let newest = newest.await?;
        let Some(newest) = newest else {
            return Err(Failure::NoHistory(channel.name.clone()).into());
        };
        tracing::info!(import.id = %id, history = %newest, "an import brought nothing new");
        self.step(id, Event::Published(newest)).await?;
        self.clear_staging(id).await;
        Ok(())
    }

    /// Commit points 3 to 6.
    async fn publish(
        self: &Arc<Self>,
        channel: &Arc<Channel>,
        id: ImportId,
        change: Change,
        stones: Vec<Verified>,
    ) -> Result<(), Stop> {
        self.step(id, Event::Admitted).await?;
        let target = Arc::clone(channel);
        let published = self.blocking(move |this| {
            match this.pool(&target, id, &stones)? {
                Pooling::Done => {}
                Pooling::Refused(refusal) => return Ok(Err(refusal)),
            }
            let written = this.write_history(&target, id, &change, &stones);
            let history = written.inspect_err(|_| this.take_back(&target, id, &stones))?;
            this.commit(&target, id, &history, &change)?;
            log_leaving(&target, id, &change);
            // From here on the import is published; whatever fails now is made good by projecting
            // again, here or at the next start.
            target.is_behind.store(true, Ordering::Release);
            Ok(Ok(history))
        });
        let history = published.await??;
        let behind = Arc::clone(channel);
        if let Err(failure) = self.blocking(move |this| this.project(&behind)).await {
            tracing::error!(
                channel = %channel.name,
                error = %Chain(&failure),
                "a published history cannot be shown yet"
            );
        }
        tracing::info!(
            import.id = %id,
            channel = %channel.name,
            history = %history.id,
            packages = history.packages,
            "published"
        );
        self.clear_staging(id).await;
        Ok(())
    }
}

/// Says which packages left: whoever misses one finds here why.
fn log_leaving(channel: &Channel, id: ImportId, change: &Change) {
    for package in &change.leaving {
        tracing::info!(
            import.id = %id,
            channel = %channel.name,
            package = %package.name(),
            recipe = %package.source(),
            "a package left the channel: its recipe does not make it any more"
        );
    }
}

/// The stones of an order, each with the recipe that it is said to be built from.
fn wanted(order: &Order) -> Vec<(RecipeName, Stone)> {
    let stones = order.builds.iter().flat_map(|build| {
        build
            .stones
            .iter()
            .map(|stone| (build.recipe.clone(), stone.clone()))
    });
    stones.collect()
}
