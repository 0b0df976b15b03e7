//! Dispatches ready builds: chooses the closure from the channel, and a builder for the rest.
//!
//! A round asks every builder how busy it is. For each ready build it then asks which unmet needs
//! the builders' hosts supply. [`crate::domain::choose`] picks the builder.

mod builders;
pub(super) mod closure;
mod error;
mod order;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use api::id::{Architecture, AttemptId, BuildId};
use jiff::Timestamp;
use service::client::Client;
use service::error::Chain;

use super::Summit;
use super::channel::Snapshot;
use super::standstill::Obstacle;
use crate::db::ChangeError;
use crate::domain::build::{Build, Event, Hold, State};
use crate::domain::choose::{Choice, choose};
use crate::domain::hope::{hopeful, may_be_provided};
use crate::domain::suspect::suspects;

use error::Hope;

pub(super) use builders::Builders;
pub use error::{Error, Unavailable};

/// The result of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dispatch {
    /// At least one build moved.
    Moved,
    /// Builds are queued, but no builder took one.
    Waiting,
    /// No build is queued.
    Idle,
}

/// The result of dispatching one build.
enum Dispatched {
    /// A builder has the order.
    Ordered,
    /// The build waits for a builder, for this reason.
    Waits(String),
    /// No builder can build it with the present packages.
    Lacks(Hold),
}

/// Since when the assets of an attempt have been unavailable to the builds that need them.
#[derive(Debug, Default)]
pub(super) struct OutOfReach(HashMap<AttemptId, Timestamp>);

impl Summit {
    /// Dispatches ready builds to builders with free slots.
    pub(super) async fn dispatch_all(&self, out_of_reach: &mut OutOfReach) -> Dispatch {
        let now = self.clock.now();
        let (has_queued, is_one_ready) = {
            let under_way = self.under_way();
            (
                under_way.has_queued(),
                under_way.ready(now).next().is_some(),
            )
        };
        if !has_queued || !is_one_ready {
            self.note_standstill(BTreeMap::new());
            self.tell_standstill().await;
            return match has_queued {
                true => Dispatch::Waiting,
                false => Dispatch::Idle,
            };
        }
        if let Some(suspension) = self.find_suspension() {
            // A builder could not clone anything.
            let ready = self.ready_profiles(now).into_iter();
            let obstacle = Obstacle {
                reason: suspension.reason,
                // No check run can say so before it is over.
                is_outage: false,
            };
            let obstacles = ready.map(|profile| (profile, obstacle.clone()));
            self.note_standstill(obstacles.collect());
            return Dispatch::Waiting;
        }
        let mut builders = self.ask_builders().await;
        let (mut open, mut standstill) = self.open_profiles(now, &builders).await;
        let mut dispatch = Dispatch::Waiting;
        let mut lacking: HashMap<BuildId, Hold> = HashMap::new();
        let mut unavailable: HashMap<AttemptId, Unavailable> = HashMap::new();
        let in_turn: Vec<Arc<Build>> = match open.is_empty() {
            true => Vec::new(),
            false => self.under_way().ready(now).cloned().collect(),
        };
        for build in &in_turn {
            let Some(snapshot) = open.get(&build.profile).cloned() else {
                continue;
            };
            if !builders.is_one_free(&build.profile) {
                open.remove(&build.profile);
                standstill.insert(build.profile.clone(), builders.why_none(&build.profile));
                if open.is_empty() {
                    break;
                }
                continue;
            }
            match self.dispatch(build, &mut builders, &snapshot).await {
                Ok(Dispatched::Ordered) => dispatch = Dispatch::Moved,
                Ok(Dispatched::Waits(reason)) => self.delay(build, reason).await,
                Ok(Dispatched::Lacks(hold)) => drop(lacking.insert(build.id, hold)),
                Err(error) => {
                    let reason = Chain(&error).to_string();
                    tracing::warn!(build.id = %build.id, error = reason, "cannot dispatch");
                    self.delay(build, reason).await;
                    if let Error::Unavailable(what) = error {
                        unavailable.insert(what.attempt, what);
                    }
                }
            }
        }
        self.note_standstill(standstill);
        self.tell_standstill().await;
        if self.give_up_assets(out_of_reach, unavailable).await {
            dispatch = Dispatch::Moved;
        }
        self.settle_lacking(lacking).await;
        dispatch
    }

