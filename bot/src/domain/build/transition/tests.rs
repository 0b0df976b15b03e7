use std::fmt::Write as _;

use api::attempt::{Phase, Reason, State as AttemptState};
use api::id::{AttemptId, ImportId, Sha256};
use api::import::{Refusal, RefusalReason, State as ImportState};

use super::super::state::{FailureKind, Loss, Success};
use super::*;
use crate::domain::build::example::{at, build, every_state, id, silence, success};

fn attempt(number: u32) -> AttemptId {
    AttemptId::new(id(1), number)
}

fn moved(number: u32, state: AttemptState) -> Event {
    Event::AttemptMoved {
        attempt: attempt(number),
        state,
        annotations: Vec::new(),
    }
}

fn failed(reason: Reason) -> AttemptState {
    AttemptState::Failed {
        failure: api::attempt::Failure {
            phase: Phase::Build,
            reason,
            message: "make: error 2".to_owned(),
        },
        finished_at: at(100),
    }
}

fn succeeded() -> AttemptState {
    AttemptState::Succeeded {
        assets: success().assets,
        host: Sha256::of(b"host"),
        finished_at: at(100),
    }
}

fn refused(reason: RefusalReason, message: &str) -> ImportState {
    ImportState::Refused {
        refusal: Refusal {
            reason,
            file_name: None,
            message: message.to_owned(),
        },
        finished_at: at(100),
    }
}

fn every_event() -> Vec<(&'static str, Event)> {
    let needs = Hold::Needs {
        missing: vec!["pkgconfig(x)".to_owned()],
    };
    let refused = refused(RefusalReason::ReleaseTaken, "the release is taken");
    let gone = self::refused(RefusalReason::AssetGone, "the stone is gone");
    let published = ImportState::Published {
        history: "h1".parse().unwrap(),
        finished_at: at(100),
    };
    let lost = |number| Event::AttemptLost {
        attempt: attempt(number),
        cause: Cause::Builder,
        reason: "the builder is gone".to_owned(),
    };
    let running = AttemptState::Running {
        phase: Phase::Check,
        since: at(100),
    };
    let finished_at = at(100);
    vec![
        ("blocked", Event::Blocked { on: vec![id(80)] }),
        ("held by needs", Event::Held(needs)),
        ("undrafted", Event::Undrafted),
        ("ready", Event::Ready),
        (
            "delayed",
            Event::Delayed {
                reason: "no builder".to_owned(),
            },
        ),
        (
            "dispatched",
            Event::Dispatched {
                builder: "avalanche-2".parse().unwrap(),
                build_release: 2,
            },
        ),
        (
            "standstill",
            Event::Standstill {
                reason: Some("no builder can be reached".to_owned()),
            },
        ),
        (
            "builder silent",
            Event::BuilderSilent {
                attempt: attempt(1),
                silence: Silence {
                    since: at(1),
                    ..silence()
                },
            },
        ),
        (
            "order refused",
            Event::OrderRefused {
                attempt: attempt(1),
                reason: "its disk is full".to_owned(),
            },
        ),
        ("accepted", moved(1, AttemptState::Accepted { ahead: 0 })),
        ("running", moved(1, running.clone())),
        ("succeeded", moved(1, succeeded())),
        (
            "failed",
            moved(
                1,
                failed(Reason::ScriptFailed {
                    exit_status: Some(2),
                }),
            ),
        ),
        ("failed by chance", moved(1, failed(Reason::Internal))),
        (
            "cancelled on the builder",
            moved(1, AttemptState::Cancelled { finished_at }),
        ),
        ("expired", moved(1, AttemptState::Expired { finished_at })),
        ("lost", lost(1)),
        ("running, another attempt", moved(2, running)),
        ("succeeded, another attempt", moved(2, succeeded())),
        ("lost, another attempt", lost(2)),
        (
            "assets gone",
            Event::AssetsGone {
                attempt: attempt(1),
                reason: "the disk is gone".to_owned(),
            },
        ),
        (
            "assets gone, another attempt",
            Event::AssetsGone {
                attempt: attempt(2),
                reason: "the disk is gone".to_owned(),
            },
        ),
        (
            "import begun",
            Event::ImportBegun {
                import: ImportId::from_bytes([8; 16]),
            },
        ),
        (
            "import fetching",
            Event::ImportMoved {
                state: ImportState::Fetching { done: 1, total: 2 },
            },
        ),
        (
            "import delayed",
            Event::ImportDelayed {
                import: ImportId::from_bytes([9; 16]),
                reason: "vessel does not answer".to_owned(),
            },
        ),
        ("import published", Event::ImportMoved { state: published }),
        ("import refused", Event::ImportMoved { state: refused }),
        ("import without assets", Event::ImportMoved { state: gone }),
        ("cancelled", Event::Cancelled(By::PullClosed)),
        ("superseded", Event::Superseded { by: Some(id(99)) }),
    ]
}

