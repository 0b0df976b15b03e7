//! The worker of a channel: its imports, one after the other, in the order of their arrival.
//!
//! What may pass is waited for, for ever, with growing pauses: an order was promised to be carried
//! out or refused. A stop of the service leaves the import where it is; the next start resumes it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use api::id::ImportId;
use api::import::{Refusal, State};
use jiff::Timestamp;
use service::error::Chain;

use super::{Channel, Failure, Repository};
use crate::domain::import::Event;

/// The first pause after a hindrance; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

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

    /// Warns an operator before the database is full.
    pub(super) fn watch_room(&self) {
        let usage = self.environment.usage();
        if usage.is_high() {
            tracing::warn!(
                database.used = usage.used(),
                database.size = usage.map_size(),
                "the database is nearly full: raise `database_gib` and restart"
            );
        }
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

    fn after(&self, pause: Duration) -> Timestamp {
        let now = self.clock.now();
        now.checked_add(pause).unwrap_or(now)
    }
}
