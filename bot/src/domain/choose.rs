//! Choosing a builder for a build.
//!
//! Three things decide: the needs that a builder's host meets, how often the builder lost this
//! build, and its free slots. While a busy or silent builder, or one that takes no orders, might be
//! able to build it, the build waits. It is held by its needs once every builder is known to lack
//! something.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use api::host::NoOrders;
use api::id::ServiceName;
use jiff::Timestamp;

use super::build::{Build, Hold, Loss, named};
use super::silence::has_not_answered;

/// A builder's answer for one build at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub name: ServiceName,
    /// Its answer.
    pub answer: Answer,
}

/// What a builder can do for a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The builder does not answer.
    Silence {
        /// Since when.
        since: Timestamp,
    },
    /// The builder has just started and does not know its host yet.
    Starting,
    /// The builder builds for other architectures.
    OtherArchitectures,
    /// The builder answers that it takes no orders. Its host supplies what the build needs.
    NoOrders(NoOrders),
    /// The builder answers with its free slots.
    Slots {
        /// How many more attempts it takes.
        free: u32,
        /// The needs that neither the closure nor its host meets, as text.
        lacks: Vec<String>,
    },
}

/// The decision about a build that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// This builder gets it.
    Builder(ServiceName),
    /// The build waits. The text names the builders and says why.
    Wait(String),
    /// No builder can build it.
    Hold(Hold),
}

/// Chooses a builder for `build`.
///
/// Only builders that have everything the build needs are candidates. Of these, the ones that lost
/// it least often come first, then the ones with the most free slots, then the first by name.
///
/// The build waits for a busy candidate that lost it less often than a free one. The number of
/// attempts is limited, and a free builder may be free because it is broken.
pub fn choose(build: &Build, builders: &[Seen]) -> Choice {
    let mut able: Vec<(&ServiceName, u32)> = Vec::new();
    let mut lacking: BTreeMap<&ServiceName, &[String]> = BTreeMap::new();
    let mut may_one_come = false;
    for builder in builders {
        match &builder.answer {
            Answer::Silence { .. } | Answer::Starting | Answer::NoOrders(_) => may_one_come = true,
            Answer::OtherArchitectures => {}
            Answer::Slots { free, lacks } if lacks.is_empty() => able.push((&builder.name, *free)),
            Answer::Slots { lacks, .. } => drop(lacking.insert(&builder.name, lacks)),
        }
    }
    let fewest = able
        .iter()
        .map(|(name, _)| lost_by(&build.losses, name))
        .min();
    able.retain(|(name, free)| *free > 0 && Some(lost_by(&build.losses, name)) == fewest);
    if let Some((name, _)) = able
        .iter()
        .min_by_key(|(name, free)| (Reverse(*free), *name))
    {
        return Choice::Builder((*name).clone());
    }
    if fewest.is_some() || may_one_come || lacking.is_empty() {
        return Choice::Wait(why_waiting(&build.losses, builders));
    }
    Choice::Hold(hold(&lacking))
}

/// Why a build with these losses waits. The builders that it waits for come first.
pub fn why_waiting(losses: &[Loss], builders: &[Seen]) -> String {
    if builders.is_empty() {
        return "no builder is configured".to_owned();
    }
    let all = |is_so: fn(&Answer) -> bool| builders.iter().all(|builder| is_so(&builder.answer));
    if all(|answer| matches!(answer, Answer::Slots { free: 0, lacks } if lacks.is_empty())) {
        return "every slot of every builder is taken".to_owned();
    }
    let mut reasons: Vec<(u8, String)> = builders
        .iter()
        .map(|builder| why_not(losses, builder))
        .collect();
    reasons.sort_by_key(|(rank, _)| *rank);
    let reasons: Vec<String> = reasons.into_iter().map(|(_, reason)| reason).collect();
    let reasons = reasons.join("; ");
    if all(|answer| matches!(answer, Answer::Silence { .. })) {
        return format!("no builder can be reached: {reasons}");
    }
    reasons
}

/// True when no builder takes any build before somebody mends one.
pub fn is_outage(builders: &[Seen]) -> bool {
    let is_away = |answer: &Answer| match answer {
        Answer::Silence { .. } | Answer::NoOrders(_) => true,
        Answer::Starting | Answer::OtherArchitectures | Answer::Slots { .. } => false,
    };
    let is_foreign = |answer: &Answer| *answer == Answer::OtherArchitectures;
    let mut answers = builders.iter().map(|builder| &builder.answer);
    builders.iter().any(|builder| is_away(&builder.answer))
        && answers.all(|answer| is_away(answer) || is_foreign(answer))
}

/// Why a builder does not get the build, with the reason's rank in the list: 0 comes first.
fn why_not(losses: &[Loss], builder: &Seen) -> (u8, String) {
    let name = &builder.name;
    match &builder.answer {
        Answer::Slots { free: 0, lacks } if lacks.is_empty() => {
            (0, format!("every slot of {name} is taken"))
        }
        Answer::Silence { since } => (1, has_not_answered(name, *since)),
        Answer::NoOrders(why) => (1, format!("{name} takes no builds: {why}")),
        Answer::Starting => (1, format!("{name} is still reading its host")),
        Answer::Slots { lacks, .. } if lacks.is_empty() => match lost_by(losses, name) {
            1 => (2, format!("{name} lost it before")),
            count => (2, format!("{name} lost it {count} times")),
        },
        Answer::Slots { lacks, .. } => (3, format!("the host of {name} lacks {}", named(lacks))),
        Answer::OtherArchitectures => (4, format!("{name} builds for other architectures")),
    }
}

fn lost_by(losses: &[Loss], builder: &ServiceName) -> usize {
    losses
        .iter()
        .filter(|loss| loss.builder == *builder)
        .count()
}

/// The hold of a build that no builder can build: the needs that all hosts lack, or, if there are
/// none, what each host lacks.
fn hold(lacking: &BTreeMap<&ServiceName, &[String]>) -> Hold {
    let (_, first) = lacking.first_key_value().expect("there is one that lacks");
    let missing: Vec<String> = first
        .iter()
        .filter(|need| lacking.values().all(|lacks| lacks.contains(need)))
        .cloned()
        .collect();
    if !missing.is_empty() {
        return Hold::Needs { missing };
    }
    let lacking = lacking.iter();
    Hold::Scattered {
        lacking: lacking
            .map(|(name, lacks)| ((*name).clone(), lacks.to_vec()))
            .collect(),
    }
}

#[cfg(test)]
mod tests;
