use std::fmt::Write as _;
use std::slice::from_ref;

use super::*;
use crate::domain::build::example::{at, build};
use crate::domain::build::{Cause, Loss};

fn seen(name: &str, answer: Answer) -> Seen {
    Seen {
        name: name.parse().unwrap(),
        answer,
    }
}

fn free(name: &str, free: u32) -> Seen {
    lacks(name, free, &[])
}

fn lacks(name: &str, free: u32, lacks: &[&str]) -> Seen {
    let lacks = lacks.iter().map(|need| (*need).to_owned()).collect();
    seen(name, Answer::Slots { free, lacks })
}

fn silent(name: &str) -> Seen {
    seen(name, Answer::Silence { since: at(0) })
}

fn lost_on(builders: &[&str]) -> Build {
    let mut build = build(1, "nano");
    for builder in builders {
        build.attempts += 1;
        build.losses.push(Loss {
            cause: Cause::Builder,
            attempt: build.attempts,
            builder: builder.parse().unwrap(),
            reason: "the builder is gone".to_owned(),
            at: at(0),
        });
    }
    build
}

/// The choice for several sets of builders.
#[test]
fn every_builder_is_considered() {
    let foreign = seen("arm", Answer::OtherArchitectures);
    let starting = seen("b", Answer::Starting);
    let full = seen(
        "full",
        Answer::NoOrders(NoOrders::DiskFull {
            free: 2_100_000_000,
            needed: 10_000_000_000,
        }),
    );
    let cases: [(&str, &[Seen]); 22] = [
        ("one is full", from_ref(&full)),
        ("one is full, one is free", &[full.clone(), free("a", 1)]),
        (
            "one is full, one lacks",
            &[full.clone(), lacks("a", 1, &["x"])],
        ),
        ("one was just started", from_ref(&starting)),
        (
            "one was just started, one lacks",
            &[lacks("a", 1, &["x"]), starting.clone()],
        ),
        ("none", &[]),
        ("one", &[free("a", 1)]),
        ("the freest", &[free("a", 1), free("b", 3), free("c", 2)]),
        ("the first of equals", &[free("b", 2), free("a", 2)]),
        ("one has it", &[lacks("a", 9, &["x"]), free("b", 1)]),
        ("one has it, busy", &[lacks("a", 9, &["x"]), free("b", 0)]),
        ("one may have it", &[lacks("a", 9, &["x"]), silent("b")]),
        ("all busy", &[free("a", 0), free("b", 0)]),
        ("all silent", &[silent("a"), silent("b")]),
        ("busy and silent", &[free("a", 0), silent("b")]),
        ("free and silent", &[free("a", 1), silent("b")]),
        ("elsewhere", std::slice::from_ref(&foreign)),
        ("elsewhere or busy", &[foreign.clone(), free("b", 0)]),
        (
            "nobody",
            &[lacks("a", 1, &["x"]), lacks("b", 0, &["y", "x"])],
        ),
        ("nobody here", &[foreign.clone(), lacks("b", 1, &["x"])]),
        ("scattered", &[lacks("a", 1, &["x"]), lacks("b", 1, &["y"])]),
        (
            "scattered, one silent",
            &[lacks("a", 1, &["x"]), lacks("b", 1, &["y"]), silent("c")],
        ),
    ];
    let mut table = String::new();
    for (name, builders) in cases {
        let choice = match choose(&build(1, "nano"), builders) {
            Choice::Builder(name) => format!("{name} gets it"),
            Choice::Wait(reason) => format!("waits: {reason}"),
            Choice::Hold(hold) => format!("held: {}", hold.explain()),
        };
        let _ = writeln!(table, "{name}: {choice}");
    }
    insta::assert_snapshot!(table);
}

/// Only of an outage are all builds told: slots come free by themselves.
#[test]
fn builders_that_somebody_has_to_mend_are_an_outage() {
    let full = seen(
        "f",
        Answer::NoOrders(NoOrders::DiskFull { free: 0, needed: 1 }),
    );
    let foreign = seen("arm", Answer::OtherArchitectures);
    assert!(is_outage(from_ref(&full)));
    assert!(is_outage(&[silent("a"), full.clone(), foreign.clone()]));
    assert!(!is_outage(&[silent("a"), free("b", 0)]));
    assert!(!is_outage(&[full, seen("b", Answer::Starting)]));
    assert!(!is_outage(&[foreign]));
    assert!(!is_outage(&[]));
}

#[test]
fn the_order_of_the_builders_makes_no_difference() {
    let builders = [
        free("a", 2),
        lacks("b", 3, &["x"]),
        free("c", 2),
        silent("d"),
    ];
    let mut turned = builders.clone();
    turned.reverse();
    let build = build(1, "nano");
    assert_eq!(choose(&build, &builders), choose(&build, &turned));
}

#[test]
fn who_lost_it_gets_it_again_only_when_no_other_can_have_it() {
    let takes = |name: &str| Choice::Builder(name.parse().unwrap());
    let build = lost_on(&["a"]);
    let both = [free("a", 5), free("b", 1)];
    assert_eq!(choose(&build, &both), takes("b"));
    // The build waits for the other builder, for any length of time.
    let reason = "every slot of b is taken; a lost it before";
    let busy = [free("a", 5), free("b", 0)];
    assert_eq!(choose(&build, &busy), Choice::Wait(reason.to_owned()));
    for other in [silent("b"), lacks("b", 1, &["x"])] {
        assert_eq!(choose(&build, &[free("a", 5), other]), takes("a"));
    }
    // Both builders lost it, so they take turns.
    assert_eq!(choose(&lost_on(&["a", "b"]), &both), takes("a"));
    assert_eq!(choose(&lost_on(&["a", "b", "a"]), &both), takes("b"));
}
