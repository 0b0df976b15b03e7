//! The desired content of a build's check run.

use std::fmt::Write as _;

use api::id::BuildId;
use url::Url;

use super::{Action, Conclusion, Desired, Status, cell, name};
use crate::domain::build::{Build, By, FailureKind, Hold, Progress, Scope, State, counted};
use crate::domain::tail::{clip, escape, fenced};

/// The longest text of a check run, in bytes. GitHub allows 65,535 characters.
const MAX_TEXT: usize = 60_000;

/// The longest explanation in a summary, in characters before escaping.
const MAX_EXPLANATION: usize = 4_000;

/// How many stones, or builds to wait for, a summary lists.
const MAX_STONES: usize = 64;

/// How many lost attempts a summary lists: the latest ones.
const MAX_LOSSES: usize = 10;

/// How many annotations a check run gets. GitHub takes 50 per request, and nobody reads hundreds.
const MAX_ANNOTATIONS: usize = 100;

/// The desired check run of `build`. `log_tail` is the end of its log, `base` is summit's public
/// URL, `actions` are its buttons once it is concluded.
pub fn desired(build: &Build, log_tail: Option<&str>, base: &Url, actions: Vec<Action>) -> Desired {
    let status = status(build);
    let actions = match status {
        Status::Completed(_) => actions,
        Status::Queued | Status::InProgress => Vec::new(),
    };
    let mut annotations = build.warnings.clone();
    if let State::Failed(failure) = &build.state {
        annotations.extend(failure.annotations.iter().cloned());
    }
    annotations.truncate(MAX_ANNOTATIONS);
    Desired {
        name: name(build),
        status,
        title: title(build),
        summary: summary(build, base),
        text: log_tail.filter(|tail| !tail.is_empty()).map(|tail| {
            let mut tail = tail;
            while tail.len() > MAX_TEXT {
                tail = tail.split_once('\n').map_or("", |(_, rest)| rest);
            }
            format!("The end of the log:\n\n{}", fenced(tail))
        }),
        annotations,
        details_url: page(build, base),
        started_at: build.created_at,
        actions,
    }
}

/// The name of the build's check run. A placeholder for a whole head has none; see
/// [`Build::has_check_run`].
pub fn name(build: &Build) -> String {
    match &build.check {
        Some(check) => check.clone(),
        None => name::of_recipe(&build.folder, &build.recipe, name::NameClaim::Holder, None),
    }
}

/// The URL of the build's page in summit.
pub fn page(build: &Build, base: &Url) -> Url {
    page_of(build.id, base)
}

/// The URL of a build's page below `base`, which may have a path.
fn page_of(build: BuildId, base: &Url) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["builds", &build.to_string()]);
    }
    url
}

/// The status of a build's check run.
pub fn status(build: &Build) -> Status {
    let target = &build.target;
    match &build.state {
        State::Planned | State::Waiting { .. } | State::Queued { .. } => Status::Queued,
        State::Building {
            progress: Progress::Ordered | Progress::Accepted { .. },
            ..
        } => Status::Queued,
        State::Building {
            progress: Progress::Running { .. },
            ..
        } => Status::InProgress,
        State::Built(_) if target.is_published() => Status::InProgress,
        State::Built(_) => Status::Completed(Conclusion::Success),
        State::Publishing { .. } => Status::InProgress,
        State::Published { .. } => Status::Completed(Conclusion::Success),
        State::Held {
            by: Hold::Build { .. } | Hold::Suspected { .. },
            ..
        } => Status::Completed(Conclusion::Skipped),
        State::Held {
            by: Hold::Needs { .. } | Hold::Scattered { .. } | Hold::TooLarge { .. },
            ..
        } => Status::Completed(Conclusion::Failure),
        State::Held {
            by: Hold::Approval(_) | Hold::Draft,
            ..
        } => Status::Completed(Conclusion::ActionRequired),
        State::Failed(_) => Status::Completed(Conclusion::Failure),
        State::Cancelled {
            by: By::AlreadyPublished { .. },
            ..
        } => Status::Completed(Conclusion::Neutral),
        State::Cancelled {
            by: By::PullClosed | By::GroupGone | By::RepositoryGone | By::Person { .. },
            ..
        } => Status::Completed(Conclusion::Cancelled),
        // Each recipe of the head has a check run of its own now, or the change is gone.
        State::Superseded { .. } if build.scope != Scope::Recipe => {
            Status::Completed(Conclusion::Neutral)
        }
        State::Superseded { .. } => Status::Completed(Conclusion::Cancelled),
    }
}

/// The heading: the build's state, and the merge conflict if there is one.
pub(super) fn title(build: &Build) -> String {
    let stands = standing(build);
    match &build.conflict {
        Some(conflict) => format!("{stands}; conflicts with {}", clip(&conflict.branch, 100)),
        None => stands,
    }
}

