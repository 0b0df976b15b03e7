//! From a recipe's scripts to what bash runs.
//!
//! Scripts are text in which macros are replaced: `%name` by an action, after
//! which the rest of its line follows; `%(name)` by a definition; `%%` by one
//! `%`. Definitions come from a typed [`Context`] that the builder fills and
//! from a fixed table; actions only from a fixed table, so that a recipe cannot
//! make macros. [`assemble`] gives the whole script of one [`Phase`].

mod actions;
mod assemble;
mod context;
mod definitions;
mod expand;
mod path;
pub(crate) mod token;
mod toolchain;

pub use assemble::assemble;
pub use context::{Context, DEFAULT_PATH, DEFAULT_PKG_CONFIG_PATH, Folders};
pub use expand::{ExpandError, Problem, expand};
pub use path::{BuildPath, Invalid as InvalidPath};
pub use toolchain::{COMPILE_FLAGS, FORTRAN_FLAGS, Flags, LINK_FLAGS, MARCH, MTUNE, Toolchain};

use crate::limits::Limits;
pub use crate::recipe::Phase;
use crate::recipe::findings::Findings;
use crate::recipe::{Code, Diagnostic, Recipe, Script, Severity, Span, nearest};
use expand::Lengths;
use token::{Token, tokens};

/// The names of all actions, for documentation and completion.
pub fn action_names() -> impl Iterator<Item = &'static str> {
    actions::ALL.iter().map(|action| action.name)
}

/// The names of all definitions, for documentation and completion.
pub fn definition_names() -> impl Iterator<Item = &'static str> {
    definitions::ALL.iter().map(|&(name, _)| name)
}

/// A finding for every macro in the recipe's scripts that nothing defines, and
/// for every script that becomes too large: an error where a build would fail
/// on it, a warning in scripts that builds pass over.
pub(crate) fn check(recipe: &Recipe, limits: &Limits, findings: &mut Findings) {
    let mut lengths = Lengths::default();
    for (key, script) in recipe.scripts.all() {
        let severity = if key == "workload" {
            Severity::Warning
        } else {
            Severity::Error
        };
        unknown_in(script, severity, findings);
        too_large(script, severity, limits, &mut lengths, findings);
    }
    for profile in &recipe.profiles {
        for (_, script) in profile.scripts.all() {
            unknown_in(script, Severity::Warning, findings);
            too_large(script, Severity::Warning, limits, &mut lengths, findings);
        }
    }
}

/// What only a builder knows, such as its folders, counts nothing here.
fn too_large(
    script: &Script,
    severity: Severity,
    limits: &Limits,
    lengths: &mut Lengths,
    findings: &mut Findings,
) {
    let mut length = 0_usize;
    for token in tokens(script.text()) {
        length = length.saturating_add(lengths.of(token));
        if length > limits.script {
            let problem = Problem::TooLarge(limits.script);
            let span = expand::span_of(script, token);
            findings.report(Diagnostic::new(
                Code::ExpansionLimit,
                severity,
                span,
                problem.to_string(),
            ));
            return;
        }
    }
}

fn unknown_in(script: &Script, severity: Severity, findings: &mut Findings) {
    for token in tokens(script.text()) {
        match token {
            Token::Action { name, .. } if actions::find(name).is_none() => {
                findings.report_with(severity, || {
                    let meant = nearest::by_letters(name, action_names());
                    let meant = meant.map(|meant| format!("%{meant}"));
                    let what = format!("the action `%{name}` is not defined");
                    let span = expand::span_of(script, token);
                    unknown(Code::UnknownAction, severity, span, what, meant)
                });
            }
            Token::Definition { name, .. } if definitions::find(name).is_none() => {
                findings.report_with(severity, || {
                    let meant = nearest::by_letters(name, definition_names());
                    let meant = meant.map(|meant| format!("%({meant})"));
                    let what = format!("the definition `%({name})` is not defined");
                    let span = expand::span_of(script, token);
                    unknown(Code::UnknownDefinition, severity, span, what, meant)
                });
            }
            Token::Action { .. } | Token::Definition { .. } | Token::Text(_) | Token::Percent => {}
        }
    }
}

fn unknown(
    code: Code,
    severity: Severity,
    span: Span,
    message: String,
    meant: Option<String>,
) -> Diagnostic {
    Diagnostic::new(code, severity, span, message).with_help(match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "a percent sign for itself is written `%%`".to_owned(),
    })
}
