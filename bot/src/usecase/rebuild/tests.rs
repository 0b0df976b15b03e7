use super::*;
use crate::db::tests::{Store, store};
use crate::domain::build::example::{at, build, failure, id, main, pull, stranger, success};
use crate::domain::build::{By, Hold, Progress};
use crate::github::Role;

fn again(store: &Store, build: &Build) -> Option<BuildId> {
    let progress = one_part(store, crate::db::Progress::of(std::slice::from_ref(build)));
    assert!(progress.is_done(), "{progress:?} of one build");
    progress.done.first().map(|(_, new)| *new)
}

/// The builds of the head to build again.
fn chosen(store: &Store) -> crate::db::Progress {
    let head = HeadId {
        repository: crate::domain::name::RepositoryId::new(1),
        commit: build(1, "x").commit,
    };
    let chosen = store.env.read(|txn| choose(&store.tables, txn, head));
    crate::db::Progress::of(&chosen.unwrap())
}

/// One transaction of the request.
fn one_part(store: &Store, progress: crate::db::Progress) -> crate::db::Progress {
    let asked = Role::writer().authorise(progress).unwrap();
    let done = store.write(|txn| part(&store.tables, txn, &asked, "ada", at(100)));
    done.unwrap()
}

fn head_again(store: &Store) -> Rebuilt {
    let mut progress = chosen(store);
    while !progress.is_done() {
        progress = one_part(store, progress);
    }
    let outcome = store.env.read(|txn| outcome(&store.tables, txn, progress));
    outcome.unwrap()
}

fn in_state(number: u8, recipe: &str, state: State) -> Build {
    let mut build = build(number, recipe);
    build.state = state;
    build
}

fn failed(number: u8, recipe: &str) -> Build {
    let mut build = in_state(
        number,
        recipe,
        State::Failed(failure(FailureKind::Attempt, None)),
    );
    build.attempts = 2;
    build.seq = 9;
    build.shown.seq = 9;
    build
}

fn published(number: u8, recipe: &str) -> Build {
    let history = "h1".parse().unwrap();
    in_state(number, recipe, State::Published { history, at: at(9) })
}

#[test]
fn a_new_build_takes_the_place_of_a_failed_one() {
    let store = store();
    let old = failed(1, "lib");
    let hold = Hold::Build {
        build: id(1),
        recipe: "lib".to_owned(),
    };
    let mut dependent = in_state(
        2,
        "app",
        State::Held {
            by: hold,
            since: at(0),
        },
    );
    dependent.after = vec![id(3), id(1)];
    store.put(&[&old, &dependent]);
    let new = again(&store, &old).unwrap();
    assert_eq!(store.find(id(2)).after, [id(3), new]);
    let new = store.find(new);
    assert_eq!(
        (new.state.clone(), new.attempts, new.seq),
        (State::Planned, 0, 1)
    );
    assert_eq!(
        (new.tree, new.commit, new.shown.seq),
        (old.tree, old.commit, 0)
    );
    assert_eq!(store.find(id(1)), old);
    // On a second request, the old build is no longer the newest.
    assert_eq!(again(&store, &old), None);
}

#[test]
fn only_what_ended_is_built_again() {
    let since = at(0);
    for (state, expected) in [
        (State::Planned, false),
        (
            State::Queued {
                since,
                reason: None,
            },
            false,
        ),
        (State::Failed(failure(FailureKind::Recipe, None)), false),
        (State::Failed(failure(FailureKind::Lost, None)), true),
        (State::Failed(failure(FailureKind::Refused, None)), true),
        (
            State::Held {
                by: Hold::Approval(stranger()),
                since,
            },
            false,
        ),
        (
            State::Held {
                by: Hold::Needs {
                    missing: Vec::new(),
                },
                since,
            },
            true,
        ),
        (
            State::Cancelled {
                by: By::PullClosed,
                at: since,
            },
            true,
        ),
        (
            State::Superseded {
                by: None,
                at: since,
            },
            false,
        ),
        (State::Built(success()), false),
    ] {
        let store = store();
        let build = in_state(1, "nano", state);
        store.put(&[&build]);
        assert_eq!(
            again(&store, &build).is_some(),
            expected,
            "{:?}",
            build.state
        );
    }
    let store = store();
    let mut pulled = in_state(1, "nano", State::Built(success()));
    pulled.target = pull();
    store.put(&[&pulled]);
    assert_eq!(again(&store, &pulled), None, "the pull request is closed");
    store.open(&pulled);
    assert!(again(&store, &pulled).is_some());
}

/// A held build ends its wait; its successor waits instead.
#[test]
fn a_held_build_is_superseded() {
    let store = store();
    let by = Hold::Needs {
        missing: vec!["binary(x)".to_owned()],
    };
    let held = in_state(1, "nano", State::Held { by, since: at(0) });
    store.put(&[&held]);
    let new = again(&store, &held).unwrap();
    assert_eq!(
        store.find(id(1)).state,
        State::Superseded {
            by: Some(new),
            at: at(100)
        }
    );
}