fn standing(build: &Build) -> String {
    match &build.state {
        State::Planned => "Planned".to_owned(),
        State::Waiting { on } => match on.len() {
            1 => "Waiting for 1 build".to_owned(),
            n => format!("Waiting for {n} builds"),
        },
        State::Queued { .. } if build.waits_for_sources() => {
            "Waiting for the next attempt".to_owned()
        }
        State::Queued { .. } => "Waiting for a builder".to_owned(),
        State::Building { progress, .. } => match progress {
            Progress::Ordered | Progress::Accepted { .. } => "Waiting for a builder".to_owned(),
            Progress::Running { phase, .. } => format!("Building: {phase}"),
        },
        State::Built(_) if build.target.is_published() => {
            "Built, waiting to be published".to_owned()
        }
        State::Built(_) => "Built".to_owned(),
        State::Publishing { .. } => "Built, being published".to_owned(),
        State::Published { .. } => "Published".to_owned(),
        State::Held { by, .. } => match by {
            Hold::Build { .. } => "Skipped: a build that it needs did not succeed".to_owned(),
            Hold::Suspected { .. } => {
                "Skipped: a build that it may need did not succeed".to_owned()
            }
            Hold::Needs { .. } => "Nothing provides what it needs".to_owned(),
            Hold::Scattered { .. } => "No builder has all that it needs".to_owned(),
            Hold::TooLarge { .. } => "Too large to be planned".to_owned(),
            Hold::Draft => "Draft: not built yet".to_owned(),
            Hold::Approval(_) => match &build.scope {
                Scope::All { count: 1, .. } => "1 recipe waits for approval".to_owned(),
                Scope::All { count, .. } => format!("{} wait for approval", counted(*count)),
                Scope::Recipe => "Not run: it waits for approval".to_owned(),
            },
        },
        State::Failed(failure) => match (failure.kind, failure.phase) {
            (FailureKind::Recipe, _) => "The recipe cannot be built".to_owned(),
            (FailureKind::NameTaken, _) => "The recipe's name is taken".to_owned(),
            (FailureKind::Attempt, Some(phase)) => format!("Failed in phase {phase}"),
            (FailureKind::Attempt, None) => "Failed".to_owned(),
            (FailureKind::Lost, _) => "Builders lost it too often".to_owned(),
            (FailureKind::Refused, _) => "The channel refused it".to_owned(),
        },
        State::Cancelled {
            by: By::AlreadyPublished { .. },
            ..
        } => "Nothing to build".to_owned(),
        State::Cancelled { .. } => "Cancelled".to_owned(),
        State::Superseded { .. } => "Superseded".to_owned(),
    }
}

fn summary(build: &Build, base: &Url) -> String {
    let mut out = escape(&clip(&build.explain_beside_remarks(), MAX_EXPLANATION));
    if let Some(conflict) = &build.conflict {
        let conflict = escape(&clip(&conflict.to_string(), MAX_EXPLANATION));
        let _ = write!(out, "\n\n**Merge conflict.** {conflict}");
    }
    if let Some(answer) = &build.answer {
        let answer = escape(&clip(&answer.to_string(), MAX_EXPLANATION));
        let _ = write!(out, "\n\n**Not rebuilt.** {answer}");
    }
    let page = page(build, base);
    out.push_str("\n\n| | |\n|---|---|\n");
    let mut row = |what: &str, value: String| {
        let _ = writeln!(out, "| {what} | {value} |");
    };
    let label = build.label();
    row(
        "Recipe",
        match &build.scope {
            Scope::All { .. } => label,
            Scope::Recipe => cell(&label),
        },
    );
    row("Folder", cell(build.folder.as_str()));
    if let State::Built(built) | State::Publishing { built, .. } = &build.state {
        let stones = built
            .assets
            .iter()
            .filter(|asset| matches!(asset.kind, api::attempt::AssetKind::Stone));
        let count = stones.clone().count();
        let mut names: Vec<String> = stones
            .take(MAX_STONES)
            .map(|stone| cell(stone.file_name.as_str()))
            .collect();
        if count > MAX_STONES {
            names.push(format!("and {} more", count - MAX_STONES));
        }
        row("Stones", names.join("<br>"));
    }
    if let State::Published { history, .. } = &build.state {
        row("History", cell(history.as_str()));
    }
    let waits_for: Vec<String> = waits_for(build)
        .into_iter()
        .take(MAX_STONES)
        .map(|before| format!("[{before}]({})", page_of(before, base)))
        .collect();
    if !waits_for.is_empty() {
        row("Held by", waits_for.join("<br>"));
    }
    let older = build.losses.len().saturating_sub(MAX_LOSSES);
    if older > 0 {
        row("Earlier attempts", format!("{older} lost"));
    }
    for loss in &build.losses[older..] {
        let what = format!("lost on {}: {}", loss.builder, loss.reason);
        row(&format!("Attempt {}", loss.attempt), cell(&what));
    }
    if build.attempts > 0 {
        row("Attempts", build.attempts.to_string());
        row("Log", format!("[{page}/log]({page}/log)"));
    }
    row("Build", format!("[{}]({page})", build.id));
    out
}

/// The builds that hold `build`.
fn waits_for(build: &Build) -> Vec<BuildId> {
    match build.state.find_hold() {
        Some(Hold::Build { build, .. }) => vec![*build],
        Some(Hold::Suspected { of, .. }) => of.iter().map(|suspect| suspect.build).collect(),
        Some(
            Hold::Needs { .. }
            | Hold::Scattered { .. }
            | Hold::Approval(_)
            | Hold::Draft
            | Hold::TooLarge { .. },
        )
        | None => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
