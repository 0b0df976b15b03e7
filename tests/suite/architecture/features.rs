//! The README's two commands compile each dependency once between them.

use std::collections::BTreeSet;
use std::process::Command;

use super::root;

/// Every dependency with its features, as a build of `packages` with `edges` has it.
fn dependencies(packages: &[&str], edges: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--prefix", "none"])
        .args(["--format", "{p} [{f}]", "--edges", edges])
        .args(packages)
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        // Our own crates are named with their folder.
        .filter(|line| !line.contains('/'))
        .map(|line| line.trim_end_matches(" (*)").to_owned())
        .collect()
}

#[test]
fn what_the_first_command_compiles_the_second_one_uses() {
    let first = dependencies(&["--package", "snekbook-dev"], "normal,build");
    let second = dependencies(&["--workspace"], "normal,build,dev");
    assert!(first.len() > 200, "only {} were seen", first.len());
    let twice: Vec<&String> = first.difference(&second).collect();
    assert!(
        twice.is_empty(),
        "tests turn on more features of these, so that both commands compile them; \
         crates/dev/Cargo.toml is to turn them on too: {twice:#?}"
    );
}