    /// Reads the channel for each profile with ready builds and a free builder. For every other
    /// profile it returns the reason of the standstill. All builds of a round see the same channel,
    /// and vessel is asked only when a builder is free.
    async fn open_profiles(
        &self,
        now: Timestamp,
        builders: &Builders,
    ) -> (
        BTreeMap<Architecture, Arc<Snapshot>>,
        BTreeMap<Architecture, Obstacle>,
    ) {
        let (mut open, mut standstill) = (BTreeMap::new(), BTreeMap::new());
        for profile in self.ready_profiles(now) {
            if !builders.is_one_free(&profile) {
                let reason = builders.why_none(&profile);
                standstill.insert(profile, reason);
                continue;
            }
            let channel = self.channel(&profile).map_err(Arc::new);
            let fresh = match &channel {
                Ok(channel) => channel.fresh().await,
                Err(error) => Err(Arc::clone(error)),
            };
            match fresh {
                Ok(snapshot) => drop(open.insert(profile, snapshot)),
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "the channel is out of reach");
                    let since = channel.map_or(now, |channel| channel.silent_since(now));
                    let obstacle = Obstacle {
                        reason: error.explain(since),
                        is_outage: true,
                    };
                    standstill.insert(profile, obstacle);
                }
            }
        }
        (open, standstill)
    }

    /// The profiles with ready builds.
    fn ready_profiles(&self, now: Timestamp) -> BTreeSet<Architecture> {
        let under_way = self.under_way();
        let ready = under_way.ready(now);
        ready.map(|build| build.profile.clone()).collect()
    }

    /// Delays builds that lack something while an active build may still provide it; else holds
    /// them. Nobody knows what a recipe provides before its first build.
    async fn settle_lacking(&self, lacking: HashMap<BuildId, Hold>) {
        for (build, hold, may_come) in self.hopes(&lacking) {
            if may_come {
                let described = hold.describe();
                let reason = format!("{described}; builds under way may provide what is missing");
                self.delay(&build, reason).await;
                continue;
            }
            let hold = match self.suspect(&build, hold, &lacking).await {
                Ok(hold) => hold,
                Err(error) => {
                    tracing::error!(%error, "the builds of a head cannot be read");
                    continue;
                }
            };
            match self.change(build.id, Event::Held(hold)).await {
                Ok(_) | Err(ChangeError::Illegal(_)) => {}
                Err(error) => tracing::error!(%error, "a build cannot be held"),
            }
        }
    }

    /// The builds that lack something, oldest first, each with whether an active build may provide
    /// it.
    fn hopes<'lacking>(
        &self,
        lacking: &'lacking HashMap<BuildId, Hold>,
    ) -> Vec<(Arc<Build>, &'lacking Hold, bool)> {
        if lacking.is_empty() {
            return Vec::new();
        }
        let under_way = self.under_way();
        let hopeful = hopeful(&under_way, |id| lacking.contains_key(&id));
        let found = lacking.iter();
        let found: Vec<(Arc<Build>, &Hold)> = found
            .filter_map(|(id, hold)| Some((Arc::clone(under_way.find(*id)?), hold)))
            .collect();
        drop(under_way);
        let hopes = found.into_iter().map(|(build, hold)| {
            let may_come = may_be_provided(&build, &hopeful);
            (build, hold, may_come)
        });
        let mut hopes: Vec<_> = hopes.collect();
        hopes.sort_by_key(|(build, _, _)| build.id);
        hopes
    }

    /// The hold of a build that lacks something. If builds of its head failed and may have provided
    /// the missing part, the hold names them as suspects.
    async fn suspect(
        &self,
        build: &Build,
        hold: &Hold,
        lacking: &HashMap<BuildId, Hold>,
    ) -> Result<Hold, moss_db::Error> {
        let Hold::Needs { missing } = hold else {
            return Ok(hold.clone());
        };
        let tables = self.tables.clone();
        let (repository, commit) = (build.repository, build.commit);
        let head = self
            .db
            .query(move |txn| tables.newest_of_head(txn, repository, commit, None))
            .await?;
        let of = suspects(build, missing, &head, |id| lacking.contains_key(&id));
        Ok(match of.as_slice() {
            [] => hold.clone(),
            _ => Hold::Suspected {
                missing: missing.clone(),
                of,
            },
        })
    }

    /// Sends builds back to the queue whose assets are needed but unavailable: at once when the
    /// builder does not have them any more, else after the builder was silent for two leases, as
    /// for an attempt. True when there were such builds.
    async fn give_up_assets(
        &self,
        since: &mut OutOfReach,
        unavailable: HashMap<AttemptId, Unavailable>,
    ) -> bool {
        let now = self.clock.now();
        since
            .0
            .retain(|attempt, _| unavailable.contains_key(attempt));
        let patience = 2 * i64::from(self.config.limits.lease_seconds);
        let mut moved = false;
        for (attempt, what) in unavailable {
            let since = *since.0.entry(attempt).or_insert(now);
            let is_silent = now.duration_since(since).as_secs() >= patience;
            let reason = match what.hope {
                Hope::None => format!("the stones on {} are lost: {}", what.builder, what.message),
                Hope::Some if is_silent => {
                    format!(
                        "summit cannot get the stones from {}: {}",
                        what.builder, what.message
                    )
                }
                Hope::Some | Hope::Kept => continue,
            };
            tracing::warn!(attempt.id = %attempt, reason, "built in vain");
            let event = Event::AssetsGone { attempt, reason };
            match self.change(attempt.build(), event).await {
                Ok(_) => moved = true,
                Err(ChangeError::Illegal(_) | ChangeError::Unknown(_)) => {}
                Err(error) => tracing::error!(%error, "a build cannot be sent back"),
            }
        }
        moved
    }

    async fn delay(&self, build: &Build, reason: String) {
        let known = matches!(&build.state, State::Queued { reason: Some(r), .. } if *r == reason);
        if known {
            return;
        }
        match self.change(build.id, Event::Delayed { reason }).await {
            Ok(_) | Err(ChangeError::Illegal(_)) => {}
            Err(error) => tracing::error!(%error, "a build cannot be delayed"),
        }
    }

    async fn dispatch(
        &self,
        build: &Build,
        builders: &mut Builders,
        snapshot: &Arc<Snapshot>,
    ) -> Result<Dispatched, Error> {
        let (closure, unmet) = self.closure(build, builders, snapshot).await?;
        builders
            .look_up(&BTreeSet::from([build.profile.clone()]), &unmet)
            .await;
        let choice = choose(build, &builders.seen(&build.profile, &unmet));
        match choice {
            Choice::Builder(name) => {
                let order = self.order(build, snapshot, closure, unmet).await?;
                self.hand_over(build, name.clone(), order).await?;
                builders.take(&name);
                Ok(Dispatched::Ordered)
            }
            Choice::Wait(reason) => Ok(Dispatched::Waits(reason)),
            Choice::Hold(hold) => Ok(Dispatched::Lacks(hold)),
        }
    }

    /// The client of a builder, if the builder is still configured.
    pub(super) fn find_builder(&self, name: &api::id::ServiceName) -> Option<&Client> {
        self.builders.get(name).map(|builder| &builder.client)
    }
}

#[cfg(test)]
mod tests;
