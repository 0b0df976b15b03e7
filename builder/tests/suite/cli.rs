//! The binary, as an administrator meets it.

use testbed::Binary;

const BINARY: Binary = Binary::new(env!("CARGO_BIN_EXE_avalanche"));

#[test]
fn help_says_what_it_is_and_takes() {
    insta::assert_snapshot!(BINARY.help());
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    insta::assert_snapshot!(BINARY.no_configuration("avalanche"));
}

/// Where root has no other users, as in a container without a range of them.
#[test]
fn users_that_builds_cannot_run_as_are_named_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("avalanche.toml");
    let data = folder.path().join("data");
    let text =
        format!("name = \"builder-1\"\ndata = {data:?}\n[listen]\naddress = \"127.0.0.1:0\"\n");
    std::fs::write(&file, text).unwrap();
    let output = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", env!("CARGO_BIN_EXE_avalanche")])
        .arg("--config")
        .arg(&file)
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("builds cannot run as user 64800") && said.contains("`sandbox.first_id`"),
        "{said}"
    );
    assert!(said.contains("(0-0)"), "{said}");
}