/// Every state with every event: the next state and the effects, or the refusal.
#[test]
fn the_whole_matrix() {
    let mut table = String::new();
    for (state, build) in every_state() {
        let _ = writeln!(table, "{state}");
        let mut refused = Vec::new();
        for (name, event) in every_event() {
            let Ok((next, effects)) = build.apply(event, at(1000)) else {
                refused.push(name);
                continue;
            };
            let mut to = next.state.name().to_owned();
            if next == build {
                to = "stays".to_owned();
            }
            if next.attempts != build.attempts {
                let _ = write!(to, ", attempt {}", next.attempts);
            }
            for effect in effects {
                let _ = match effect {
                    Effect::Release { builder, attempt } => {
                        write!(to, ", release {} on {builder}", attempt.number())
                    }
                    Effect::Cancel { builder, attempt } => {
                        write!(to, ", cancel {} on {builder}", attempt.number())
                    }
                };
            }
            let _ = writeln!(table, "    {name}: {to}");
        }
        let _ = writeln!(table, "    refuses {}", refused.join("; "));
    }
    insta::assert_snapshot!(table);
}

#[test]
fn final_states_take_nothing_and_others_something() {
    for (name, build) in every_state() {
        let taken = every_event()
            .into_iter()
            .filter(|(_, event)| build.apply(event.clone(), at(1000)).is_ok())
            .count();
        let is_done = build.state.is_final() || (build.is_settled() && !build.keeps_assets());
        assert_eq!(taken == 0, is_done, "{name} takes {taken}");
    }
}

#[test]
fn every_change_and_nothing_else_raises_the_number() {
    for (state, build) in every_state() {
        for (name, event) in every_event() {
            if let Ok((next, _)) = build.apply(event, at(1000)) {
                let is_news = (&next.state, &next.standstill) != (&build.state, &build.standstill);
                let raised = u64::from(is_news);
                assert_eq!(next.seq, build.seq + raised, "{state} + {name}");
            }
        }
    }
}

