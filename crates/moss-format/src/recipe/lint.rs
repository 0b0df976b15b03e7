//! Findings about a recipe that could be read.

use super::Recipe;
use super::diagnostic::{Code, Diagnostic};
use super::read::Reader;
use super::span::Span;

/// Checks what concerns more than one value.
pub(crate) fn check(recipe: &Recipe, reader: &mut Reader<'_>) {
    for problem in crate::script::unknown_names(recipe) {
        reader.report(problem);
    }
    not_honoured(recipe, reader);
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
