//! The desired content of the check run `snekbook`, of which each head has one.
//!
//! Branch rules require it by its name. They let the conclusions neutral, skipped and cancelled
//! pass, so it concludes with success, failure or action required only.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use url::Url;

use super::of_build::{self, page};
use super::{Action, Conclusion, Desired, Status, cell, name};
use crate::domain::build::{Build, Scope, State, Target, counted};
use crate::domain::head::{Head, HeadTarget};
use crate::domain::tail::{clip, escape};

/// How many recipes a table lists. Those that did not succeed come first.
const MAX_ROWS: usize = 60;

/// How many tables the summary has. A commit that heads more targets is made by hand.
const MAX_TABLES: usize = 8;

/// How many annotations it has: those of recipes without a check run of their own.
const MAX_ANNOTATIONS: usize = 100;

/// A target with its builds: the newest one of each recipe that its plan still has.
#[derive(Debug)]
pub struct Standing<'a> {
    /// The target.
    pub of: &'a HeadTarget,
    /// The builds.
    pub builds: Vec<Build>,
}

/// The desired check run of a head. `standings` has one for each of its targets, `base` is summit's
/// public URL, and `rebuild` is the button, for a head with builds that can be rebuilt.
pub fn desired(head: &Head, standings: &[Standing<'_>], base: &Url, rebuild: Action) -> Desired {
    let status = status(standings);
    let can_rebuild = standings.iter().flat_map(|one| &one.builds);
    let can_rebuild = can_rebuild
        .filter(|build| !build.is_success())
        .any(|build| build.why_no_rebuild().is_none());
    let actions = match status {
        Status::Completed(_) if can_rebuild => vec![rebuild],
        Status::Completed(_) | Status::Queued | Status::InProgress => Vec::new(),
    };
    let quiet = standings.iter().flat_map(|one| &one.builds);
    let quiet = quiet.filter(|build| build.scope == Scope::Recipe && !build.has_check_run());
    let annotations = quiet.flat_map(|build| build.warnings.iter().cloned());
    Desired {
        name: name::HEAD.to_owned(),
        status,
        title: title(standings, status),
        summary: summary(standings, base),
        text: None,
        annotations: annotations.take(MAX_ANNOTATIONS).collect(),
        details_url: details(standings, base),
        started_at: head.created_at,
        actions,
    }
}

/// The page of the only build, or summit's first page.
fn details(standings: &[Standing<'_>], base: &Url) -> Url {
    match standings {
        [one] if one.builds.len() == 1 => page(&one.builds[0], base),
        _ => base.clone(),
    }
}

/// The status of all targets together. It is concluded once all of them are.
fn status(standings: &[Standing<'_>]) -> Status {
    let worst = standings.iter().map(status_of).max_by_key(rank);
    // Without a target there is no verdict, and somebody who wants one has to push or reopen.
    worst.unwrap_or(Status::Completed(Conclusion::ActionRequired))
}

/// The status of one target.
fn status_of(standing: &Standing<'_>) -> Status {
    if !standing.of.is_planned {
        return Status::Queued;
    }
    let all = standing.builds.iter().map(counts_as);
    all.max_by_key(rank)
        .unwrap_or(Status::Completed(Conclusion::Success))
}

/// What a build counts as in the check run of its head.
fn counts_as(build: &Build) -> Status {
    match of_build::status(build) {
        Status::Queued => Status::Queued,
        Status::InProgress => Status::InProgress,
        Status::Completed(conclusion) => Status::Completed(match conclusion {
            // Its release is published already.
            Conclusion::Success | Conclusion::Neutral => Conclusion::Success,
            // What it needs did not succeed, so nobody knows whether it would.
            Conclusion::Failure | Conclusion::Skipped => Conclusion::Failure,
            Conclusion::ActionRequired | Conclusion::Cancelled => Conclusion::ActionRequired,
        }),
    }
}

/// The order of statuses: the highest one counts.
fn rank(status: &Status) -> u8 {
    match status {
        Status::Completed(Conclusion::Success | Conclusion::Neutral) => 0,
        Status::Completed(Conclusion::ActionRequired | Conclusion::Cancelled) => 1,
        Status::Completed(Conclusion::Failure | Conclusion::Skipped) => 2,
        Status::Queued => 3,
        Status::InProgress => 4,
    }
}

/// How many builds there are of each kind.
#[derive(Debug, Default)]
struct Counts {
    all: usize,
    succeeded: usize,
    failed: usize,
    act: usize,
}

impl Counts {
    fn of<'a>(builds: impl Iterator<Item = &'a Build>) -> Self {
        let mut counts = Self::default();
        for build in builds {
            let (size, status) = (size(build), counts_as(build));
            counts.all += size;
            match rank(&status) {
                0 => counts.succeeded += size,
                1 => counts.act += size,
                2 => counts.failed += size,
                _ => {}
            }
        }
        counts
    }
}

/// How many recipes a build is of.
fn size(build: &Build) -> usize {
    match &build.scope {
        Scope::Recipe => 1,
        Scope::All { count, .. } => (*count).max(1),
    }
}

fn title(standings: &[Standing<'_>], status: Status) -> String {
    if standings.is_empty() {
        return "Superseded".to_owned();
    }
    let counts = Counts::of(standings.iter().flat_map(|one| &one.builds));
    let is_planned = standings.iter().all(|one| one.of.is_planned);
    match status {
        Status::Queued | Status::InProgress if !is_planned => "Planning".to_owned(),
        Status::Queued | Status::InProgress if !has_progress(standings) => {
            format!("Waiting for {}", counted(counts.all))
        }
        Status::Queued | Status::InProgress => {
            let done = format!("{} of {} done", counts.succeeded, counted(counts.all));
            match counts.failed + counts.act {
                0 => done,
                others => format!("{done}, {others} without success"),
            }
        }
        Status::Completed(_) if counts.all == 0 => "No recipe changes".to_owned(),
        Status::Completed(Conclusion::Success | Conclusion::Neutral) => {
            let is_published = standings.iter().any(|one| one.of.target.is_published());
            let what = if is_published { "published" } else { "built" };
            format!("{} {what}", counted(counts.all))
        }
        Status::Completed(Conclusion::Failure | Conclusion::Skipped) => {
            format!("{} of {} failed", counts.failed, counted(counts.all))
        }
        Status::Completed(Conclusion::ActionRequired | Conclusion::Cancelled) => {
            match standings.iter().flat_map(|one| &one.builds).find(is_of_all) {
                Some(build) => of_build::title(build),
                None => format!("{} of {} not built", counts.act, counted(counts.all)),
            }
        }
    }
}

/// True when it has progress of its own to tell: there are builds without a check run.
pub fn has_progress(standings: &[Standing<'_>]) -> bool {
    let mut builds = standings.iter().flat_map(|one| &one.builds);
    builds.any(|build| build.scope == Scope::Recipe && !build.has_check_run())
}

fn is_of_all(build: &&Build) -> bool {
    build.scope != Scope::Recipe
}

fn summary(standings: &[Standing<'_>], base: &Url) -> String {
    if standings.is_empty() {
        return "No branch and no pull request has this commit as its head any more, so summit \
                stopped. Their present heads have check runs of their own."
            .to_owned();
    }
    let mut tables: Vec<String> = standings
        .iter()
        .take(MAX_TABLES)
        .map(|standing| table(standing, base))
        .collect();
    if standings.len() > MAX_TABLES {
        tables.push(format!(
            "And {} more targets.",
            standings.len() - MAX_TABLES
        ));
    }
    tables.join("\n\n")
}

/// What becomes of the recipes of one target.
fn table(standing: &Standing<'_>, base: &Url) -> String {
    let mut out = heading(&standing.of.target);
    if standing.builds.is_empty() {
        out.push_str(match standing.of.is_planned {
            true => "It changes no recipe, so there is nothing to build.",
            false => "summit is reading which recipes it changes.",
        });
        return out;
    }
    if let Some(conflict) = standing
        .builds
        .iter()
        .find_map(|build| build.conflict.as_ref())
    {
        let conflict = escape(&clip(&conflict.to_string(), 1_000));
        let _ = write!(out, "**Merge conflict.** {conflict}\n\n");
    }
    let mut builds: Vec<&Build> = standing.builds.iter().collect();
    builds.sort_by_key(|build| (order(build), &build.recipe, build.id));
    if let Some(all) = builds.iter().copied().find(is_of_all) {
        let _ = write!(out, "{}\n\n", escape(&clip(&all.explain(), 4_000)));
    }
    out.push_str("| Recipe | Release | State |\n|---|---|---|\n");
    for build in builds.iter().take(MAX_ROWS) {
        let label = match build.scope {
            Scope::Recipe => format!("[{}]({})", cell(build.recipe.as_str()), page(build, base)),
            Scope::All { .. } => format!("[{}]({})", build.label(), page(build, base)),
        };
        let release = match build.scope {
            Scope::Recipe => build.release.to_string(),
            Scope::All { .. } => String::new(),
        };
        let state = escape(&of_build::title(build)).replace('|', "\u{2758}");
        let _ = writeln!(out, "| {label} | {release} | {state} |");
    }
    let more = builds.iter().skip(MAX_ROWS);
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for build in more {
        *kinds.entry(build.state.name()).or_default() += 1;
    }
    if !kinds.is_empty() {
        let kinds: Vec<String> = kinds
            .into_iter()
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        let _ = writeln!(out, "\nFurther recipes: {}.", kinds.join(", "));
    }
    out
}

/// Failures come first, then what waits for a person, what is under way, and what is done.
fn order(build: &Build) -> u8 {
    match counts_as(build) {
        Status::Completed(Conclusion::Failure | Conclusion::Skipped)
            if matches!(build.state, State::Failed(_)) =>
        {
            0
        }
        Status::Completed(Conclusion::Failure | Conclusion::Skipped) => 1,
        Status::Completed(Conclusion::ActionRequired | Conclusion::Cancelled) => 2,
        Status::InProgress => 3,
        Status::Queued => 4,
        Status::Completed(Conclusion::Success | Conclusion::Neutral) => 5,
    }
}

fn heading(target: &Target) -> String {
    match target {
        Target::Branch { name } => format!("### Branch {}\n\n", cell(name)),
        Target::Pull { number } => format!("### Pull request #{number}\n\n"),
        Target::Group { name } => format!("### Merge group {}\n\n", cell(name)),
    }
}

#[cfg(test)]
mod tests;