#[test]
fn a_refusal_names_build_state_and_event() {
    let published = every_state()
        .into_iter()
        .find(|(name, _)| *name == "published")
        .unwrap()
        .1;
    let error = published.apply(Event::Ready, at(0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("build {} in state published does not take ready", id(1))
    );
}

/// A report on an attempt that is not the current one changes nothing.
#[test]
fn reports_of_stale_attempts_are_refused() {
    let mut build = build(1, "nano");
    build.attempts = 2;
    build.state = State::Building {
        builder: "avalanche-1".parse().unwrap(),
        progress: Progress::Ordered,
        since: at(0),
        silence: None,
    };
    for state in [
        succeeded(),
        failed(Reason::Internal),
        AttemptState::Accepted { ahead: 0 },
    ] {
        assert!(build.apply(moved(1, state.clone()), at(1)).is_err());
        assert!(build.apply(moved(3, state.clone()), at(1)).is_err());
        assert!(build.apply(moved(2, state), at(1)).is_ok());
    }
    let foreign = Event::AttemptMoved {
        attempt: AttemptId::new(id(2), 2),
        state: succeeded(),
        annotations: Vec::new(),
    };
    assert!(build.apply(foreign, at(1)).is_err());
}

#[test]
fn a_lost_attempt_is_tried_again_until_there_were_enough() {
    let mut build = build(1, "nano");
    let mut now = 0;
    let mut apply = |build: &Build, event| {
        now += 1;
        build.apply(event, at(now)).unwrap().0
    };
    build = apply(&build, Event::Ready);
    let last = u32::try_from(MAX_LOST).unwrap();
    for number in 1..=last {
        let builder = "avalanche-1".parse().unwrap();
        build = apply(
            &build,
            Event::Dispatched {
                builder,
                build_release: 1,
            },
        );
        assert_eq!(build.find_attempt(), Some(attempt(number)));
        let reason = "the builder is gone".to_owned();
        build = apply(
            &build,
            Event::AttemptLost {
                attempt: attempt(number),
                cause: Cause::Builder,
                reason,
            },
        );
        if number < last {
            let explained = format!(
                "Ready; waiting for a builder: attempt {number} was lost: the builder is gone"
            );
            assert!(
                build.explain().starts_with(&explained),
                "{}",
                build.explain()
            );
            assert_eq!(build.explain().contains("; the next begins at"), number > 1);
            assert_eq!(build.find_attempt(), None);
        }
    }
    let State::Failed(failure) = &build.state else {
        panic!("{:?}", build.state);
    };
    assert_eq!(failure.kind, FailureKind::Lost);
    assert_eq!(
        failure.message,
        format!("{MAX_LOST} attempts were lost; the last one: the builder is gone")
    );
}

/// When vessel refuses an import because the builder's assets are gone, the build is retried. Other
/// refusals are final.
#[test]
fn what_a_builder_took_with_it_is_built_again() {
    let mut build = build(1, "nano");
    build.attempts = 1;
    let import = ImportId::from_bytes([8; 16]);
    build.state = State::Publishing {
        import,
        built: success(),
        overtaken: None,
        standing: None,
    };
    let gone = gone_import;
    let (next, effects) = build.apply(gone(), at(1000)).unwrap();
    let queued = State::Queued {
        since: at(1000),
        reason: Some("attempt 1 was lost: the stone is gone".to_owned()),
    };
    assert_eq!(next.state, queued);
    let builder = success().builder;
    let released = Effect::Release {
        builder: builder.clone(),
        attempt: attempt(1),
    };
    assert_eq!(effects, [released]);
    let (next, _) = next
        .apply(
            Event::Dispatched {
                builder,
                build_release: 1,
            },
            at(1001),
        )
        .unwrap();
    assert_eq!(next.find_attempt(), Some(attempt(2)));
    // The members of a cycle are rebuilt one after the other.
    build.cycle = vec![id(7), id(1), id(8)];
    let (next, _) = build.apply(gone(), at(1000)).unwrap();
    assert_eq!(next.state, State::Waiting { on: vec![id(7)] });
    build.losses = losses(Cause::Builder, MAX_LOST - 1);
    let (next, _) = build.apply(gone(), at(1000)).unwrap();
    assert!(
        matches!(&next.state, State::Failed(failure) if failure.kind == FailureKind::Lost),
        "{:?}",
        next.state
    );
}

/// The import of an overtaken build goes on. If it fails, the build is not retried.
#[test]
fn what_is_overtaken_is_not_built_again() {
    let mut build = build(1, "nano");
    build.attempts = 1;
    build.state = State::Publishing {
        import: ImportId::from_bytes([8; 16]),
        built: success(),
        overtaken: None,
        standing: None,
    };
    for by in [Some(id(2)), None] {
        let (next, effects) = build.apply(Event::Superseded { by }, at(1)).unwrap();
        assert_eq!((next.state.name(), effects.len()), ("publishing", 0));
        let (next, _) = next.apply(gone_import(), at(2)).unwrap();
        assert_eq!(next.state, State::Superseded { by, at: at(2) });
        assert_eq!(next.losses.len(), 1);
    }
    build.cycle = vec![id(1), id(3)];
    let event = Event::Superseded { by: Some(id(2)) };
    assert!(build.apply(event, at(1)).is_err(), "its cycle needs it");
}

fn gone_import() -> Event {
    Event::ImportMoved {
        state: refused(RefusalReason::AssetGone, "the stone is gone"),
    }
}

/// The build stores every loss with the builder and the reason.
#[test]
fn every_loss_is_remembered() {
    let (mut build, mut now) = (build(1, "nano"), 0);
    let mut apply = |build: &Build, event| {
        now += 1;
        build.apply(event, at(now)).unwrap()
    };
    let import = ImportId::from_bytes([8; 16]);
    let gone = |number| Event::AssetsGone {
        attempt: attempt(number),
        reason: "the disk is gone".to_owned(),
    };
    build = apply(&build, Event::Ready).0;
    let losses: [&[Event]; 4] = [
        &[moved(1, failed(Reason::Internal))],
        &[moved(2, AttemptState::Expired { finished_at: at(9) })],
        &[moved(3, succeeded()), gone(3)],
        &[
            moved(4, succeeded()),
            Event::ImportBegun { import },
            gone_import(),
        ],
    ];
    for (number, events) in (1..).zip(losses) {
        let builder = format!("avalanche-{number}").parse().unwrap();
        build = apply(
            &build,
            Event::Dispatched {
                builder,
                build_release: 1,
            },
        )
        .0;
        for event in events {
            build = apply(&build, event.clone()).0;
        }
        assert!(matches!(build.state, State::Queued { .. }), "{number}");
    }
    let told: Vec<String> = build
        .losses
        .iter()
        .map(|loss| format!("{} on {}: {}", loss.attempt, loss.builder, loss.reason))
        .collect();
    let expected = [
        "1 on avalanche-1: make: error 2",
        "2 on avalanche-2: its lease ran out",
        "3 on avalanche-3: the disk is gone",
        "4 on avalanche-4: the stone is gone",
    ];
    assert_eq!(told, expected);
}

/// Only a loss of the last attempt's assets counts, and only while they are needed.
#[test]
fn assets_that_nobody_waits_for_are_not_missed() {
    let mut build = build(1, "nano");
    build.attempts = 2;
    build.state = State::Built(success());
    let gone = |number| Event::AssetsGone {
        attempt: attempt(number),
        reason: "the disk is gone".to_owned(),
    };
    assert!(build.apply(gone(1), at(1)).is_err());
    assert!(build.apply(gone(2), at(1)).is_ok());
    build.state = State::Built(Success {
        released_at: Some(at(0)),
        ..success()
    });
    assert!(build.apply(gone(2), at(1)).is_err());
}

/// A transient failure is retried. After the last try, the build shows the reason and the lines at
/// fault.
#[test]
fn chance_is_given_up_with_its_reason() {
    let mut build = build(1, "nano");
    build.attempts = 9;
    build.losses = losses(Cause::Outage, 8);
    build.state = State::Building {
        builder: "avalanche-1".parse().unwrap(),
        progress: Progress::Ordered,
        since: at(0),
        silence: None,
    };
    let annotations = some_annotations();
    let event = Event::AttemptMoved {
        attempt: attempt(9),
        state: failed(Reason::FetchFailed {
            url: "https://example.org/nano.tar".to_owned(),
        }),
        annotations: annotations.clone(),
    };
    // The outage began with the first loss, at 0.
    let (next, effects) = build.apply(event.clone(), at(7199)).unwrap();
    assert_eq!((next.state.name(), effects.len()), ("queued", 1));
    let (next, effects) = build.apply(event.clone(), at(7200)).unwrap();
    let State::Failed(failure) = next.state else {
        panic!("{:?}", next.state);
    };
    assert_eq!(failure.kind, FailureKind::Attempt);
    assert_eq!(failure.annotations, annotations);
    assert_eq!(failure.message, "make: error 2 (the last of 9 attempts)");
    assert_eq!(effects.len(), 1);
    // A loss by a builder ends the row of outages.
    build.losses.extend(losses(Cause::Builder, 1));
    let (next, _) = build.apply(event, at(7200)).unwrap();
    assert_eq!(next.state.name(), "queued");
}

/// `count` losses at second 0.
fn losses(cause: Cause, count: usize) -> Vec<Loss> {
    let loss = Loss {
        attempt: 1,
        builder: "avalanche-1".parse().unwrap(),
        cause,
        reason: "lost".to_owned(),
        at: at(0),
    };
    vec![loss; count]
}

fn some_annotations() -> Vec<Annotation> {
    crate::domain::build::example::failure(FailureKind::Attempt, None).annotations
}

/// The explanation of every state, as people read it.
#[test]
fn every_state_explains_itself() {
    let mut text = String::new();
    for (name, build) in every_state() {
        let _ = writeln!(text, "{name}: {}", build.explain());
    }
    let mut member = build(1, "gcc");
    member.state = State::Built(success());
    member.cycle = vec![id(1), id(2), id(3)];
    let _ = writeln!(text, "built in a cycle: {}", member.explain());
    let missing = (0..30).map(|n| format!("binary(tool{n})")).collect();
    let since = at(0);
    member.state = State::Held {
        by: Hold::Needs { missing },
        since,
    };
    let _ = writeln!(text, "held by many needs: {}", member.explain());
    for (name, state) in [
        ("accepted", ImportState::Accepted { ahead: 3 }),
        ("fetching", ImportState::Fetching { done: 1, total: 2 }),
        (
            "waiting",
            ImportState::Waiting {
                on: "cannot fetch https://builder.example/nano.stone".to_owned(),
                until: at(0),
            },
        ),
        ("publishing", ImportState::Publishing),
    ] {
        let mut publishing = build(1, "nano");
        publishing.attempts = 1;
        publishing.state = State::Publishing {
            import: ImportId::from_bytes([9; 16]),
            built: success(),
            overtaken: None,
            standing: None,
        };
        let event = Event::ImportMoved { state };
        let (publishing, _) = publishing.apply(event, at(1)).unwrap();
        let _ = writeln!(text, "import {name}: {}", publishing.explain());
    }
    insta::assert_snapshot!(text);
}

/// GitHub takes few writes: it gets one when a builder falls silent and one when it is back.
#[test]
fn a_silent_builder_is_told_once() {
    let mut build = build(1, "nano");
    build.attempts = 1;
    let running = AttemptState::Running {
        phase: Phase::Build,
        since: at(0),
    };
    build.state = State::Building {
        builder: "avalanche-1".parse().unwrap(),
        progress: Progress::Running {
            phase: Phase::Build,
            since: at(0),
        },
        since: at(0),
        silence: None,
    };
    let silent = |next| Event::BuilderSilent {
        attempt: attempt(1),
        silence: Silence {
            next: at(next),
            ..silence()
        },
    };
    let (first, _) = build.apply(silent(61), at(31)).unwrap();
    assert_eq!(first.seq, build.seq + 1);
    assert_eq!(
        first.explain(),
        "avalanche-1 has not answered since 22:13 UTC; summit asks again at 22:14 UTC; the build \
         goes to another builder at 22:18 UTC."
    );
    let (second, _) = first.apply(silent(121), at(61)).unwrap();
    assert_eq!(
        second.seq, first.seq,
        "pages show the next try, GitHub the first"
    );
    assert!(second.explain().contains("again at 22:15 UTC"));
    let back = Event::AttemptMoved {
        attempt: attempt(1),
        state: running,
        annotations: Vec::new(),
    };
    let (back, _) = second.apply(back, at(90)).unwrap();
    assert_eq!(back.seq, first.seq + 1);
    assert_eq!(back.state, build.state);
}

#[test]
fn an_order_that_a_builder_does_not_take_is_no_attempt() {
    let mut build = build(1, "nano");
    build.attempts = 2;
    build.state = State::Building {
        builder: "avalanche-1".parse().unwrap(),
        progress: Progress::Ordered,
        since: at(0),
        silence: None,
    };
    let refused = Event::OrderRefused {
        attempt: attempt(2),
        reason: "its disk is full".to_owned(),
    };
    let (next, effects) = build.apply(refused, at(5)).unwrap();
    assert_eq!((next.attempts, next.losses.len()), (1, 0));
    assert_eq!(effects, []);
    assert!(next.is_due(at(5)), "another builder can have it at once");
    assert_eq!(
        next.explain(),
        "Ready; waiting for a builder: avalanche-1 did not take it: its disk is full."
    );
}

#[test]
fn a_full_disk_is_no_failure_of_the_recipe() {
    let mut build = build(1, "nano");
    build.attempts = 9;
    build.losses = losses(Cause::Builder, MAX_LOST - 1);
    build.state = State::Building {
        builder: "avalanche-1".parse().unwrap(),
        progress: Progress::Ordered,
        since: at(0),
        silence: None,
    };
    let full = Event::AttemptMoved {
        attempt: attempt(9),
        state: failed(Reason::DiskFull { free: 1, needed: 2 }),
        annotations: Vec::new(),
    };
    let (next, _) = build.apply(full, at(5)).unwrap();
    assert_eq!(next.state.name(), "queued");
    assert_eq!(
        next.losses.last().map(|loss| loss.cause),
        Some(Cause::Outage)
    );
}

#[test]
fn a_standstill_is_told_once_and_forgotten_with_the_next_move() {
    let mut build = build(1, "nano");
    build.state = State::Queued {
        since: at(0),
        reason: Some("every slot of every builder is taken".to_owned()),
    };
    let still = |reason: Option<&str>| Event::Standstill {
        reason: reason.map(str::to_owned),
    };
    let why = "avalanche-1 takes no builds";
    let (told, _) = build.apply(still(Some(why)), at(1)).unwrap();
    assert_eq!(told.seq, build.seq + 1);
    assert_eq!(
        told.explain(),
        "Ready; waiting for a builder: avalanche-1 takes no builds."
    );
    let (again, _) = told.apply(still(Some(why)), at(2)).unwrap();
    assert_eq!(again, told);
    let (over, _) = told.apply(still(None), at(3)).unwrap();
    assert_eq!((over.seq, &over.state), (told.seq + 1, &build.state));
    let dispatched = Event::Dispatched {
        builder: "avalanche-1".parse().unwrap(),
        build_release: 1,
    };
    let (moved, _) = told.apply(dispatched, at(3)).unwrap();
    assert_eq!(moved.standstill, None);
}

#[test]
fn a_build_that_is_lost_again_and_again_waits_longer_each_time() {
    let mut build = build(1, "nano");
    assert!(!build.is_due(at(0)), "it is not in the queue");
    build.state = State::Queued {
        since: at(100),
        reason: None,
    };
    for (attempts, wait) in [
        (0, 0),
        (1, 0),
        (2, 15),
        (3, 30),
        (7, 480),
        (8, 600),
        (99, 600),
    ] {
        build.attempts = attempts;
        assert!(build.is_due(at(100 + wait)), "{attempts} attempts");
        assert!(
            wait == 0 || !build.is_due(at(99 + wait)),
            "{attempts} attempts"
        );
    }
}
