//! The worker of a channel: its imports, one after the other, in the order of their arrival.
//!
//! What may pass is waited for, for ever, with growing pauses: an order was promised to be carried
//! out or refused. A stop of the service leaves the import where it is; the next start resumes it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use api::id::{ImportId, RecipeName};
use api::import::{Order, Refusal, State, Stone};
use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use service::error::Chain;

use super::publish::Pooling;
use super::verify::{Verified, verify};
use super::{Channel, Failure, Repository};
use crate::db::ImportRecord;
use crate::domain::arrival::{self, Admission};
use crate::domain::import::{Event, state_name};
use crate::domain::package::Package;

/// The first pause after a hindrance; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How many stones are fetched and verified side by side.
const SIDE_BY_SIDE: usize = 4;

/// Why an import is not carried on with.
#[derive(Debug)]
pub(super) enum Stop {
    /// The channel does not take it.
    Refused(Refusal),
    /// Something stands in the way that may pass.
    Hindered(String),
    /// A fault of ours or of the machine.
    Failed(Failure),
    /// The service ends.
    Ending,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        if matches!(failure, Failure::Ending) {
            Self::Ending
        } else {
            Self::Failed(failure)
        }
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What a turn of the worker came to.
enum Turn {
    /// There is nothing to do.
    Idle,
    /// Something was done; there may be more.
    Done,
    /// It is to be tried again after the pause.
    Again,
}

impl Repository {
    /// Works on a channel until the service ends.
    pub(crate) async fn work(self: Arc<Self>, channel: Arc<Channel>) {
        let mut pause = FIRST_PAUSE;
        while !self.ending.is_cancelled() {
            let turn = self.turn(&channel, pause).await.unwrap_or_else(|failure| {
                tracing::error!(channel = %channel.name, error = %Chain(&failure), "a channel's work failed");
                Turn::Again
            });
            let wait = async {
                match turn {
                    Turn::Done => pause = FIRST_PAUSE,
                    Turn::Idle => channel.wake.notified().await,
                    Turn::Again => {
                        tokio::time::sleep(pause).await;
                        pause = LONGEST_PAUSE.min(pause * 2);
                    }
                }
            };
            self.ending.run_until_cancelled(wait).await;
        }
    }

    async fn turn(
        self: &Arc<Self>,
        channel: &Arc<Channel>,
        pause: Duration,
    ) -> Result<Turn, Failure> {
        if channel.is_behind.load(Ordering::Acquire) {
            let behind = Arc::clone(channel);
            self.blocking(move |this| this.project(&behind)).await?;
        }
        let (this, name) = (Arc::clone(self), channel.name.clone());
        let next = self
            .environment
            .query(move |txn| Ok::<_, Failure>(this.tables.find_next_import(txn, &name)?));
        let Some((id, record)) = next.await? else {
            return Ok(Turn::Idle);
        };
        let event = match self.carry_out(channel, id, record).await {
            Ok(()) => return Ok(Turn::Done),
            Err(Stop::Ending) => return Ok(Turn::Idle),
            Err(Stop::Refused(refusal)) => {
                tracing::info!(import.id = %id, reason = %refusal.message, "refused an import");
                Event::Refused(refusal)
            }
            Err(Stop::Hindered(by)) => {
                tracing::warn!(import.id = %id, %by, "an import waits");
                Event::Hindered {
                    by,
                    until: self.after(pause),
                }
            }
            Err(Stop::Failed(failure)) => {
                tracing::error!(import.id = %id, error = %Chain(&failure), "an import failed");
                let by = "the repository cannot do its part now; its log says why".to_owned();
                Event::Hindered {
                    by,
                    until: self.after(pause),
                }
            }
        };
        let state = self.step(id, event).await?;
        if state.is_final() {
            self.clear_staging(id).await;
            return Ok(Turn::Done);
        }
        Ok(Turn::Again)
    }

    /// Brings an import to its end.
    async fn carry_out(
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
            // What the channel knew is never a change, so the changes are what was fetched.
            Admission::Changes(changes) => {
                let stones = changes
                    .iter()
                    .filter_map(|package| fetched.get(&package.sha256()).cloned())
                    .collect();
                self.publish(channel, id, stones).await
            }
        }
    }

    /// Fetches and verifies stones, some side by side.
    async fn obtain(
        self: &Arc<Self>,
        channel: &Arc<Channel>,
        id: ImportId,
        missing: Vec<(RecipeName, Stone)>,
    ) -> Result<HashMap<api::id::Sha256, Verified>, Stop> {
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
        let asked = Arc::clone(channel);
        let newest = self.blocking(move |this| this.find_newest(&asked)).await?;
        let Some(newest) = newest else {
            // Packages come with histories only.
            return Err(Stop::Hindered(
                "the channel has packages but no history".to_owned(),
            ));
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
        stones: Vec<Verified>,
    ) -> Result<(), Stop> {
        self.step(id, Event::Admitted).await?;
        let target = Arc::clone(channel);
        let published = self.blocking(move |this| {
            match this.pool(&target, id, &stones)? {
                Pooling::Done => {}
                Pooling::Refused(refusal) => return Ok(Err(refusal)),
            }
            let history = this.write_history(&target, id, &stones)?;
            this.commit(&target, id, &history, &stones)?;
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

    /// Moves an import, durably, and tells those who wait.
    async fn step(self: &Arc<Self>, id: ImportId, event: Event) -> Result<State, Failure> {
        let this = Arc::clone(self);
        let stepped = self.environment.submit(move |txn| {
            let now = this.clock.now();
            Ok::<_, Failure>(this.tables.step(txn, id, event, now)?)
        });
        let state = stepped.await?;
        self.tell();
        Ok(state)
    }

    /// What cannot be removed now, the next start removes.
    async fn clear_staging(self: &Arc<Self>, id: ImportId) {
        let cleared = self
            .blocking(move |this| Ok(this.tree.clear_staging(id)?))
            .await;
        if let Err(failure) = cleared {
            tracing::warn!(import.id = %id, error = %Chain(&failure), "cannot clear the staging folder");
        }
    }

    fn after(&self, pause: Duration) -> Timestamp {
        let now = self.clock.now();
        now.checked_add(pause).unwrap_or(now)
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
