//! The binary, as an administrator meets it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_forge"))
        .args(arguments)
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap()
}

#[test]
fn help_says_what_it_is_and_takes() {
    let output = run(&["--help"]);
    assert!(output.status.success());
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let output = run(&["--config", "/nowhere/forge.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "what is said is no data");
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap());
}
