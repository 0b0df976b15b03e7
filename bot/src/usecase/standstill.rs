//! Standstills: no builder gets any of the builds for a profile that are ready.
//!
//! Pages, `/status` and the status show a standstill at once. Check runs show one only when somebody has
//! to mend something: slots come free by themselves, and GitHub takes few writes. They are told of it
//! after a while, and only those of the builds that are next in turn.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::id::{Architecture, BuildId};
use jiff::Timestamp;

use super::wake::locked;
use super::{Standstill, Summit};
use crate::db::ChangeError;
use crate::domain::build::Event;
use crate::domain::silence::PATIENCE;
use crate::domain::under_way::UnderWay;

/// The pause before builds are offered to the builders again.
pub const RETRY: Duration = Duration::from_secs(5);

/// How many builds are told.
const MAX_TOLD: usize = 50;

/// What keeps all ready builds of a profile from builders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Obstacle {
    /// The reason, as a part of a sentence.
    pub(super) reason: String,
    /// True when it does not pass by itself.
    pub(super) is_outage: bool,
}

impl Standstill {
    /// What check runs say of it.
    fn tell(&self, now: Timestamp) -> Option<String> {
        let is_told = self.is_outage && now.duration_since(self.since) >= PATIENCE;
        is_told.then(|| {
            let seconds = RETRY.as_secs();
            format!("{}; summit asks again every {seconds} seconds", self.reason)
        })
    }
}

impl Summit {
    /// Stores the standstills: an obstacle for each profile that has ready builds and dispatches none.
    pub(super) fn note_standstill(&self, mut obstacles: BTreeMap<Architecture, Obstacle>) {
        let mut standstill = locked(&self.standstill);
        standstill.retain(|profile, known| {
            let now = obstacles.get(profile);
            let is_same = now.is_some_and(|now| now.reason == known.reason);
            if is_same {
                obstacles.remove(profile);
            }
            is_same
        });
        let since = self.clock.now();
        for (profile, Obstacle { reason, is_outage }) in obstacles {
            tracing::info!(build.profile = %profile, reason, "standstill: no build is dispatched");
            let begun = Standstill {
                reason,
                is_outage,
                since,
            };
            standstill.insert(profile, begun);
        }
    }

    /// The standstill of each profile that has one.
    pub fn standstill(&self) -> BTreeMap<Architecture, Standstill> {
        locked(&self.standstill).clone()
    }

    /// Has check runs show the standstills, and forget those that are over.
    pub(super) async fn tell_standstill(&self) {
        let (standstill, now) = (self.standstill(), self.clock.now());
        let changes = changes(&self.under_way(), &standstill, now);
        if changes.is_empty() {
            return;
        }
        let tables = self.tables.clone();
        let told = self.submit(move |txn| {
            for (id, reason) in changes {
                match tables.change(txn, id, Event::Standstill { reason }, now) {
                    Ok(_) | Err(ChangeError::Illegal(_) | ChangeError::Unknown(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        });
        if let Err(error) = told.await {
            tracing::error!(%error, "a standstill cannot be stored");
        }
    }
}

/// What builds are to be told that they do not know yet; nothing of a standstill that is over.
fn changes(
    under_way: &UnderWay,
    standstill: &BTreeMap<Architecture, Standstill>,
    now: Timestamp,
) -> BTreeMap<BuildId, Option<String>> {
    let told = standstill.iter();
    let told: BTreeMap<&Architecture, String> = told
        .filter_map(|(profile, standstill)| Some((profile, standstill.tell(now)?)))
        .collect();
    let known: BTreeSet<BuildId> = under_way.told().collect();
    let mut wanted: BTreeMap<BuildId, Option<String>> =
        known.into_iter().map(|id| (id, None)).collect();
    if !told.is_empty() {
        for build in under_way.ready(now).take(MAX_TOLD) {
            if let Some(reason) = told.get(&build.profile) {
                wanted.insert(build.id, Some(reason.clone()));
            }
        }
    }
    wanted.retain(|id, reason| {
        let build = under_way.find(*id);
        build.is_some_and(|build| build.standstill != *reason)
    });
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::build::example::{at, build, id, profile};
    use crate::domain::build::{Build, State};

    fn queued(number: u8) -> Build {
        let mut build = build(number, "nano");
        build.state = State::Queued {
            since: at(0),
            reason: None,
        };
        build
    }

    fn silent() -> BTreeMap<Architecture, Standstill> {
        let standstill = Standstill {
            reason: "no builder can be reached".to_owned(),
            is_outage: true,
            since: at(0),
        };
        [(profile(), standstill)].into()
    }

    const TOLD: &str = "no builder can be reached; summit asks again every 5 seconds";

    #[test]
    fn builds_are_told_of_an_outage_that_lasts_and_of_its_end() {
        let mut under_way = UnderWay::new([queued(1)]);
        assert!(
            changes(&under_way, &silent(), at(29)).is_empty(),
            "it may pass"
        );
        let told = changes(&under_way, &silent(), at(30));
        assert_eq!(told, [(id(1), Some(TOLD.to_owned()))].into());
        let mut build = queued(1);
        build.standstill = Some(TOLD.to_owned());
        under_way.apply(id(1), Some(build.into()));
        assert!(changes(&under_way, &silent(), at(90)).is_empty());
        let over = changes(&under_way, &BTreeMap::new(), at(95));
        assert_eq!(over, [(id(1), None)].into());
        under_way.apply(id(1), Some(queued(1).into()));
        assert!(changes(&under_way, &BTreeMap::new(), at(99)).is_empty());
    }

    #[test]
    fn nobody_is_told_that_all_slots_are_taken() {
        let mut busy = silent();
        busy.values_mut().for_each(|one| one.is_outage = false);
        let under_way = UnderWay::new([queued(1)]);
        assert!(changes(&under_way, &busy, at(99)).is_empty());
    }

    #[test]
    fn only_those_are_told_whose_turn_is_next() {
        let under_way = UnderWay::new((1..=99).map(queued));
        let told = changes(&under_way, &silent(), at(30));
        let told: Vec<BuildId> = told.into_keys().collect();
        let next: Vec<BuildId> = (1..=50).map(id).collect();
        assert_eq!(told, next);
    }
}
