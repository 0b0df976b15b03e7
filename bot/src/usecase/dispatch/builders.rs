//! The builders as one round sees them: how busy they are, and what their hosts supply.
//!
//! A round asks all builders at once and continues with those that answer.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use api::id::{Architecture, ServiceName, Sha256};
use futures_util::future::join_all;

use crate::domain::build::{Stage, State};
use crate::domain::choose::{Answer, Seen, is_outage, why_waiting};
use crate::usecase::Summit;
use crate::usecase::builder::{Builder, BuilderState};
use crate::usecase::standstill::Obstacle;

/// The answers of all builders in one round.
pub(in crate::usecase) struct Builders {
    all: BTreeMap<ServiceName, Known>,
}

/// The answers of one builder in one round.
struct Known {
    builder: Arc<Builder>,
    standing: BuilderState,
    /// How many more attempts it accepts.
    free: u32,
}

/// Whether a builder is available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// It answers.
    Up,
    /// It does not answer.
    Silent,
    /// It answers that it has just started.
    Starting,
    /// It is not configured.
    Unknown,
}

impl Summit {
    /// Asks all builders how busy they are.
    pub(in crate::usecase) async fn ask_builders(&self) -> Builders {
        let mut taken: HashMap<ServiceName, u32> = HashMap::new();
        for build in self.under_way().in_stage(Stage::Building) {
            if let State::Building { builder, .. } = &build.state {
                *taken.entry(builder.clone()).or_default() += 1;
            }
        }
        let wishes: Vec<_> = self
            .builders
            .iter()
            .map(|(name, builder)| (name.clone(), Arc::clone(builder), builder.status.wish()))
            .collect();
        let asked = wishes.into_iter().map(|(name, builder, wish)| async move {
            let answer = builder.status.hear(wish).await;
            let answer = answer.unwrap_or_else(|| builder.unheard());
            (name, builder, answer)
        });
        let mut all = BTreeMap::new();
        for (name, builder, standing) in join_all(asked).await {
            let taking = standing.find().filter(|status| status.no_orders.is_none());
            let slots = taking.map_or(0, |status| status.slots);
            let free = slots.saturating_sub(taken.get(&name).copied().unwrap_or(0));
            let known = Known {
                builder,
                standing,
                free,
            };
            all.insert(name, known);
        }
        Builders { all }
    }
}

impl Builders {
    /// True when some builder accepts another attempt for a profile.
    pub(super) fn is_one_free(&self, profile: &Architecture) -> bool {
        let takes = |known: &Known| {
            let status = known.standing.find();
            status.is_some_and(|status| known.free > 0 && status.architectures.contains(profile))
        };
        self.all.values().any(takes)
    }

    /// Why no builder accepts a build of a profile.
    pub(super) fn why_none(&self, profile: &Architecture) -> Obstacle {
        let seen = self.seen(profile, &[]);
        Obstacle {
            reason: why_waiting(&[], &seen),
            is_outage: is_outage(&seen),
        }
    }

    /// Whether a builder is available.
    pub(super) fn presence(&self, name: &ServiceName) -> Presence {
        match self.all.get(name).map(|known| &known.standing) {
            Some(BuilderState::Up(_)) => Presence::Up,
            Some(BuilderState::Silent { .. }) => Presence::Silent,
            Some(BuilderState::Starting) => Presence::Starting,
            None => Presence::Unknown,
        }
    }

    /// Counts one more attempt on a builder.
    pub(super) fn take(&mut self, name: &ServiceName) {
        if let Some(known) = self.all.get_mut(name) {
            known.free = known.free.saturating_sub(1);
        }
    }

    /// The host fingerprint of each builder that answers.
    pub(in crate::usecase) fn hosts(&self) -> impl Iterator<Item = (&ServiceName, Sha256)> {
        let all = self.all.iter();
        all.filter_map(|(name, known)| Some((name, known.standing.find()?.host)))
    }

    /// Asks every builder that builds for one of `profiles` which of `needs` its host supplies. Callers pass
    /// over a builder that needs longer than a moment to say so.
    pub(in crate::usecase) async fn look_up(
        &mut self,
        profiles: &BTreeSet<Architecture>,
        needs: &[String],
    ) {
        let is_able = |known: &&mut Known| {
            let status = known.standing.find();
            status.is_some_and(|status| profiles.iter().any(|p| status.architectures.contains(p)))
        };
        let able = self.all.values_mut().filter(is_able);
        let asked = able.map(|known| async move {
            if !known.builder.look_up(needs).await {
                known.standing = known.builder.unheard();
                known.free = 0;
            }
        });
        join_all(asked).await;
    }

    /// Those of `needs` that the host of `name` lacks; `None` when the builder did not answer.
    pub(in crate::usecase) fn lacks(
        &self,
        name: &ServiceName,
        needs: &[String],
    ) -> Option<Vec<String>> {
        let known = self.all.get(name)?;
        known.standing.find()?;
        known.builder.lacks(needs)
    }

    /// All builders as seen by a build with these `needs` of the host.
    pub(super) fn seen(&self, profile: &Architecture, needs: &[String]) -> Vec<Seen> {
        let all = self.all.iter();
        all.map(|(name, known)| Seen {
            name: name.clone(),
            answer: match &known.standing {
                BuilderState::Silent { since } => Answer::Silence { since: *since },
                BuilderState::Starting => Answer::Starting,
                BuilderState::Up(status) if !status.architectures.contains(profile) => {
                    Answer::OtherArchitectures
                }
                BuilderState::Up(status) => match (known.builder.lacks(needs), status.no_orders) {
                    (Some(lacks), Some(why)) if lacks.is_empty() => Answer::NoOrders(why),
                    (Some(lacks), _) => Answer::Slots {
                        free: known.free,
                        lacks,
                    },
                    (None, _) => Answer::Starting,
                },
            },
        })
        .collect()
    }
}
