use proptest::prelude::*;

use super::*;
use crate::db::tests::{Store, store};
use crate::domain::build::example::{at, build, every_state, id, pull};
use crate::domain::build::{State, Target};

/// The number of builds in a generated plan.
const BUILDS: u8 = 12;

/// A generated event. `build` is a build's number.
#[derive(Debug, Clone)]
enum Step {
    /// A builder, a person or vessel moves the build to another state.
    Becomes { build: u8, state: usize },
    /// Retention removes the build.
    Forgotten { build: u8 },
    /// The scheduler runs until idle, with at most `most` builds in a transaction.
    Schedule { most: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let number = 1..=BUILDS;
    let states = every_state().len();
    let step = prop_oneof![
        4 => (number.clone(), 0..states).prop_map(|(build, state)| Step::Becomes { build, state }),
        1 => number.prop_map(|build| Step::Forgotten { build }),
        2 => (1..20_usize).prop_map(|most| Step::Schedule { most }),
    ];
    proptest::collection::vec(step, 1..30)
}

/// Builds of a branch or a pull request. Each waits for some of those before it; some form a cycle.
fn plans() -> impl Strategy<Value = Vec<Build>> {
    let edges = proptest::collection::vec((any::<u16>(), any::<u16>()), usize::from(BUILDS));
    (edges, any::<bool>(), 0..4_u8).prop_map(|(edges, is_pull, in_cycle)| {
        let numbered = (1_u8..).zip(edges);
        let plan = numbered.map(|(number, (after, behind))| {
            let mut build = build(number, "nano");
            let before = |mask: u16| {
                (1..number)
                    .filter(move |other| mask >> other & 1 == 1)
                    .map(id)
            };
            build.after = before(after & after >> 3).collect();
            build.behind = before(behind & behind >> 5).collect();
            if is_pull {
                build.target = pull();
            }
            if number <= in_cycle {
                build.cycle = (1..=in_cycle).map(id).collect();
            }
            build
        });
        plan.collect()
    })
}

/// Visits all builds that have moved, in parts.
fn schedule(store: &Store, most: usize) {
    loop {
        let moved = store.take_moved(most);
        if moved.is_empty() {
            return;
        }
        let passed = store.write(|txn| pass(&store.tables, txn, &moved, at(100)));
        passed.unwrap();
    }
}

/// The changes that a visit to every build would still make.
fn left_over(store: &Store) -> Vec<String> {
    let mut left = Vec::new();
    for build in store.active() {
        let find = |other| store.find_any(other);
        let before: HashMap<BuildId, Build> = looked_at_by(&build)
            .into_iter()
            .filter_map(|other| Some((other, find(other)?)))
            .collect();
        if let Some(event) = decide(&build, |other| before.get(&other)) {
            left.push(format!("{:?} to get {event:?}", build.state));
        }
        let is_ready = |id: &BuildId| find(*id).is_some_and(|member| is_publishable(&member));
        if is_publishable(&build) && build.cycle.iter().all(is_ready) {
            left.push(format!("{} to be imported", build.id));
        }
    }
    left
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The scheduler visits only builds that have moved and the builds after them. A visit to every
    /// build would find nothing else. Each write compares the copy in memory with the database.
    #[test]
    fn nothing_is_left_that_a_look_at_everything_would_move(plan in plans(), steps in steps()) {
        let store = store();
        store.put(&plan.iter().collect::<Vec<_>>());
        let states: Vec<State> = every_state().into_iter().map(|(_, build)| build.state).collect();
        for step in steps {
            match step {
                Step::Becomes { build, state } => {
                    if let Some(mut build) = store.find_any(id(build)) {
                        build.state = states[state].clone();
                        build.seq += 1;
                        store.put(&[&build]);
                    }
                }
                Step::Forgotten { build } => {
                    let wrote = store.write(|txn| store.tables.forget_build(txn, id(build)));
                    wrote.unwrap();
                }
                Step::Schedule { most } => {
                    schedule(&store, most);
                    prop_assert_eq!(left_over(&store), Vec::<String>::new());
                }
            }
        }
        schedule(&store, usize::MAX);
        prop_assert_eq!(left_over(&store), Vec::<String>::new());
    }
}

/// The cost of a change depends on the builds after it, not on all builds under way.
#[test]
fn what_has_not_moved_is_not_looked_at() {
    let store = store();
    let mut first = build(1, "lib");
    first.target = Target::Pull { number: 7 };
    let mut second = build(2, "app");
    second.target = first.target.clone();
    second.after = vec![first.id];
    let others: Vec<Build> = (3..100).map(|number| build(number, "other")).collect();
    store.put(&[&first, &second]);
    store.put(&others.iter().collect::<Vec<_>>());
    schedule(&store, usize::MAX);
    let mut done = store.find(id(1));
    done.state = State::Built(crate::domain::build::example::success());
    store.put(&[&done]);
    let moved = store.take_moved(usize::MAX);
    assert_eq!(moved, BTreeSet::from([id(1), id(2)]));
    store
        .write(|txn| pass(&store.tables, txn, &moved, at(100)))
        .unwrap();
    assert_eq!(store.find(id(2)).state.stage(), Stage::Queued);
}
