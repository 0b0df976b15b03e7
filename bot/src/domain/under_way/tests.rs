use super::*;
use crate::domain::build::example::{at, build, every_state, failure, id, success};
use crate::domain::build::{FailureKind, Progress};

/// Applies a change of `build`.
fn put(under_way: &mut UnderWay, build: &Build) -> Concerns {
    under_way.apply(build.id, Some(Arc::new(build.clone())))
}

/// A build at a builder, and a build that comes after it.
fn building() -> (UnderWay, Build, Build) {
    let (mut lib, mut app) = (build(1, "lib"), build(2, "app"));
    lib.state = State::Building {
        builder: "avalanche-1".parse().unwrap(),
        progress: Progress::Ordered,
        since: at(0),
        silence: None,
    };
    lib.attempts = 1;
    lib.shown.seq = lib.seq;
    app.after = vec![lib.id];
    app.state = State::Waiting { on: vec![lib.id] };
    app.shown.seq = app.seq;
    let mut under_way = UnderWay::new([lib.clone(), app.clone()]);
    under_way.take_moved(usize::MAX);
    (under_way, lib, app)
}

#[test]
fn how_far_an_attempt_is_concerns_only_who_shows_it() {
    let (mut under_way, mut lib, _) = building();
    if let State::Building { progress, .. } = &mut lib.state {
        *progress = Progress::Accepted { ahead: 3 };
    }
    lib.seq += 1;
    let concerns = Concerns {
        check_runs: true,
        ..Concerns::default()
    };
    assert_eq!(put(&mut under_way, &lib), concerns);
    assert_eq!(under_way.take_moved(usize::MAX), BTreeSet::new());
    // A change of only the check run concerns no worker.
    lib.shown.seq = lib.seq;
    assert_eq!(put(&mut under_way, &lib), Concerns::default());
    assert_eq!(under_way.unshown().count(), 0);
}

#[test]
fn the_end_of_a_build_moves_those_that_come_after() {
    let (mut under_way, mut lib, app) = building();
    lib.state = State::Failed(failure(FailureKind::Attempt, None));
    lib.seq += 1;
    let concerns = Concerns {
        schedule: true,
        attempts: true,
        imports: false,
        check_runs: true,
    };
    assert_eq!(put(&mut under_way, &lib), concerns);
    assert_eq!(under_way.take_moved(usize::MAX), BTreeSet::from([app.id]));
    assert!(
        under_way.find(lib.id).is_some(),
        "GitHub does not say so yet"
    );
    lib.shown.seq = lib.seq;
    put(&mut under_way, &lib);
    assert!(under_way.find(lib.id).is_none());
    assert_eq!(under_way.counts(), BTreeMap::from([(Stage::Waiting, 1)]));
}

#[test]
fn what_is_open_is_counted_by_its_state() {
    let (mut waiting, mut other, mut done) = (build(1, "a"), build(2, "b"), build(3, "c"));
    waiting.state = State::Waiting { on: vec![id(9)] };
    other.state = State::Waiting { on: vec![id(9)] };
    done.state = State::Published {
        history: "h1".parse().unwrap(),
        at: at(0),
    };
    done.shown.seq = done.seq;
    let under_way = UnderWay::new([waiting, other, done, build(4, "d")]);
    let counts = BTreeMap::from([(Stage::Planned, 1), (Stage::Waiting, 2)]);
    assert_eq!(under_way.counts(), counts);
    assert_eq!(under_way.unshown().count(), 3);
}

/// A build refers to the builds before it by id, even when they have left the cache.
#[test]
fn a_build_that_is_forgotten_moves_those_that_come_after() {
    let (mut under_way, lib, app) = building();
    under_way.apply(lib.id, None);
    assert_eq!(under_way.take_moved(usize::MAX), BTreeSet::from([app.id]));
}

#[test]
fn the_builds_of_an_import_are_found_by_it() {
    let (mut under_way, mut lib, _) = building();
    let import = ImportId::from_bytes([7; 16]);
    lib.state = State::Publishing {
        import,
        built: success(),
        overtaken: None,
        standing: None,
    };
    assert!(put(&mut under_way, &lib).imports);
    let imports: Vec<_> = under_way.imports().collect();
    assert_eq!(imports, [(import, vec![Arc::new(lib.clone())])]);
    if let State::Publishing { standing, .. } = &mut lib.state {
        *standing = Some("fetching".to_owned());
    }
    assert!(!put(&mut under_way, &lib).imports);
    lib.state = State::Built(success());
    put(&mut under_way, &lib);
    assert_eq!(under_way.imports().count(), 0);
}

#[test]
fn the_scheduler_takes_as_much_as_it_wants() {
    let builds: Vec<Build> = (1..=5).map(|number| build(number, "nano")).collect();
    let mut under_way = UnderWay::new(builds);
    let first = under_way.take_moved(2);
    assert_eq!(first, BTreeSet::from([id(1), id(2)]));
    assert_eq!(under_way.take_moved(2), BTreeSet::from([id(3), id(4)]));
    under_way.give_back_moved(first);
    assert_eq!(under_way.take_moved(9), [1, 2, 5].map(id).into());
    assert_eq!(under_way.take_moved(9), BTreeSet::new());
}

#[test]
fn what_is_settled_and_shown_is_not_under_way() {
    for (name, mut build) in every_state() {
        build.shown.seq = build.seq;
        let is_active = build.is_active();
        let under_way = UnderWay::new([build]);
        assert_eq!(under_way.all().count() == 1, is_active, "{name}");
    }
}
