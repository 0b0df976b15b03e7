//! Looking again at builds that are held by their needs, once there is something new to look at:
//! another channel, another builder, or another host of a builder.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::id::{Architecture, ServiceName, Sha256};

use super::Summit;
use super::channel::Snapshot;
use super::dispatch::Builders;
use crate::db::ChangeError;
use crate::domain::build::{Build, Event, Hold, Stage};

/// What was looked at last. It is not kept over a restart: then all is looked at once more.
#[derive(Debug, Default)]
pub(super) struct Considered {
    channels: BTreeMap<Architecture, Sha256>,
    hosts: BTreeMap<ServiceName, Sha256>,
}

impl Summit {
    /// Lets builds that lack something be dispatched again when some of it is there now.
    pub(super) async fn reconsider(&self, considered: &mut Considered) -> Result<(), ChangeError> {
        let held: Vec<Arc<Build>> = {
            let under_way = self.under_way();
            let held = under_way.in_stage(Stage::Held);
            held.filter(|build| find_needs(build).is_some())
                .cloned()
                .collect()
        };
        if held.is_empty() {
            return Ok(());
        }
        let mut met = self.met_by_channel(&held, considered).await;
        met.extend(self.met_by_hosts(&held, considered).await);
        for id in met {
            match self.change(id, Event::Ready).await {
                // It may have been superseded meanwhile.
                Ok(_) | Err(ChangeError::Illegal(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The builds that the channel has something for now.
    async fn met_by_channel(
        &self,
        held: &[Arc<Build>],
        considered: &mut Considered,
    ) -> BTreeSet<api::id::BuildId> {
        let mut met = BTreeSet::new();
        for (profile, channel) in &self.channels {
            let mut held = held.to_vec();
            held.retain(|build| build.profile == *profile);
            if held.is_empty() {
                continue;
            }
            let snapshot = match channel.snapshot().await {
                Ok(snapshot) => snapshot,
                Err(error) => {
                    let error = service::error::Chain(&error);
                    tracing::warn!(%error, "the channel is out of reach");
                    continue;
                }
            };
            let before = match snapshot.digest {
                Some(digest) => considered.channels.insert(profile.clone(), digest),
                None => considered.channels.remove(profile),
            };
            if snapshot.digest.is_none() || snapshot.digest != before {
                met.extend(met_in(&held, &snapshot));
            }
        }
        met
    }

    /// The builds that a host has something for now that is another than it was.
    async fn met_by_hosts(
        &self,
        held: &[Arc<Build>],
        considered: &mut Considered,
    ) -> BTreeSet<api::id::BuildId> {
        let mut builders = self.ask_builders().await;
        let changed: Vec<(ServiceName, Sha256)> = builders
            .hosts()
            .filter(|(name, host)| considered.hosts.get(*name) != Some(host))
            .map(|(name, host)| (name.clone(), host))
            .collect();
        let mut met = BTreeSet::new();
        if changed.is_empty() {
            return met;
        }
        let needs: BTreeSet<String> = held.iter().flat_map(|build| all_needs(build)).collect();
        let needs: Vec<String> = needs.into_iter().collect();
        builders.look_up(&needs).await;
        for (name, host) in changed {
            for build in held {
                if is_better(build, &name, &builders) {
                    met.insert(build.id);
                }
            }
            // One that went silent meanwhile is to be looked at when it is back.
            if builders.lacks(&name, &[]).is_some() {
                considered.hosts.insert(name, host);
            }
        }
        met
    }
}

/// What holds a build that is held by its needs.
fn find_needs(build: &Build) -> Option<&Hold> {
    build.state.find_hold().filter(|hold| match hold {
        Hold::Needs { .. } | Hold::Suspected { .. } | Hold::Scattered { .. } => true,
        Hold::Build { .. } | Hold::Approval { .. } | Hold::TooLarge { .. } => false,
    })
}

/// All needs by which a build is held.
fn all_needs(build: &Build) -> Vec<String> {
    match find_needs(build) {
        Some(Hold::Needs { missing } | Hold::Suspected { missing, .. }) => missing.clone(),
        Some(Hold::Scattered { lacking }) => lacking.values().flatten().cloned().collect(),
        Some(Hold::Build { .. } | Hold::Approval { .. } | Hold::TooLarge { .. }) | None => {
            Vec::new()
        }
    }
}

fn met_in(held: &[Arc<Build>], snapshot: &Snapshot) -> BTreeSet<api::id::BuildId> {
    let is_met = |need: &String| {
        need.parse()
            .is_ok_and(|need| snapshot.universe.provider_of(&need).is_some())
    };
    let held = held.iter();
    held.filter(|build| all_needs(build).iter().any(is_met))
        .map(|build| build.id)
        .collect()
}

/// True when the host of a builder has more of what a build lacks than it had.
fn is_better(build: &Build, name: &ServiceName, builders: &Builders) -> bool {
    let needs = all_needs(build);
    let Some(lacks) = builders.lacks(name, &needs) else {
        return false;
    };
    match find_needs(build) {
        // No host had any of these.
        Some(Hold::Needs { .. } | Hold::Suspected { .. }) => lacks.len() < needs.len(),
        // What is named for the other builders, this one has, or it would be named for it too.
        Some(Hold::Scattered { lacking }) => match lacking.get(name) {
            Some(before) => before.iter().any(|need| !lacks.contains(need)),
            None => lacks.is_empty(),
        },
        Some(Hold::Build { .. } | Hold::Approval { .. } | Hold::TooLarge { .. }) | None => false,
    }
}
