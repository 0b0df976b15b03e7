//! The scheduler. It moves every build that is not on a builder according to the builds before it,
//! and begins imports.
//!
//! A round visits only builds that have moved and the builds after them, not everything under way.
//! All decisions use rows of the same transaction that writes the result.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use api::id::{BuildId, ImportId};
use jiff::Timestamp;

use super::dispatch::{Dispatch, OutOfReach};
use super::reconsider::Considered;
use super::standstill::RETRY;
use super::{Backoff, Summit};
use crate::db::{ChangeError, Tables, Write};
use crate::domain::build::{Build, Event, Stage};
use crate::domain::schedule::decide;
use crate::domain::under_way::looked_at_by;

/// How many builds one transaction visits. Webhooks wait for it.
const BATCH: usize = 250;

pub(super) async fn work(summit: Arc<Summit>) {
    let mut backoff = Backoff::new();
    let mut considered = Considered::default();
    let mut out_of_reach = OutOfReach::default();
    loop {
        match summit.round(&mut considered, &mut out_of_reach).await {
            Ok(Dispatch::Moved) => backoff.reset(),
            // No event reports that a builder or vessel is back.
            Ok(Dispatch::Waiting) => summit.wakes.schedule.wait_at_most(RETRY).await,
            Ok(Dispatch::Idle) => summit.wakes.schedule.wait().await,
            Err(error) => {
                tracing::error!(error = %service::error::Chain(&error), "scheduling failed");
                backoff.wait().await;
            }
        }
    }
}

impl Summit {
    /// Moves all builds as far as possible.
    async fn round(
        &self,
        considered: &mut Considered,
        out_of_reach: &mut OutOfReach,
    ) -> Result<Dispatch, ChangeError> {
        while self.schedule().await? {}
        self.reconsider(considered).await?;
        Ok(self.dispatch_all(out_of_reach).await)
    }

    /// Visits some of the builds that have moved. True when there were some.
    async fn schedule(&self) -> Result<bool, ChangeError> {
        let moved = self.under_way().take_moved(BATCH);
        if moved.is_empty() {
            return Ok(false);
        }
        let (tables, now, looked) = (self.tables.clone(), self.clock.now(), moved.clone());
        let passed = self
            .submit(move |txn| pass(&tables, txn, &looked, now))
            .await;
        if passed.is_err() {
            self.under_way().give_back_moved(moved);
        }
        passed.map(|()| true)
    }
}

/// Moves each build in `moved` and the builds after it.
fn pass(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    moved: &BTreeSet<BuildId>,
    now: Timestamp,
) -> Result<(), ChangeError> {
    let mut known = Known::default();
    for id in moved {
        known.read(tables, txn, *id)?;
        let Some(build) = known.find(*id) else {
            continue;
        };
        if build.state.stage().is_scheduled() {
            let mut is_known = true;
            for other in looked_at_by(build) {
                is_known &= known.read(tables, txn, other)?;
            }
            let build = known.find(*id).expect("it was read above");
            // If an earlier build's row is unreadable, no decision is possible.
            if is_known && let Some(event) = decide(build, |id| known.find(id)) {
                let changed = tables.change_build(txn, build.clone(), event, now)?;
                known.0.insert(*id, Some(changed));
            }
        }
    }
    for group in publishable(tables, txn, &mut known, moved)? {
        let import = ImportId::new();
        for id in group {
            tables.change(txn, id, Event::ImportBegun { import }, now)?;
        }
    }
    Ok(())
}

/// The rows that a pass has read, so that it reads each build once.
#[derive(Default)]
struct Known(HashMap<BuildId, Option<Build>>);

impl Known {
    /// False when the build's row is unreadable.
    fn read(
        &mut self,
        tables: &Tables,
        txn: &Write<'_, '_>,
        id: BuildId,
    ) -> Result<bool, moss_db::Error> {
        if self.0.contains_key(&id) {
            return Ok(true);
        }
        match tables.find_build(txn, id) {
            Ok(build) => {
                self.0.insert(id, build);
                Ok(true)
            }
            Err(error) if error.is_of_a_row() => {
                let error = service::error::Chain(&error);
                tracing::error!(build.id = %id, %error, "a build cannot be read; later ones wait");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn find(&self, id: BuildId) -> Option<&Build> {
        self.0.get(&id)?.as_ref()
    }
}

/// The importable groups with a member in `moved`: a single build, or all members of a cycle.
fn publishable(
    tables: &Tables,
    txn: &Write<'_, '_>,
    known: &mut Known,
    moved: &BTreeSet<BuildId>,
) -> Result<Vec<Vec<BuildId>>, moss_db::Error> {
    let mut taken = HashSet::new();
    let mut groups = Vec::new();
    for id in moved {
        let Some(build) = known.find(*id).filter(|build| is_publishable(build)) else {
            continue;
        };
        let group = match build.cycle.as_slice() {
            [] => vec![*id],
            members => members.to_vec(),
        };
        for member in &group {
            known.read(tables, txn, *member)?;
        }
        let is_ready = |member: &BuildId| known.find(*member).is_some_and(is_publishable);
        if group
            .iter()
            .all(|member| is_ready(member) && !taken.contains(member))
        {
            taken.extend(group.iter().copied());
            groups.push(group);
        }
    }
    Ok(groups)
}

fn is_publishable(build: &Build) -> bool {
    build.state.stage() == Stage::Built && build.target.is_published()
}

#[cfg(test)]
mod tests;
