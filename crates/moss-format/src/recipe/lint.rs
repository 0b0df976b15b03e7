//! Findings about a recipe that could be read.

use super::diagnostic::{Code, Diagnostic};
use super::read::Reader;
use super::span::Span;
use super::{Recipe, Upstream};

/// Checks what concerns more than one value.
pub(crate) fn check(recipe: &Recipe, reader: &mut Reader<'_>) {
    for problem in crate::script::unknown_names(recipe) {
        reader.report(problem);
    }
    moving_refs(recipe, reader);
    not_honoured(recipe, reader);
}

/// Notes refs that may mean another commit tomorrow.
fn moving_refs(recipe: &Recipe, reader: &mut Reader<'_>) {
    for source in &recipe.upstreams {
        if let Upstream::Git(git) = source.value()
            && !git.is_pinned()
        {
            reader.report(
                Diagnostic::note(
                    Code::MovingRef,
                    git.reference.span(),
                    format!("`{}` is a tag or branch, which can move", git.reference),
                )
                .with_help("name the full commit id"),
            );
        }
    }
}

/// Notes what is understood but has no effect on a build yet.
fn not_honoured(recipe: &Recipe, reader: &mut Reader<'_>) {
    let mut note = |span: Span, what: &str| {
        reader.report(Diagnostic::note(
            Code::NotHonoured,
            span,
            format!("{what} not acted on by builds"),
        ));
    };
    if let Some(first) = recipe.tuning.first() {
        note(first.name.span(), "`tuning` is");
    }
    if let Some(first) = recipe.profiles.first() {
        note(first.name.span(), "`profiles` are");
    }
    if let Some(workload) = &recipe.scripts.workload {
        note(
            workload.span(),
            "`workload` belongs to profile-guided builds and is",
        );
    }
}
