use std::fmt::Write as _;

use super::*;
use crate::domain::build::example::{at, build, every_state, failure, main, pull, success};
use crate::domain::build::{FailureKind, OwnRun};

fn base() -> Url {
    "https://summit.example/".parse().unwrap()
}

fn button() -> Action {
    Action {
        identifier: "rebuild",
        label: "Rebuild",
        description: "Rebuilds what did not succeed",
    }
}

fn target(target: Target, is_planned: bool) -> HeadTarget {
    HeadTarget {
        target,
        since: None,
        is_planned,
    }
}

fn of(standings: &[(HeadTarget, Vec<Build>)]) -> Desired {
    let mut head = Head::new(at(0));
    let standings: Vec<Standing<'_>> = standings
        .iter()
        .map(|(of, builds)| {
            head.put(of.clone());
            let builds = builds.clone();
            Standing { of, builds }
        })
        .collect();
    desired(&head, &standings, &base(), button())
}

fn of_pull(builds: Vec<Build>) -> Desired {
    of(&[(target(pull(), true), builds)])
}

fn named(number: u8, recipe: &str, state: State) -> Build {
    let mut build = build(number, recipe);
    build.target = pull();
    build.state = state;
    build
}

fn show(what: &str, desired: &Desired) -> String {
    let status = match desired.status {
        Status::Queued => "queued",
        Status::InProgress => "in progress",
        Status::Completed(conclusion) => conclusion.as_str(),
    };
    let buttons: Vec<&str> = desired.actions.iter().map(|action| action.label).collect();
    format!(
        "## {what}\n{} · {status} · {} {buttons:?}\n{}\n\n{}\n",
        desired.name, desired.title, desired.details_url, desired.summary
    )
}

/// The texts that people read on GitHub.
#[test]
fn every_standing_has_its_words() {
    let built = || State::Built(success());
    let failed = || State::Failed(failure(FailureKind::Attempt, None));
    let mut out = String::new();
    let mut add = |what: &str, desired: Desired| {
        let _ = writeln!(out, "{}", show(what, &desired));
    };
    add("nobody's head any more", of(&[]));
    add("no recipe", of_pull(Vec::new()));
    add("being read", of(&[(target(main(), false), Vec::new())]));
    add("one built", of_pull(vec![named(1, "nano", built())]));
    let some = vec![
        named(1, "nano", built()),
        named(2, "bash", failed()),
        named(3, "zlib", State::Planned),
    ];
    add("under way", of_pull(some.clone()));
    let mut quiet = some.clone();
    quiet
        .iter_mut()
        .for_each(|build| build.own_run = OwnRun::OnFailure);
    add("under way, too many for check runs", of_pull(quiet));
    add("a failure", of_pull(some[..2].to_vec()));
    let cancelled = State::Cancelled {
        by: crate::domain::build::By::Person {
            login: "ada".to_owned(),
        },
        at: at(1),
    };
    add("cancelled", of_pull(vec![named(1, "nano", cancelled)]));
    let mut published = build(1, "nano");
    published.state = every_state()
        .into_iter()
        .find_map(|(name, build)| (name == "published").then_some(build.state))
        .unwrap();
    add(
        "two targets, of which one failed",
        of(&[
            (target(main(), true), vec![published]),
            (target(pull(), true), some[1..2].to_vec()),
        ]),
    );
    let many: Vec<Build> = (1..=MAX_ROWS + 3)
        .map(|number| {
            let number = u8::try_from(number).unwrap();
            named(number, &format!("r{number:03}"), built())
        })
        .collect();
    let many = of_pull(many).summary;
    let _ = writeln!(out, "## many\n{}", many.lines().last().unwrap());
    insta::assert_snapshot!(out);
}

/// Branch rules let skipped, neutral and cancelled runs pass.
#[test]
fn it_concludes_with_what_a_branch_rule_understands() {
    for (name, build) in every_state() {
        let desired = of(&[(target(build.target.clone(), true), vec![build])]);
        if let Status::Completed(conclusion) = desired.status {
            let is_understood = matches!(
                conclusion,
                Conclusion::Success | Conclusion::Failure | Conclusion::ActionRequired
            );
            assert!(is_understood, "{name}: {conclusion:?}");
        }
    }
}

#[test]
fn the_worst_counts_and_it_is_open_while_anything_is() {
    let status = |states: [State; 2]| {
        let [one, other] = states;
        of_pull(vec![named(1, "nano", one), named(2, "bash", other)]).status
    };
    let built = || State::Built(success());
    let failed = || State::Failed(failure(FailureKind::Attempt, None));
    let held = || State::Held {
        by: crate::domain::build::Hold::Draft,
        since: at(0),
    };
    let completed = Status::Completed;
    assert_eq!(status([built(), built()]), completed(Conclusion::Success));
    assert_eq!(status([built(), failed()]), completed(Conclusion::Failure));
    assert_eq!(
        status([built(), held()]),
        completed(Conclusion::ActionRequired)
    );
    assert_eq!(status([held(), failed()]), completed(Conclusion::Failure));
    assert_eq!(status([failed(), State::Planned]), Status::Queued);
    let planning = of(&[
        (target(main(), false), Vec::new()),
        (target(pull(), true), vec![named(1, "nano", failed())]),
    ]);
    assert_eq!(planning.status, Status::Queued);
}

#[test]
fn hostile_text_stays_text() {
    let mut evil = named(1, "nano", State::Planned);
    evil.conflict = Some(crate::domain::build::Conflict {
        branch: "a|b</td>](javascript:x)@everyone".to_owned(),
        paths: vec!["<img src=x>|".to_owned()],
        count: 1,
    });
    let branch = Target::Branch {
        name: "x|`y`<b>".to_owned(),
    };
    let said = of(&[
        (target(pull(), true), vec![evil]),
        (target(branch, true), Vec::new()),
    ]);
    insta::assert_snapshot!(show("hostile", &said));
}

/// A recipe without a check run of its own has its remarks here.
#[test]
fn remarks_of_recipes_without_a_check_run_are_shown() {
    let warning = crate::domain::build::Annotation {
        path: "n/nano/stone.yaml".to_owned(),
        line: 3,
        is_error: false,
        title: "a lint".to_owned(),
        message: "It is odd.".to_owned(),
    };
    let mut build = named(1, "nano", State::Built(success()));
    build.warnings = vec![warning.clone()];
    assert_eq!(of_pull(vec![build.clone()]).annotations, []);
    build.own_run = OwnRun::OnFailure;
    assert_eq!(of_pull(vec![build]).annotations, [warning]);
}
