//! The tests of faults, with this summit and with an older one.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::{cargo, say};

/// The module of the suite.
const MODULE: &str = "faults::";

/// How many characters of a reason the table shows.
const WIDTH: usize = 120;

/// Prints the table. False when a test fails with this summit, or succeeds with the other.
pub(super) fn run(binary: &Path, filter: Option<&str>) -> Result<bool> {
    let binary = std::path::absolute(binary).context("no such path")?;
    ensure!(binary.is_file(), "{} is no file", binary.display());
    let built = cargo()
        .args(["build", "--quiet", "--workspace", "--bins", "--locked"])
        .status()?;
    ensure!(built.success(), "the services cannot be built");
    let tests = list()?;
    let wanted = |test: &&String| filter.is_none_or(|filter| test.contains(filter));
    let mut is_right = true;
    for test in tests.iter().filter(wanted) {
        let (this, other) = (play(test, None)?, play(test, Some(&binary))?);
        is_right &= this.is_none() && other.is_some();
        say(format_args!("{}", test.trim_start_matches(MODULE)));
        say(format_args!("    this:  {}", told(this.as_deref())));
        say(format_args!("    other: {}", told(other.as_deref())));
    }
    Ok(is_right)
}

fn told(failure: Option<&str>) -> &str {
    failure.unwrap_or("ok")
}

/// The names of the tests.
fn list() -> Result<Vec<String>> {
    let output = suite().args(["--list", MODULE]).output()?;
    ensure!(output.status.success(), "the suite cannot be listed");
    let text = String::from_utf8_lossy(&output.stdout);
    let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
    Ok(names.map(str::to_owned).collect())
}

/// Runs one test. Returns the first line of what it failed with.
fn play(test: &str, summit: Option<&Path>) -> Result<Option<String>> {
    let mut suite = suite();
    suite.args(["--exact", test]);
    if let Some(summit) = summit {
        suite.env("SNEKBOOK_SUMMIT", summit);
    }
    let output = suite.output()?;
    if output.status.success() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(Some(reason(&text)))
}

/// The line below that of the panic.
fn reason(text: &str) -> String {
    let mut lines = text.lines();
    lines.find(|line| line.contains(" panicked at "));
    let line = lines.next().unwrap_or("it says nothing");
    line.chars().take(WIDTH).collect()
}

fn suite() -> Command {
    let mut suite = cargo();
    suite.args(["test", "--quiet", "--locked", "--package", "tests"]);
    suite.args(["--test", "suite", "--"]);
    suite
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_what_the_test_says() {
        let text = "running 1 test\nthread 'a' panicked at b.rs:1:2:\nthe build is lost\nstack";
        assert_eq!(reason(text), "the build is lost");
        assert_eq!(reason(""), "it says nothing");
    }
}
