//! Reconsiders builds that are held by their needs, after a change: a new channel, a new builder,
//! or a new host of a builder.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::id::{Architecture, ServiceName, Sha256};

use super::Summit;
use super::channel::Snapshot;
use super::dispatch::Builders;
use crate::db::ChangeError;
use crate::domain::build::{Build, Event, Hold, Stage};

/// The channels and hosts of the last check. After a restart, everything is checked once more.
#[derive(Debug, Default)]
pub(super) struct Considered {
    channels: BTreeMap<Architecture, Sha256>,
    hosts: BTreeMap<ServiceName, Sha256>,
}

impl Summit {
    /// Sends held builds back to the queue when some of their missing needs are available now.
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

    /// The held builds with a need that the channel now meets.
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
            let snapshot = match channel.fresh().await {
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

    /// The held builds with a need that a changed host now meets.
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
        let profiles = held.iter().map(|build| build.profile.clone()).collect();
        builders.look_up(&profiles, &needs).await;
        for (name, host) in changed {
            for build in held {
                if is_better(build, &name, &builders) {
                    met.insert(build.id);
                }
            }
            // A builder that fell silent meanwhile is checked when it is back.
            if builders.lacks(&name, &needs).is_some() {
                considered.hosts.insert(name, host);
            }
        }
        met
    }
}

/// The hold of a build that lacks something.
fn find_needs(build: &Build) -> Option<&Hold> {
    build.state.find_hold().filter(|hold| match hold {
        Hold::Needs { .. } | Hold::Suspected { .. } | Hold::Scattered { .. } => true,
        Hold::Build { .. } | Hold::Approval(_) | Hold::TooLarge { .. } | Hold::Draft => false,
    })
}

/// All needs in the hold of a build.
fn all_needs(build: &Build) -> Vec<String> {
    match find_needs(build) {
        Some(Hold::Needs { missing } | Hold::Suspected { missing, .. }) => missing.clone(),
        Some(Hold::Scattered { lacking }) => lacking.values().flatten().cloned().collect(),
        Some(Hold::Build { .. } | Hold::Approval(_) | Hold::TooLarge { .. } | Hold::Draft)
        | None => Vec::new(),
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

/// True when a builder's host now supplies more of a build's missing needs than before.
fn is_better(build: &Build, name: &ServiceName, builders: &Builders) -> bool {
    let needs = all_needs(build);
    let Some(lacks) = builders.lacks(name, &needs) else {
        return false;
    };
    match find_needs(build) {
        // Before, no host supplied any of these.
        Some(Hold::Needs { .. } | Hold::Suspected { .. }) => lacks.len() < needs.len(),
        // The hold lists what each builder lacks. A need that is listed only for other builders,
        // this builder had.
        Some(Hold::Scattered { lacking }) => match lacking.get(name) {
            Some(before) => before.iter().any(|need| !lacks.contains(need)),
            None => lacks.is_empty(),
        },
        Some(Hold::Build { .. } | Hold::Approval(_) | Hold::TooLarge { .. } | Hold::Draft)
        | None => false,
    }
}
