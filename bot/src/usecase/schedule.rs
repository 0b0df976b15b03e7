//! Brings every build that no builder has to where the builds before it say it should be, and
//! begins imports.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use api::id::{BuildId, ImportId};

use super::dispatch::{Dispatch, OutOfReach};
use super::reconsider::Considered;
use super::{Backoff, Summit};
use crate::db::{ChangeError, Tables};
use crate::domain::build::{Build, Event, Hold, State, Suspect};
use crate::domain::schedule::decide;

/// How soon a build is tried again that no builder took.
const RETRY: Duration = Duration::from_secs(5);

pub(super) async fn work(summit: Arc<Summit>) {
    let mut backoff = Backoff::new();
    let mut considered = Considered::default();
    let mut out_of_reach = OutOfReach::default();
    loop {
        match summit.round(&mut considered, &mut out_of_reach).await {
            Ok(Dispatch::Moved) => backoff.reset(),
            // Nobody tells when a builder or vessel is back.
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
    /// Brings all builds as far as they come now.
    async fn round(
        &self,
        considered: &mut Considered,
        out_of_reach: &mut OutOfReach,
    ) -> Result<Dispatch, ChangeError> {
        while self.schedule().await? {}
        self.reconsider(considered).await?;
        Ok(self.dispatch_all(out_of_reach).await)
    }

    /// One pass over all builds under way; true when something moved.
    async fn schedule(&self) -> Result<bool, ChangeError> {
        let tables = self.tables.clone();
        let now = self.clock.now();
        let moved = self
            .db
            .submit(move |txn| {
                let active = tables.active_builds(txn)?;
                let mut moved = false;
                for build in &active {
                    let before = before(&tables, txn, build)?;
                    let Some(event) = decide(build, |id| before.get(&id).cloned()) else {
                        continue;
                    };
                    let after = tables.change(txn, build.id, event, now)?;
                    moved |= after.seq != build.seq;
                }
                for group in publishable(&active) {
                    let import = ImportId::new();
                    for id in group {
                        tables.change(txn, id, Event::ImportBegun { import }, now)?;
                    }
                    moved = true;
                }
                Ok::<_, ChangeError>(moved)
            })
            .await?;
        if moved {
            self.wakes.reconcile.wake();
            self.wakes.publish.wake();
            self.wakes.outbox.wake();
        }
        Ok(moved)
    }
}

/// The builds that `build` comes after, those that hold it, and the members of its cycle, as far as they are remembered.
fn before(
    tables: &Tables,
    txn: &moss_db::RoTxn<'_>,
    build: &Build,
) -> Result<HashMap<BuildId, Build>, moss_db::Error> {
    let mut before = HashMap::new();
    for id in build.after.iter().chain(&build.behind).chain(&build.cycle) {
        before.extend(tables.builds.find(txn, id)?.map(|build| (*id, build)));
    }
    if let State::Held {
        by: Hold::Suspected { of, .. },
        ..
    } = &build.state
    {
        for Suspect { build: id, .. } in of {
            before.extend(tables.builds.find(txn, id)?.map(|build| (*id, build)));
        }
    }
    Ok(before)
}

/// The groups of builds that can be imported: each alone, a cycle's members together.
fn publishable(active: &[Build]) -> Vec<Vec<BuildId>> {
    let built: HashSet<BuildId> = active
        .iter()
        .filter(|build| matches!(build.state, State::Built(_)) && build.target.is_published())
        .map(|build| build.id)
        .collect();
    let mut taken = HashSet::new();
    let mut groups = Vec::new();
    for build in active.iter().filter(|build| built.contains(&build.id)) {
        let group = match build.cycle.as_slice() {
            [] => vec![build.id],
            members => members.to_vec(),
        };
        if group
            .iter()
            .all(|member| built.contains(member) && !taken.contains(member))
        {
            taken.extend(group.iter().copied());
            groups.push(group);
        }
    }
    groups
}
