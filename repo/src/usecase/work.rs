//! The worker of a channel: its imports, one after the other, in the order of their arrival.
//!
//! What may pass is waited for with growing pauses, and those behind go first meanwhile: a builder
//! that is gone holds up nobody else's stones. When its stones could not be fetched for too long,
//! the import is refused, so that they are built elsewhere. A stop of the service leaves the import
//! where it is; the next start resumes it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use api::id::ImportId;
use api::import::{Order, Refusal, RefusalReason, State};
use jiff::Timestamp;
use service::error::Chain;

use super::obstacle::{self, Obstacle};
use super::{Channel, Failure, Repository, locked};
use crate::db::Next;
use crate::domain::import::{Event, FIRST_PAUSE, Fault, Hindrances, LONGEST_PAUSE};
use crate::domain::pool::Place;

/// Why an import is not carried on with.
#[derive(Debug)]
pub(super) enum Stop {
    /// The channel does not take it.
    Refused(Refusal),
    /// A stone cannot be had, which may pass.
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
    /// There is nothing to do, or not before this time has passed.
    Idle(Option<Duration>),
    /// Something was done; there may be more.
    Done,
    /// The channel itself failed; it is to be tried again after a pause.
    Again,
}

impl Repository {
    /// Works on a channel until the service ends.
    pub(crate) async fn work(self: Arc<Self>, channel: Arc<Channel>) {
        let mut pause = FIRST_PAUSE;
        while !self.ending.is_cancelled() {
            let turn = self.turn(&channel).await;
            let obstacle = turn.as_ref().err().map(|failure| Obstacle {
                on: obstacle::describe(failure),
                until: self.after(pause),
            });
            *locked(&channel.obstacle) = obstacle;
            let turn = turn.unwrap_or_else(|failure| {
                tracing::error!(channel = %channel.name, error = %Chain(&failure), "a channel's work failed");
                Turn::Again
            });
            let wait = async {
                match turn {
                    Turn::Done => pause = FIRST_PAUSE,
                    Turn::Idle(None) => channel.wake.notified().await,
                    Turn::Idle(Some(wait)) => {
                        // Woken or not: the next turn looks what there is to do.
                        let _ = tokio::time::timeout(wait, channel.wake.notified()).await;
                    }
                    Turn::Again => {
                        tokio::time::sleep(pause).await;
                        pause = LONGEST_PAUSE.min(pause * 2);
                    }
                }
            };
            self.ending.run_until_cancelled(wait).await;
        }
    }

    async fn turn(self: &Arc<Self>, channel: &Arc<Channel>) -> Result<Turn, Failure> {
        if channel.is_behind.load(Ordering::Acquire) {
            let behind = Arc::clone(channel);
            self.blocking(move |this| this.project(&behind)).await?;
        }
        let (this, name) = (Arc::clone(self), channel.name.clone());
        let now = self.clock.now();
        let next = self
            .environment
            .query(move |txn| Ok::<_, Failure>(this.tables.find_next_import(txn, &name, now)?));
        let (id, record) = match next.await? {
            Next::Import(id, record) => (id, record),
            Next::At(time) => {
                let wait = Duration::try_from(time.duration_since(now)).unwrap_or(FIRST_PAUSE);
                return Ok(Turn::Idle(Some(wait)));
            }
            Next::Idle => return Ok(Turn::Idle(None)),
        };
        // What was in the way is not any more, and an import may take its time.
        *locked(&channel.obstacle) = None;
        let hindrances = record.hindrances;
        let order = record.order.clone();
        let Err(stop) = self.carry_out(channel, id, *record).await else {
            return Ok(Turn::Done);
        };
        let Some(event) = self.event(id, stop, hindrances) else {
            return Ok(Turn::Idle(None));
        };
        let state = self.step(id, event).await?;
        if state.is_final() {
            self.clear_refused(channel, order).await;
            self.clear_staging(id).await;
        }
        Ok(Turn::Done)
    }

    /// What a stop means for the import; nothing when the service ends.
    fn event(&self, id: ImportId, stop: Stop, before: Option<Hindrances>) -> Option<Event> {
        let hindered = |by, fault| Event::Hindered {
            by,
            fault,
            until: self.after(Hindrances::pause(before)),
        };
        Some(match stop {
            Stop::Ending => return None,
            Stop::Refused(refusal) => {
                tracing::info!(import.id = %id, reason = %refusal.message, "refused an import");
                Event::Refused(refusal)
            }
            Stop::Hindered(by) if self.is_given_up(before) => {
                tracing::warn!(import.id = %id, %by, "an import is given up");
                let hours = self.give_up_hours;
                Event::Refused(Refusal {
                    reason: RefusalReason::AssetGone,
                    file_name: None,
                    message: format!("given up after {hours} hours of trying: {by}"),
                })
            }
            Stop::Hindered(by) => {
                tracing::warn!(import.id = %id, %by, "an import waits");
                hindered(by, Fault::Stones)
            }
            // Stones that are built again would meet the same fault: this is waited for.
            Stop::Failed(failure) => {
                tracing::error!(import.id = %id, error = %Chain(&failure), "an import failed");
                hindered(obstacle::describe(&failure), Fault::Vessel)
            }
        })
    }

    fn is_given_up(&self, hindrances: Option<Hindrances>) -> bool {
        let now = self.clock.now();
        hindrances.is_some_and(|before| before.are_too_old(self.give_up_hours, now))
    }

    /// Moves an import, durably, and tells those who wait.
    pub(super) async fn step(
        self: &Arc<Self>,
        id: ImportId,
        event: Event,
    ) -> Result<State, Failure> {
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
    pub(super) async fn clear_staging(self: &Arc<Self>, id: ImportId) {
        let cleared = self
            .blocking(move |this| Ok(this.tree.clear_staging(id)?))
            .await;
        if let Err(failure) = cleared {
            tracing::warn!(import.id = %id, error = %Chain(&failure), "cannot clear the staging folder");
        }
    }

    /// Takes away what the refused import of `order` left in the pool. What cannot be removed now,
    /// the next start removes.
    async fn clear_refused(self: &Arc<Self>, channel: &Arc<Channel>, order: Order) {
        let target = Arc::clone(channel);
        let cleared = self
            .blocking(move |this| {
                // The claims of a channel are many, and an import is hardly ever refused so late.
                let places = order.builds.iter().flat_map(|build| {
                    let stones = build.stones.iter();
                    stones.map(|stone| Place::new(&build.recipe, &stone.file_name))
                });
                let mut paths = places.map(|place| this.tree.pooled(&target.name, &place));
                if paths.any(|path| path.exists()) {
                    this.clear_pool(&target)?;
                }
                Ok(())
            })
            .await;
        if let Err(failure) = cleared {
            tracing::warn!(channel = %channel.name, error = %Chain(&failure), "cannot clear the pool");
        }
    }

    fn after(&self, pause: Duration) -> Timestamp {
        let now = self.clock.now();
        now.checked_add(pause).unwrap_or(now)
    }
}
