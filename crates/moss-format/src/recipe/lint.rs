//! Findings about a recipe that could be read: what a reviewer would say.

mod licence;

use super::diagnostic::{Code, Diagnostic};
use super::findings::Findings;
use super::span::{Position, Span};
use super::{Recipe, Upstream};
use crate::limits::Limits;

/// The file of overrides that boulder reads beside a recipe.
pub const CONTROL_FILE: &str = "control.kdl";

/// Checks what concerns more than the form of one value. Errors among the
/// findings mean that a build would fail; the recipe is still read.
pub(crate) fn check(recipe: &Recipe, limits: &Limits, findings: &mut Findings) {
    crate::script::check(recipe, limits, findings);
    for licence in &recipe.licenses {
        licence::check(licence, findings);
    }
    let others = no_release(recipe).into_iter();
    for found in others
        .chain(moving_refs(recipe))
        .chain(not_honoured(recipe))
    {
        findings.report(found);
    }
}

/// What is to be said about the files beside a recipe, which the caller names
/// because nothing here looks into folders.
pub(crate) fn check_beside<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Diagnostic> {
    let there = names.into_iter().any(|name| name == CONTROL_FILE);
    let warning = || {
        Diagnostic::warning(
            Code::ControlFile,
            Span::at(Position::START),
            format!("`{CONTROL_FILE}` beside the recipe is not honoured"),
        )
        .with_help("builds go by the recipe alone: write into it what the file overrides")
    };
    there.then(warning)
}

/// The release 0 was allowed once, so that recipes with it are read; no client
/// takes such a package for an update.
fn no_release(recipe: &Recipe) -> Option<Diagnostic> {
    let error = || {
        Diagnostic::error(
            Code::BadRelease,
            recipe.release.span(),
            "`release` is an integer above 0, not `0`",
        )
        .with_help("the first release is 1")
    };
    (*recipe.release == 0).then(error)
}

/// Notes refs that may mean another commit tomorrow.
fn moving_refs(recipe: &Recipe) -> impl Iterator<Item = Diagnostic> {
    recipe.upstreams.iter().filter_map(|source| {
        let Upstream::Git(git) = source.value() else {
            return None;
        };
        let note = || {
            Diagnostic::note(
                Code::MovingRef,
                git.reference.span(),
                format!("`{}` is a tag or branch, which can move", git.reference),
            )
            .with_help("name the full commit id")
        };
        (!git.is_pinned()).then(note)
    })
}

/// Notes what is understood but has no effect on a build yet.
fn not_honoured(recipe: &Recipe) -> Vec<Diagnostic> {
    let note = |span: Span, what: &str| {
        Diagnostic::note(
            Code::NotHonoured,
            span,
            format!("{what} not acted on by builds"),
        )
    };
    let mut found = Vec::new();
    if let Some(first) = recipe.tuning.first() {
        found.push(note(first.name.span(), "`tuning` is"));
    }
    if let Some(first) = recipe.profiles.first() {
        found.push(note(first.name.span(), "`profiles` are"));
    }
    if let Some(workload) = &recipe.scripts.workload {
        let what = "`workload` belongs to profile-guided builds and is";
        found.push(note(workload.span(), what));
    }
    found
}
