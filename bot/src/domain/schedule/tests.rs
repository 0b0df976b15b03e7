use std::collections::HashMap;
use std::fmt::Write as _;

use super::*;
use crate::domain::build::Suspect;
use crate::domain::build::example::{at, build, every_state, id, main, pull, stranger, success};
use crate::domain::trust::Trust;

fn decide_among(build: &Build, others: &[Build]) -> Option<Event> {
    let others: HashMap<BuildId, Build> = others.iter().map(|b| (b.id, b.clone())).collect();
    decide(build, |id| others.get(&id))
}

fn after(number: u8, before: &[u8]) -> Build {
    let mut build = build(number, "after");
    build.after = before.iter().copied().map(id).collect();
    build
}

fn show(event: Option<Event>) -> String {
    match event {
        None => "stays".to_owned(),
        Some(Event::Ready) => "ready".to_owned(),
        Some(Event::Blocked { on }) => format!("waits for {}", on.len()),
        Some(Event::Held(Hold::Build { recipe, .. })) => format!("held by {recipe}"),
        Some(other) => panic!("the scheduler does not decide {other:?}"),
    }
}

#[test]
fn what_nobody_approved_is_held_wherever_it_stands() {
    let hold = Hold::Approval(stranger());
    let mut held = Vec::new();
    for (name, mut build) in every_state() {
        build.trust = Trust::None(stranger());
        assert!(!build.is_due(at(1000)), "{name}");
        match decide_among(&build, &[]) {
            Some(Event::Held(by)) if by == hold => held.push(name),
            None => {}
            Some(other) => panic!("{name}: {other:?}"),
        }
    }
    let expected = [
        "planned",
        "waiting",
        "waiting for two",
        "queued",
        "queued, delayed",
        "held by a build",
    ];
    assert_eq!(held, expected);
}

/// The next step of a planned build, for each state of the build before it.
#[test]
fn the_state_before_decides() {
    let mut table = String::new();
    for (name, before) in every_state() {
        let event = decide_among(&after(2, &[1]), std::slice::from_ref(&before));
        let mut member = after(2, &[1]);
        member.cycle = vec![id(1), id(2)];
        let in_cycle = decide_among(&member, &[before]);
        let _ = writeln!(
            table,
            "{name}: {}; in one cycle: {}",
            show(event),
            show(in_cycle)
        );
    }
    insta::assert_snapshot!(table);
}

/// Decisions are made only for builds that are not at a builder, and that at most another build
/// holds.
#[test]
fn the_own_state_decides() {
    let mut table = String::new();
    for (name, mut build) in every_state() {
        build.id = id(2);
        build.after = Vec::new();
        let free = decide_among(&build, &[]);
        let mut failed = super::super::build::example::build(1, "broken");
        failed.state = State::Cancelled {
            by: super::super::build::By::PullClosed,
            at: at(0),
        };
        build.after = vec![id(1)];
        let behind = decide_among(&build, &[failed]);
        let _ = writeln!(
            table,
            "{name}: {}; behind a broken one: {}",
            show(free),
            show(behind)
        );
    }
    insta::assert_snapshot!(table);
}

/// There is no event when the build is already in the resulting state.
#[test]
fn what_is_so_is_not_said_again() {
    let mut before = build(1, "before");
    before.state = State::Queued {
        since: at(0),
        reason: None,
    };
    let mut build = after(2, &[1]);
    let event = decide_among(&build, std::slice::from_ref(&before)).unwrap();
    build = build.apply(event, at(1)).unwrap().0;
    assert_eq!(build.state, State::Waiting { on: vec![id(1)] });
    assert_eq!(decide_among(&build, std::slice::from_ref(&before)), None);
    before.state = State::Superseded {
        by: None,
        at: at(2),
    };
    let event = decide_among(&build, std::slice::from_ref(&before)).unwrap();
    build = build.apply(event, at(3)).unwrap().0;
    assert_eq!(decide_among(&build, &[before]), None);
}

/// A held build goes on once a newer build of the recipe that held it has succeeded.
#[test]
fn a_hold_ends_when_a_successor_succeeds() {
    let mut build = after(2, &[1]);
    build.state = State::Held {
        by: Hold::Build {
            build: id(1),
            recipe: "before".to_owned(),
        },
        since: at(0),
    };
    build.after = vec![id(3)];
    let mut successor = super::super::build::example::build(3, "before");
    successor.state = State::Queued {
        since: at(1),
        reason: None,
    };
    assert_eq!(
        decide_among(&build, std::slice::from_ref(&successor)),
        Some(Event::Blocked { on: vec![id(3)] })
    );
    successor.state = State::Published {
        history: "h".parse().unwrap(),
        at: at(2),
    };
    assert_eq!(decide_among(&build, &[successor]), Some(Event::Ready));
}