#[test]
fn a_head_is_built_again_where_it_did_not_succeed() {
    let store = store();
    store.put(&[&published(1, "fine"), &failed(2, "broken")]);
    let Rebuilt::Builds { begun, .. } = head_again(&store) else {
        panic!("nothing was begun");
    };
    assert_eq!(begun.len(), 1);
    assert_eq!(store.find(begun[0]).recipe.as_str(), "broken");
    assert_eq!(store.find(begun[0]).asked_by.as_deref(), Some("ada"));
    let reasons = vec![(store.find(begun[0]), NoRebuild::UnderWay)];
    assert_eq!(head_again(&store), Rebuilt::Nothing(reasons));
}

/// A later success makes up for a failure.
#[test]
fn a_head_that_succeeded_in_the_end_is_built_again_as_a_whole() {
    let store = store();
    store.put(&[
        &failed(1, "nano"),
        &published(2, "nano"),
        &published(3, "lib"),
    ]);
    let Rebuilt::Builds { begun, .. } = head_again(&store) else {
        panic!("nothing was begun");
    };
    assert_eq!(begun.len(), 2);
}

/// Closing a pull request ends the hold, but nobody has approved the commit.
#[test]
fn what_nobody_approved_is_not_built_again() {
    let hold = Hold::Approval(stranger());
    for state in [
        State::Held {
            by: hold,
            since: at(0),
        },
        State::Cancelled {
            by: By::PullClosed,
            at: at(1),
        },
        State::Failed(failure(FailureKind::Lost, None)),
    ] {
        let store = store();
        let mut closed = in_state(1, "nano", state);
        closed.target = pull();
        closed.trust = crate::domain::trust::Trust::None(stranger());
        store.put(&[&closed]);
        assert_eq!(again(&store, &closed), None);
        assert_eq!(head_again(&store), Rebuilt::Unapproved(stranger()));
        assert_eq!(store.find(id(1)), closed);
    }
}

#[test]
fn an_unknown_head_has_nothing() {
    assert_eq!(head_again(&store()), Rebuilt::Nothing(Vec::new()));
}

/// The other members of a cycle wait to be imported with the rebuilt one.
#[test]
fn a_cycle_is_completed_by_the_new_build() {
    let cycle = vec![id(1), id(2), id(3)];
    let member = |number, recipe: &str, state| {
        let mut build = in_state(number, recipe, state);
        build.cycle = cycle.clone();
        build
    };
    let glibc = member(1, "glibc", State::Built(success()));
    let gcc = member(2, "gcc", State::Failed(failure(FailureKind::Attempt, None)));
    let mut binutils = member(3, "binutils", State::Waiting { on: vec![id(2)] });
    binutils.after = vec![id(2)];
    let store = store();
    store.put(&[&glibc, &gcc, &binutils]);
    let new = again(&store, &gcc).unwrap();
    let expected = [id(1), new, id(3)];
    for id in expected {
        assert_eq!(store.find(id).cycle, expected);
    }
    assert_eq!(store.find(id(3)).after, [new]);
    // Once all members are published, one of them is built again alone.
    let store = super::super::super::db::tests::store();
    let mut members = [published(1, "glibc"), published(2, "gcc")];
    for member in &mut members {
        member.cycle = vec![id(1), id(2)];
    }
    store.put(&[&members[0], &members[1]]);
    let new = again(&store, &members[1]).unwrap();
    assert_eq!(store.find(new).cycle, []);
}

/// Members that are cancelled and requested together are imported as one again.
#[test]
fn members_that_are_built_again_at_once_stay_a_cycle() {
    let names = ["glibc", "gcc", "binutils"];
    let members: Vec<Build> = (1..)
        .zip(names)
        .map(|(number, recipe)| {
            let state = State::Cancelled {
                by: By::Person {
                    login: "ada".to_owned(),
                },
                at: at(9),
            };
            let mut build = in_state(number, recipe, state);
            build.cycle = vec![id(1), id(2), id(3)];
            build
        })
        .collect();
    let store = store();
    store.put(&members.iter().collect::<Vec<_>>());
    let Rebuilt::Builds { begun, others } = head_again(&store) else {
        panic!("nothing was begun");
    };
    assert_eq!((begun.len(), others.len()), (3, 0));
    for id in &begun {
        assert_eq!(store.find(*id).cycle, begun);
    }
}

