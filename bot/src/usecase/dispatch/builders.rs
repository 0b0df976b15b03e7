//! What builders say: how busy they are, and what their hosts supply.
//!
//! A round of the scheduler asks all of them at once and goes on with those that answer.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use api::id::{Architecture, ServiceName, Sha256};
use futures_util::future::join_all;

use crate::domain::build::{Stage, State};
use crate::domain::choose::{Answer, Seen, why_waiting};
use crate::usecase::Summit;
use crate::usecase::builder::{Builder, Standing};

/// All builders, as they answer in one round.
pub(in crate::usecase) struct Builders {
    all: BTreeMap<ServiceName, Known>,
}

/// What is known of one builder in a round.
struct Known {
    builder: Arc<Builder>,
    standing: Standing,
    /// How many more attempts it takes.
    free: u32,
}

/// Whether a builder is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// It answers.
    Up,
    /// It does not.
    Silent,
    /// It answers that it was just started.
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
            (name, builder, answer.unwrap_or(Standing::Silent))
        });
        let mut all = BTreeMap::new();
        for (name, builder, standing) in join_all(asked).await {
            let slots = standing.find().map_or(0, |status| status.slots);
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
    /// True when some builder takes one more attempt for a profile.
    pub(super) fn is_one_free(&self, profile: &Architecture) -> bool {
        let takes = |known: &Known| {
            let status = known.standing.find();
            status.is_some_and(|status| known.free > 0 && status.architectures.contains(profile))
        };
        self.all.values().any(takes)
    }

    /// Why no builder takes a build for a profile, whichever.
    pub(super) fn why_none(&self, profile: &Architecture) -> String {
        why_waiting(&[], &self.seen(profile, &[]))
    }

    /// Whether a builder is there.
    pub(super) fn presence(&self, name: &ServiceName) -> Presence {
        match self.all.get(name).map(|known| &known.standing) {
            Some(Standing::Up(_)) => Presence::Up,
            Some(Standing::Silent) => Presence::Silent,
            Some(Standing::Starting) => Presence::Starting,
            None => Presence::Unknown,
        }
    }

    /// Counts an attempt more.
    pub(super) fn take(&mut self, name: &ServiceName) {
        if let Some(known) = self.all.get_mut(name) {
            known.free = known.free.saturating_sub(1);
        }
    }

    /// What the host of each builder that answers is.
    pub(in crate::usecase) fn hosts(&self) -> impl Iterator<Item = (&ServiceName, Sha256)> {
        let all = self.all.iter();
        all.filter_map(|(name, known)| Some((name, known.standing.find()?.host)))
    }

    /// Asks every builder that answers which of `needs` its host supplies. One that does not say so within
    /// a moment is passed over in this round.
    pub(in crate::usecase) async fn look_up(&mut self, needs: &[String]) {
        let mut asked = Vec::new();
        for known in self.all.values_mut() {
            if known.standing.find().is_some() {
                asked.push(known.look_up(needs));
            }
        }
        join_all(asked).await;
    }

    /// Those of `needs` that were looked up and the host of `name` lacks; none when it did not
    /// answer.
    pub(in crate::usecase) fn lacks(
        &self,
        name: &ServiceName,
        needs: &[String],
    ) -> Option<Vec<String>> {
        let known = self.all.get(name)?;
        known.standing.find()?;
        Some(known.builder.lacks(needs))
    }

    /// The builders as a build sees them that needs `needs` of their hosts.
    pub(super) fn seen(&self, profile: &Architecture, needs: &[String]) -> Vec<Seen> {
        let all = self.all.iter();
        all.map(|(name, known)| Seen {
            name: name.clone(),
            answer: match &known.standing {
                Standing::Silent => Answer::Silence,
                Standing::Starting => Answer::Starting,
                Standing::Up(status) if !status.architectures.contains(profile) => {
                    Answer::OtherArchitectures
                }
                Standing::Up(_) => Answer::Slots {
                    free: known.free,
                    lacks: known.builder.lacks(needs),
                },
            },
        })
        .collect()
    }
}

impl Known {
    async fn look_up(&mut self, needs: &[String]) {
        if !self.builder.knows(needs) {
            self.standing = self.builder.look_up(needs).await;
        }
        if self.standing.is_silence() {
            self.free = 0;
        }
    }
}