#[test]
fn one_that_blocks_counts_more_than_those_that_are_open() {
    let mut open = build(1, "open");
    open.state = State::Queued {
        since: at(0),
        reason: None,
    };
    let mut held = build(3, "held");
    held.state = State::Held {
        by: Hold::Needs {
            missing: Vec::new(),
        },
        since: at(0),
    };
    let hold = Hold::Build {
        build: id(3),
        recipe: "held".to_owned(),
    };
    let event = decide_among(&after(9, &[1, 3]), &[open, held]);
    assert_eq!(event, Some(Event::Held(hold)));
}

/// A build that is no longer stored counts as settled.
#[test]
fn forgotten_builds_do_not_block() {
    assert_eq!(decide_among(&after(2, &[1]), &[]), Some(Event::Ready));
}

/// Builds of a branch wait for publication; builds of a pull request do not.
#[test]
fn built_is_enough_for_pull_requests_only() {
    let mut before = build(1, "before");
    before.state = State::Built(success());
    for (target, expected) in [
        (pull(), Event::Ready),
        (main(), Event::Blocked { on: vec![id(1)] }),
    ] {
        before.target = target.clone();
        let mut build = after(2, &[1]);
        build.target = target;
        assert_eq!(
            decide_among(&build, std::slice::from_ref(&before)),
            Some(expected)
        );
    }
}

/// A queued member of a cycle waits again when a member before it has to be rebuilt, and goes on
/// afterwards. A queued build does not check again whether the builds before it are published.
#[test]
fn a_member_waits_again_for_what_was_lost() {
    let mut first = build(1, "first");
    let mut second = build(2, "second");
    let mut third = after(3, &[2]);
    for member in [&mut first, &mut second, &mut third] {
        member.cycle = vec![id(1), id(2), id(3)];
        member.state = State::Built(success());
    }
    third.state = State::Queued {
        since: at(0),
        reason: None,
    };
    assert_eq!(decide_among(&third, &[first.clone(), second.clone()]), None);
    // It comes after the first member only through the second.
    first.attempts = 1;
    let attempt = first.find_attempt().unwrap();
    let reason = "the disk is gone".to_owned();
    let gone = Event::AssetsGone { attempt, reason };
    first = first.apply(gone, at(1)).unwrap().0;
    let event = decide_among(&third, &[first.clone(), second.clone()]).unwrap();
    assert_eq!(event, Event::Blocked { on: vec![id(1)] });
    third = third.apply(event, at(2)).unwrap().0;
    assert_eq!(third.state, State::Waiting { on: vec![id(1)] });
    assert_eq!(decide_among(&third, &[first.clone(), second.clone()]), None);
    first.state = State::Built(success());
    let event = decide_among(&third, &[first.clone(), second.clone()]);
    assert_eq!(event, Some(Event::Ready));
    // Without a cycle, a branch waits only for published builds, and those cannot be lost.
    third.cycle.clear();
    third.state = State::Queued {
        since: at(0),
        reason: None,
    };
    assert_eq!(decide_among(&third, &[first.clone(), second.clone()]), None);
    third.target = pull();
    assert_eq!(decide_among(&third, &[first, second.clone()]), {
        let on = vec![id(2)];
        Some(Event::Blocked { on })
    });
    second.target = pull();
    assert_eq!(decide_among(&third, &[second]), None);
}

/// A build waits for a hint while that build is under way, but a hint never holds it.
#[test]
fn hints_delay_and_do_not_hold() {
    let mut waits = Vec::new();
    for (name, before) in every_state() {
        let mut build = build(2, "after");
        build.behind = vec![before.id];
        match decide_among(&build, &[before]) {
            Some(Event::Ready) => {}
            Some(Event::Blocked { on }) if on == [id(1)] => waits.push(name),
            other => panic!("{name}: {other:?}"),
        }
    }
    insta::assert_snapshot!(waits.join("\n"));
}

/// A build held by suspects goes on when one of them succeeds.
#[test]
fn suspects_let_go_when_one_succeeds() {
    let suspect = |number, recipe: &str| Suspect {
        build: id(number),
        recipe: recipe.to_owned(),
    };
    let mut cane = build(3, "cane");
    let mut flute = build(1, "flute");
    flute.state = State::Held {
        by: Hold::Suspected {
            missing: vec!["pkgconfig(reed)".to_owned()],
            of: vec![suspect(2, "reed"), suspect(3, "cane")],
        },
        since: at(0),
    };
    assert_eq!(decide_among(&flute, std::slice::from_ref(&cane)), None);
    cane.state = State::Published {
        history: "2024-01-01-abc".parse().unwrap(),
        at: at(1),
    };
    assert_eq!(
        decide_among(&flute, std::slice::from_ref(&cane)),
        Some(Event::Ready)
    );
}
