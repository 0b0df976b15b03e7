//! `/status` lists the builds of a commit and their states.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use api::id::Architecture;
use moss_db::{Error, RoTxn};

use super::kind::{Ask, Command, Effect};
use crate::db::Tables;
use crate::domain::build::{Build, Stage};
use crate::domain::command::{Reaction, Receipt};
use crate::domain::tail::{clip, code, escape};

/// The most builds in an answer, and the most characters of each. GitHub's limit is 65,536
/// characters for a comment.
const MAX_LISTED: usize = 50;
const MAX_LABEL: usize = 100;
const MAX_EXPLANATION: usize = 400;

pub(super) const COMMAND: Command = Command {
    name: "status",
    arguments: Some("[RECIPE…]"),
    help: "Lists the builds with their states, and says what each build waits for.",
    effect: Effect::Tell(run),
    button: None,
};

fn run(tables: &Tables, txn: &RoTxn<'_>, ask: &Ask) -> Result<Receipt, Error> {
    let builds = ask.builds(tables, txn)?;
    Ok(match ask.choose(&builds) {
        Ok(chosen) => tell(&chosen, &ask.standstill),
        Err(receipt) => receipt,
    })
}

/// The list of builds; those that are not done come first.
fn tell(builds: &[&Build], standstill: &BTreeMap<Architecture, String>) -> Receipt {
    if builds.is_empty() {
        return Receipt::say(Reaction::ThumbsUp, "This commit has no builds.");
    }
    let (done, open): (Vec<&Build>, Vec<&Build>) =
        builds.iter().partition(|build| build.is_settled());
    let succeeded = done.iter().filter(|build| build.is_success()).count();
    let mut text = format!(
        "Builds: {} in total, {succeeded} succeeded, {} ended without success, {} not done.\n",
        builds.len(),
        done.len() - succeeded,
        open.len()
    );
    let first = &builds[0].target;
    let is_one_target = builds.iter().all(|build| build.target == *first);
    for build in open.iter().chain(&done).take(MAX_LISTED) {
        let label = code(&clip(&build.label(), MAX_LABEL));
        let target = match is_one_target {
            true => String::new(),
            false => format!(" for {}", code(&clip(&build.target.to_string(), MAX_LABEL))),
        };
        let stands = escape(&clip(&build.explain(), MAX_EXPLANATION));
        let _ = write!(text, "\n- {label}{target}: {stands}");
    }
    let more = builds.len().saturating_sub(MAX_LISTED);
    if more > 0 {
        let _ = write!(text, "\n- and {more} more");
    }
    let queued = open
        .iter()
        .filter(|build| build.state.stage() == Stage::Queued);
    let profiles: BTreeSet<&Architecture> = queued.map(|build| &build.profile).collect();
    for profile in profiles {
        if let Some(reason) = standstill.get(profile) {
            let reason = escape(&clip(reason, MAX_EXPLANATION));
            let profile = code(profile.as_str());
            let _ = write!(
                text,
                "\n\nNo builder gets a build for {profile} now: {reason}."
            );
        }
    }
    Receipt::say(Reaction::ThumbsUp, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::build::example::{build, every_state, failure, profile, pull};
    use crate::domain::build::{FailureKind, Scope, State};

    #[test]
    fn each_build_is_listed_with_what_it_waits_for() {
        let builds = every_state();
        let few: Vec<&Build> = builds.iter().map(|(_, build)| build).collect();
        insta::assert_snapshot!(tell(&few, &BTreeMap::new()).text.unwrap());
    }

    #[test]
    fn what_is_no_readable_recipe_is_named_and_targets_are_told_apart() {
        let mut unreadable = build(1, "nano");
        unreadable.version = String::new();
        let mut all = build(2, "recipes");
        all.target = pull();
        all.scope = Scope::All {
            count: 3,
            named: Vec::new(),
        };
        insta::assert_snapshot!(tell(&[&unreadable, &all], &BTreeMap::new()).text.unwrap(), @r"
        Builds: 2 in total, 0 succeeded, 0 ended without success, 2 not done.

        - `nano` for `main`: Planned; the scheduler has not looked at it yet.
        - `3 recipes` for `#7`: Planned; the scheduler has not looked at it yet.
        ");
    }

    #[test]
    fn what_keeps_all_builds_back_is_told_where_one_waits_for_a_builder() {
        let planned = build(1, "nano");
        let told = |builds: &[&Build]| {
            let reason = "no builder can be reached".to_owned();
            tell(builds, &[(profile(), reason)].into()).text.unwrap()
        };
        assert!(!told(&[&planned]).contains("No builder"));
        let mut queued = build(2, "vim");
        queued.state = State::Queued {
            since: crate::domain::build::example::at(0),
            reason: None,
        };
        let end = "\n\nNo builder gets a build for `x86_64` now: no builder can be reached.";
        assert!(told(&[&planned, &queued]).ends_with(end));
    }

    #[test]
    fn an_answer_is_never_longer_than_github_takes() {
        let mut failed = build(1, "nano");
        let mut failure = failure(FailureKind::Attempt, None);
        failure.message = "*".repeat(10_000);
        failed.state = State::Failed(failure);
        failed.version = "`".repeat(10_000);
        let many = vec![&failed; 60];
        let text = tell(&many, &BTreeMap::new()).text.unwrap();
        assert_eq!(text.lines().count(), 2 + MAX_LISTED + 1);
        assert!(text.ends_with("- and 10 more"), "{text}");
        assert!(text.chars().count() < 60_000, "{}", text.chars().count());
    }
}
