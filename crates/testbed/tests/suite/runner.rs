//! What is said past the test runner is seen by whoever runs the tests, also when all of them pass.

use std::process::{Command, Output};

/// Runs one test of this executable, as `cargo test` does.
fn run(test: &str, corpus: Option<&str>) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", &format!("runner::{test}"), "--include-ignored"])
        .env_remove(testbed::corpus::VARIABLE);
    if let Some(corpus) = corpus {
        command.env(testbed::corpus::VARIABLE, corpus);
    }
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
#[ignore = "run by another"]
fn needs_what_nobody_has_twice() {
    for _ in 0..2 {
        let found = testbed::skip::find_path("SNEKBOOK_TREASURE", "treasure");
        assert_eq!(found, None);
    }
}

#[test]
fn a_skipped_test_is_counted_and_said_to_be() {
    let output = run("needs_what_nobody_has_twice", None);
    assert!(output.status.success());
    let line = |count| {
        format!(
            "skipped: SNEKBOOK_TREASURE is unset, and there is no shared/treasure beside the \
             checkout ({count} skipped)\n"
        )
    };
    assert_eq!(text(&output.stderr), line(1) + &line(2));
}

#[test]
#[ignore = "run by the others"]
fn needs_the_corpus() {
    if let Some(folder) = testbed::corpus::find() {
        assert!(folder.is_dir());
    }
}

/// Whoever only runs `cargo test` gets the corpus where it lies beside the checkout.
#[test]
fn a_corpus_beside_the_checkout_needs_no_variable() {
    let output = run("needs_the_corpus", None);
    assert!(output.status.success());
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus");
    let is_skipped = text(&output.stderr).starts_with("skipped: SNEKBOOK_CORPUS is unset");
    assert_eq!(is_skipped, !std::path::Path::new(beside).is_dir());
}

#[test]
fn a_corpus_that_is_not_there_fails() {
    let output = run("needs_the_corpus", Some("/nowhere"));
    assert!(!output.status.success());
    let said = text(&output.stdout);
    let wanted = "SNEKBOOK_CORPUS is set, but there is no folder /nowhere";
    assert!(said.contains(wanted), "{said}");
    let folder = tempfile::tempdir().unwrap();
    let output = run("needs_the_corpus", folder.path().to_str());
    assert!(output.status.success());
    assert_eq!(text(&output.stderr), "");
}

#[test]
#[ignore = "run by another"]
fn needs_a_program() {
    testbed::skip::find_program("strace");
}

#[test]
fn a_program_that_is_missing_is_named_and_where_all_has_to_run_a_failure() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "runner::needs_a_program", "--include-ignored"])
        .env("PATH", "/nowhere")
        .env_remove(testbed::skip::COMPLETE);
    let output = command.output().unwrap();
    assert!(output.status.success());
    let wanted = "strace is not installed: apt-get install strace";
    assert_eq!(
        text(&output.stderr),
        format!("skipped: {wanted} (1 skipped)\n")
    );
    let output = command.env(testbed::skip::COMPLETE, "1").output().unwrap();
    assert!(!output.status.success());
    let said = text(&output.stdout);
    assert!(said.contains(wanted), "{said}");
}

#[test]
#[ignore = "run by another"]
fn needs_the_machine() {
    testbed::machine::require();
}

/// A machine without git, as its `PATH` has it.
#[test]
fn a_machine_that_lacks_something_is_told_at_once_and_fails() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "runner::needs_the_machine", "--include-ignored"])
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = text(&output.stderr);
    assert!(
        said.starts_with("error: this machine lacks what the line needs:")
            && said.contains("apt-get install git"),
        "{said}"
    );
}
