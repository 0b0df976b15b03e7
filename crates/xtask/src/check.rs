//! A check of what one touched, short enough to run before every commit.
//!
//! It looks at less than `.ci/run`, and says at its end what it left out and which command looks at
//! that.

mod changes;
mod plan;
mod test_binaries;
mod workspace;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Args;

use changes::Changes;
use plan::Plan;
use workspace::Workspace;

/// What to check.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What the changes are counted from: the commit where this branch left it.
    ///
    /// `origin/main` unless given, and `main` where there is none.
    #[arg(long, value_name = "COMMIT")]
    base: Option<String>,
    /// Only say what would be checked.
    #[arg(long)]
    list: bool,
}

/// What every check leaves out.
const NEVER_CHECKED: &str = "documentation of public items and examples in it, licences, hostile \
    recipes, and the whole line at work; .ci/run";

/// Formats, lints and tests. Says whether all passed.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let workspace = Workspace::read()?;
    let changes = changes::find(&workspace.root, options.base.as_deref())?;
    let mut plan = Plan::new(&workspace, &changes.files);
    tell(&changes, &plan);
    let mut steps = Steps::default();
    if !options.list {
        steps.take("cargo fmt --all --check", || {
            cargo(&workspace, &["fmt", "--all", "--check"])
        })?;
        if !(plan.touched.is_empty() && plan.dependents.is_empty()) {
            lint_and_test(&workspace, &mut plan, &mut steps)?;
        }
        steps.tell();
    }
    crate::say("not checked:");
    plan.left_out.push(NEVER_CHECKED.to_owned());
    for left_out in &plan.left_out {
        crate::say(format_args!("    {left_out}"));
    }
    Ok(steps.have_passed())
}

fn tell(changes: &Changes, plan: &Plan) {
    let count = changes.files.len();
    crate::say(format_args!(
        "{count} files differ from where this branch left {}",
        changes.base
    ));
    let names = |names: &BTreeSet<String>| {
        if names.is_empty() {
            return "none".to_owned();
        }
        names.iter().cloned().collect::<Vec<_>>().join(", ")
    };
    crate::say(format_args!(
        "    linted and tested: {}",
        names(&plan.touched)
    ));
    crate::say(format_args!("    linted: {}", names(&plan.dependents)));
}

/// Lints are asked for the whole workspace: cargo passes over what has not changed, and looks at the
/// tests of the dependents too. These are not built.
fn lint_and_test(workspace: &Workspace, plan: &mut Plan, steps: &mut Steps) -> Result<()> {
    steps.take("cargo clippy --workspace --all-targets", || {
        let lint = ["clippy", "--workspace", "--all-targets", "--quiet"];
        cargo(workspace, &[&lint[..], &["--", "-D", "warnings"]].concat())
    })?;
    let mut binaries = None;
    steps.take("cargo test --no-run", || {
        binaries = test_binaries::compile(workspace, plan)?;
        Ok(binaries.is_some())
    })?;
    if let Some(binaries) = binaries {
        steps.take("the tests of what was touched", || {
            test_binaries::run(&binaries, plan)
        })?;
    }
    Ok(())
}

fn cargo(workspace: &Workspace, arguments: &[&str]) -> Result<bool> {
    let mut cargo = crate::cargo();
    let status = cargo.current_dir(&workspace.root).args(arguments).status();
    let named = || format!("cannot run `cargo {}`", arguments.join(" "));
    Ok(status.with_context(named)?.success())
}

/// What was done, how long it took and whether it passed. A step that fails hides none behind it.
#[derive(Debug, Default)]
struct Steps(Vec<(&'static str, Duration, bool)>);

impl Steps {
    fn take(&mut self, name: &'static str, step: impl FnOnce() -> Result<bool>) -> Result<()> {
        crate::say(format_args!("==> {name}"));
        let begun = Instant::now();
        let passed = step()?;
        self.0.push((name, begun.elapsed(), passed));
        Ok(())
    }

    fn have_passed(&self) -> bool {
        self.0.iter().all(|(_, _, passed)| *passed)
    }

    fn tell(&self) {
        crate::say("checked:");
        for (name, took, passed) in &self.0 {
            let how = if *passed { "passed" } else { "FAILED" };
            crate::say(format_args!("    {how} {:>4} s  {name}", took.as_secs()));
        }
    }
}
