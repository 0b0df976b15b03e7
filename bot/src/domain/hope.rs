//! Whether an active build may still provide what another build lacks.

use std::sync::Arc;

use api::id::BuildId;

use super::build::{Build, Stage, State, Target};
use super::under_way::UnderWay;

/// True when one of the [`hopeful`] builds may provide what `build` lacks: one whose stones would
/// be laid into its root.
///
/// A waiting build does not count; the build it waits for is under way too and is judged by itself.
/// So builds that lack something from each other do not wait for ever.
pub fn may_be_provided(build: &Build, hopeful: &[Arc<Build>]) -> bool {
    hopeful
        .iter()
        .any(|other| other.id != build.id && is_seen(build, other))
}

/// The builds under way that can go on without help, so that they may provide something.
/// `is_lacking(id)` is true when this round found that build `id` lacks something too.
pub fn hopeful(active: &UnderWay, is_lacking: impl Fn(BuildId) -> bool) -> Vec<Arc<Build>> {
    let moving = MOVING.iter().flat_map(|stage| active.in_stage(*stage));
    let hopeful =
        moving.filter(|other| !other.is_settled() && !is_lacking(other.id) && moves(other, active));
    hopeful.cloned().collect()
}

/// The states in which a build may go on without help.
const MOVING: [Stage; 5] = [
    Stage::Building,
    Stage::Queued,
    Stage::Publishing,
    Stage::Built,
    Stage::Planned,
];

/// True when the stones of `other` would be laid into the root of `build`.
fn is_seen(build: &Build, other: &Build) -> bool {
    if build.profile != other.profile {
        return false;
    }
    match &build.target {
        Target::Branch { .. } => other.target.is_published(),
        Target::Pull { .. } | Target::Group { .. } => {
            other.target == build.target && other.repository == build.repository
        }
    }
}

fn moves(build: &Build, active: &UnderWay) -> bool {
    match &build.state {
        State::Planned
        | State::Queued { .. }
        | State::Building { .. }
        | State::Publishing { .. } => true,
        // vessel publishes a cycle as a whole, so all its members have to be able to go on.
        State::Built(_) => build
            .cycle
            .iter()
            .all(|member| active.find(*member).is_some_and(|member| can_move(member))),
        State::Waiting { .. }
        | State::Held { .. }
        | State::Published { .. }
        | State::Failed(_)
        | State::Cancelled { .. }
        | State::Superseded { .. } => false,
    }
}

/// True when a member of a cycle is built, or still can be.
fn can_move(member: &Build) -> bool {
    match &member.state {
        State::Planned
        | State::Waiting { .. }
        | State::Queued { .. }
        | State::Building { .. }
        | State::Built(_)
        | State::Publishing { .. } => true,
        State::Held { .. }
        | State::Published { .. }
        | State::Failed(_)
        | State::Cancelled { .. }
        | State::Superseded { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::build::{Hold, example};
    use super::*;

    fn queued(number: u8, recipe: &str) -> Build {
        let mut build = example::build(number, recipe);
        build.state = State::Queued {
            since: Timestamp::UNIX_EPOCH,
            reason: None,
        };
        build
    }

    #[test]
    fn a_build_under_way_may_bring_it() {
        let (flute, reed) = (queued(1, "flute"), queued(2, "reed"));
        let active = UnderWay::new([flute.clone(), reed]);
        assert!(may_be_provided(
            &flute,
            &hopeful(&active, |id| id == flute.id)
        ));
    }

    #[test]
    fn builds_that_lack_something_do_not_wait_for_each_other() {
        let (flute, reed) = (queued(1, "flute"), queued(2, "reed"));
        let mut horn = example::build(3, "horn");
        horn.state = State::Waiting { on: vec![reed.id] };
        let mut drum = example::build(4, "drum");
        drum.state = State::Held {
            by: Hold::Needs {
                missing: vec!["pkgconfig(skin)".to_owned()],
            },
            since: Timestamp::UNIX_EPOCH,
        };
        let lacking = [flute.id, reed.id];
        let active = UnderWay::new([flute.clone(), reed, horn, drum]);
        let hopeful = hopeful(&active, |id| lacking.contains(&id));
        assert!(!may_be_provided(&flute, &hopeful));
    }

    #[test]
    fn what_is_built_in_a_cycle_comes_only_with_its_other_members() {
        let flute = queued(1, "flute");
        let (mut reed, mut horn) = (queued(2, "reed"), queued(3, "horn"));
        reed.state = State::Built(example::success());
        let cycle = vec![reed.id, horn.id];
        reed.cycle.clone_from(&cycle);
        horn.cycle = cycle;
        let hopes = |horn: &Build| {
            let active = UnderWay::new([flute.clone(), reed.clone(), horn.clone()]);
            may_be_provided(&flute, &hopeful(&active, |id| id == flute.id))
        };
        horn.state = State::Waiting { on: vec![reed.id] };
        assert!(hopes(&horn));
        horn.state = State::Held {
            by: Hold::Needs {
                missing: vec!["spit".to_owned()],
            },
            since: Timestamp::UNIX_EPOCH,
        };
        assert!(!hopes(&horn));
    }

    #[test]
    fn a_branch_sees_no_pull_request_and_a_pull_request_only_itself() {
        let mut flute = queued(1, "flute");
        let mut reed = queued(2, "reed");
        reed.target = example::pull();
        let hopeful = hopeful(&UnderWay::new([flute.clone(), reed.clone()]), |_| false);
        assert!(!may_be_provided(&flute, &hopeful));
        flute.target = Target::Pull { number: 8 };
        assert!(!may_be_provided(&flute, &hopeful));
        flute.target = example::pull();
        assert!(may_be_provided(&flute, &hopeful));
    }
}
