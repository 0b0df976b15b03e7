use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::domain::build::Conflict;
use crate::domain::build::example::{at, build, every_state, failure, id, success};

fn base() -> Url {
    "https://summit.example/".parse().unwrap()
}

fn show(build: &Build, tail: Option<&str>) -> String {
    let desired = desired(build, tail, &base(), Vec::new());
    let status = match desired.status {
        Status::Queued => "queued",
        Status::InProgress => "in progress",
        Status::Completed(conclusion) => conclusion.as_str(),
    };
    let mut out = format!(
        "{} · {status} · {}\n\n{}",
        desired.name, desired.title, desired.summary
    );
    if let Some(text) = desired.text {
        let _ = writeln!(out, "\n{text}");
    }
    for annotation in desired.annotations {
        let _ = writeln!(
            out,
            "\n{}:{} {}: {}",
            annotation.path, annotation.line, annotation.title, annotation.message
        );
    }
    out
}

#[test]
fn the_page_lies_below_the_public_url() {
    for base in ["https://example.org/summit", "https://example.org/summit/"] {
        let page = page(&build(1, "nano"), &base.parse().unwrap());
        let expected = format!("https://example.org/summit/builds/{}", id(1));
        assert_eq!(page.as_str(), expected);
    }
}

/// The text that people read on GitHub, for every state.
#[test]
fn every_state_has_its_words() {
    let mut out = String::new();
    for (name, build) in every_state() {
        let tail = name
            .starts_with("failed, a")
            .then_some("checking hashes\nerror: another hash");
        let _ = writeln!(out, "## {name}\n{}", show(&build, tail));
    }
    insta::assert_snapshot!(out);
}

/// The worst text in every field that a stranger can write.
#[test]
fn hostile_text_stays_text() {
    let worst = "</td><script>alert(1)</script> | a | b\n\n# heading\n@everyone [x](https://evil.example) ![y](z) `code` ``` ~~~ \u{202e}gnp";
    let mut hostile = build(1, "nano");
    hostile.folder = "a|b<img src=x>`c`".parse().unwrap();
    hostile.version = worst.to_owned();
    hostile.attempts = 1;
    let mut failed = failure(FailureKind::Attempt, None);
    failed.message = worst.to_owned();
    failed.annotations.clear();
    hostile.state = State::Failed(failed);
    let shown = show(&hostile, Some("```\n</details>\n````\n@everyone"));
    let table: Vec<&str> = shown.lines().filter(|line| line.starts_with('|')).collect();
    for row in &table {
        assert_eq!(row.matches('|').count(), 3, "{row}");
    }
    insta::assert_snapshot!(shown);
    hostile.state = State::Held {
        by: Hold::Build {
            build: id(2),
            recipe: worst.to_owned(),
        },
        since: at(0),
    };
    let shown = show(&hostile, None);
    let explained = shown.lines().nth(2).unwrap();
    assert!(
        explained.contains("&lt;script&gt;") && !explained.contains('<'),
        "{explained}"
    );
    assert!(shown.lines().all(|line| !line.starts_with('#')), "{shown}");
}

/// A conflict is in the text and not an annotation, because GitHub cannot remove annotations.
#[test]
fn a_conflict_is_said_and_taken_back() {
    let mut build = every_state().swap_remove(9).1;
    let calm = show(&build, None);
    build.conflict = Some(Conflict {
        branch: "main".to_owned(),
        paths: vec!["n/nano/stone.yaml".to_owned(), "<b>".to_owned()],
        count: 4,
    });
    insta::assert_snapshot!(show(&build, None));
    build.conflict = None;
    assert_eq!(show(&build, None), calm);
}

fn check_limits(build: &Build, tail: Option<&str>) {
    let desired = desired(build, tail, &base(), Vec::new());
    assert!(desired.title.chars().count() <= 255);
    assert!(desired.summary.len() <= 65_535, "{}", desired.summary.len());
    assert!(
        desired
            .text
            .as_ref()
            .is_none_or(|text| text.len() <= 65_535)
    );
    assert!(!desired.summary.is_empty() && !desired.title.is_empty());
    assert!(desired.annotations.len() <= MAX_ANNOTATIONS);
}

/// GitHub refuses texts beyond its limits; then the check run would never be concluded.
#[test]
fn nothing_is_longer_than_github_allows() {
    let long = "`|<*@\n".repeat(40_000);
    for (_, mut build) in every_state() {
        build.version = long.clone();
        build.conflict = Some(Conflict {
            branch: long.clone(),
            paths: vec![long.clone(); 20],
            count: 500,
        });
        let annotation = failure(FailureKind::Recipe, None).annotations.remove(0);
        build.warnings = vec![annotation.clone(); 70];
        match &mut build.state {
            State::Failed(failure) => {
                failure.message = long.clone();
                failure.annotations = vec![annotation; 5000];
            }
            State::Held {
                by: Hold::Needs { missing },
                ..
            } => {
                *missing = vec![long.clone(); 300];
            }
            State::Queued {
                reason: Some(reason),
                ..
            } => *reason = long.clone(),
            State::Built(built) | State::Publishing { built, .. } => {
                let mut stone = success().assets.remove(0);
                stone.file_name = "x".repeat(255).parse().unwrap();
                built.assets = vec![stone; 2000];
            }
            State::Planned
            | State::Waiting { .. }
            | State::Queued { .. }
            | State::Building { .. }
            | State::Published { .. }
            | State::Held { .. }
            | State::Cancelled { .. }
            | State::Superseded { .. } => {}
        }
        check_limits(&build, Some(&long));
        check_limits(&build, Some(&"`".repeat(60_000)));
    }
}

proptest! {
    #[test]
    fn any_message_keeps_the_table_whole(message in any::<String>(), version in any::<String>()) {
        let mut build = build(1, "nano");
        build.version = version;
        let mut failed = failure(FailureKind::Attempt, None);
        failed.message = message;
        build.state = State::Failed(failed);
        let summary = desired(&build, None, &base(), Vec::new()).summary;
        let mut lines = summary.lines().filter(|line| !line.is_empty()).rev();
        for row in ["| Build |", "| Folder |", "| Recipe |", "|---|---|", "| | |"] {
            let line = lines.next().unwrap();
            prop_assert!(line.starts_with(row), "{}", summary);
            prop_assert_eq!(line.matches('|').count(), 3);
        }
        prop_assert!(lines.count() <= 1, "{}", summary);
    }
}
