//! The binary, as an administrator meets it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use testbed::Binary;

const BINARY: Binary = Binary::new(env!("CARGO_BIN_EXE_vessel"));

#[test]
fn help_says_what_it_is_and_takes() {
    insta::assert_snapshot!(BINARY.help());
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    insta::assert_snapshot!(BINARY.no_configuration("vessel"));
}

/// Writes a configuration for a vessel whose log has `format`.
fn write_config(folder: &Path, format: &str) -> PathBuf {
    let text = format!(
        r#"
        data = {data:?}
        [listen]
        address = "127.0.0.1:0"
        [[channels]]
        name = "main"
        architectures = ["x86_64"]
        [log]
        format = {format:?}
        "#,
        data = folder.join("data"),
    );
    let path = folder.join("vessel.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn start(config: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_vessel"))
        .arg("--config")
        .arg(config)
        .env("RUST_BACKTRACE", "0")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// All that vessel logs from its start to its end, and what a second one says that cannot start
/// because of the first.
fn logs(format: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(folder.path(), format);
    let mut vessel = start(&config);
    let mut stderr = BufReader::new(vessel.stderr.take().unwrap());
    let mut log = String::new();
    while !log.contains("vessel is up") {
        assert_ne!(stderr.read_line(&mut log).unwrap(), 0, "{log}");
    }
    let second = start(&config).wait_with_output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let status = Command::new("kill")
        .arg(vessel.id().to_string())
        .status()
        .unwrap();
    assert!(status.success());
    stderr.read_to_string(&mut log).unwrap();
    assert!(vessel.wait().unwrap().success(), "{log}");
    (log, String::from_utf8(second.stderr).unwrap())
}

#[test]
fn every_line_of_a_json_log_is_one_object_the_last_error_too() {
    let (log, refusal) = logs("json");
    for line in log.lines().chain(refusal.lines()) {
        testbed::json::parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    let last = testbed::json::parse(refusal.lines().last().unwrap()).unwrap();
    let error = last["error"].as_str().unwrap();
    assert!(error.contains("is already open"), "{error}");
}

#[test]
fn a_log_in_a_file_has_no_colours() {
    let (log, refusal) = logs("text");
    assert!(log.contains(" public_key=ed25519:"), "{log}");
    assert!(!log.contains('\u{1b}'), "{log:?}");
    assert!(refusal.contains("is already open"), "{refusal}");
}
