use super::*;
use crate::domain::build::example::{at, every_state};
use crate::domain::build::{Conflict, Refused, Shown};
use crate::domain::name::CheckRunId;

/// What scripts read of builds: another form is another version of the API.
#[test]
fn builds_have_this_form() {
    let mut builds: Vec<Build> = every_state().into_iter().map(|(_, build)| build).collect();
    let first = &mut builds[0];
    first.conflict = Some(Conflict {
        branch: "main".to_owned(),
        paths: vec!["n/nano/stone.yaml".to_owned()],
        count: 1,
    });
    first.logs_removed_at = Some(at(7));
    first.shown = Shown {
        seq: 1,
        run: Some(CheckRunId::new(5)),
        concluded: true,
        past: vec![CheckRunId::new(4)],
        digest: Some("0".repeat(64)),
        refused: Some(Refused::again(None, "gone".to_owned(), 1, at(3))),
    };
    let json = serde_json::to_string_pretty(&builds).unwrap();
    insta::assert_snapshot!(json);
}

/// What a refused check run and removed logs look like to people.
#[test]
fn a_build_says_what_is_refused_and_removed() {
    let (_, mut build) = every_state().pop().unwrap();
    build.attempts = 2;
    assert!(facts(&build, None).into_string().contains("/log"));
    build.logs_removed_at = Some(at(7));
    build.shown.refused = Some(Refused::again(None, "<gone>".to_owned(), 1, at(3)));
    insta::assert_snapshot!(facts(&build, None).into_string());
}