/// Each transaction does one part; the stored progress is enough for the next one.
#[test]
fn many_builds_are_built_again_in_parts() {
    let store = store();
    let mut builds: Vec<Build> = (1..=120)
        .map(|number| failed(number, &format!("recipe-{number}")))
        .collect();
    let cycle = vec![id(1), id(60), id(110)];
    for number in [1, 60, 110] {
        builds[number - 1].cycle.clone_from(&cycle);
    }
    // An early build waits for the last.
    builds[1].after = vec![id(120)];
    store.put(&builds.iter().collect::<Vec<_>>());
    let mut progress = chosen(&store);
    let mut parts = Vec::new();
    while !progress.is_done() {
        let before = progress.done.len();
        progress = one_part(&store, progress);
        parts.push(progress.done.len() - before);
    }
    assert_eq!(parts, [50, 50, 20, 0, 0], "then names are looked for");
    assert_eq!(progress.refused, []);
    let new: HashMap<BuildId, BuildId> = progress.done.iter().copied().collect();
    let members: Vec<BuildId> = [1, 60, 110].map(|number| new[&id(number)]).into();
    for id in &members {
        assert_eq!(store.find(*id).cycle, members);
    }
    let place = |number| progress.done.iter().position(|(old, _)| *old == id(number));
    assert!(
        place(120) < place(2),
        "nothing is begun before what it comes after"
    );
    assert_eq!(store.find(new[&id(2)]).after, [new[&id(120)]]);
}

/// More builds can wait for one build than one transaction writes.
#[test]
fn what_waits_for_a_rebuilt_build_is_updated_in_parts() {
    let store = store();
    let libs = [failed(1, "lib"), failed(2, "other")];
    store.put(&[&libs[0], &libs[1]]);
    for number in 3..=130 {
        let mut app = build(number, &format!("app-{number}"));
        app.after = vec![id(1), id(2)];
        app.behind = vec![id(2)];
        store.put(&[&app]);
    }
    let mut progress = crate::db::Progress::of(&libs);
    let mut parts = 0;
    while !progress.is_done() {
        progress = one_part(&store, progress);
        parts += 1;
    }
    assert_eq!(parts, 3, "two are begun and 128 are updated, 50 at a time");
    let [(_, lib), (_, other)] = progress.done[..] else {
        panic!("{:?}", progress.done);
    };
    for number in 3..=130 {
        let app = store.find(id(number));
        assert_eq!((app.after, app.behind), (vec![lib, other], vec![other]));
    }
}

/// What an earlier process began is finished without asking for rights.
#[test]
fn what_is_owed_is_settled_and_assets_are_let_go_then() {
    let store = store();
    let in_pull = |mut build: Build| {
        build.target = pull();
        build
    };
    let built = in_pull(in_state(1, "lib", State::Built(success())));
    store.put(&[&built]);
    store.open(&built);
    for number in 2..=120 {
        let mut app = in_pull(build(number, &format!("app-{number}")));
        app.after = vec![id(1)];
        store.put(&[&app]);
    }
    let mut progress = one_part(&store, crate::db::Progress::of(&[built]));
    assert!(!progress.is_settled(), "{progress:?}");
    let keeps_assets = || store.find(id(1)).keeps_assets();
    assert!(keeps_assets(), "builds still name the old one");
    while !progress.is_settled() {
        let before = progress.clone();
        progress = store
            .write(|txn| settle(&store.tables, txn, before, at(100)))
            .unwrap();
    }
    let new = progress.done[0].1;
    for number in 2..=120 {
        assert_eq!(store.find(id(number)).after, [new]);
    }
    assert!(!keeps_assets());
}

/// A build that names the old and the new one names the new one once.
#[test]
fn nothing_is_named_twice() {
    let mut app = build(5, "app");
    app.after = vec![id(1), id(2), id(9), id(5)];
    app.cycle = vec![id(1), id(5), id(9)];
    follow(&mut app, &HashMap::from([(id(1), id(9))]));
    assert_eq!(app.after, [id(9), id(2)]);
    assert_eq!(app.cycle, [id(9), id(5)]);
}

/// A build that is already ordered still gets its new cycle.
#[test]
fn replacing_reaches_builds_under_way() {
    let store = store();
    let mut building = build(2, "app");
    building.state = State::Building {
        builder: "avalanche-1".parse().unwrap(),
        progress: Progress::Ordered,
        since: at(0),
        silence: None,
    };
    building.target = main();
    building.cycle = vec![id(1), id(2)];
    let mut done = published(3, "done");
    done.after = vec![id(1)];
    store.put(&[&building, &done]);
    let mut named = vec![id(1)];
    let replaced = HashMap::from([(id(1), id(9))]);
    store
        .write(|txn| rename(&store.tables, txn, &mut named, &replaced, 9, at(100)))
        .unwrap();
    assert_eq!(named, []);
    assert_eq!(store.find(id(2)).cycle, [id(9), id(2)]);
    assert_eq!(store.find(id(3)).after, [id(1)]);
}
