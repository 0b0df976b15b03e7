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
pub use expand::{ExpandError, MAX_BYTES, MAX_DEPTH, Problem, expand};
pub use path::{BuildPath, Invalid as InvalidPath};
pub use toolchain::{COMPILE_FLAGS, FORTRAN_FLAGS, Flags, LINK_FLAGS, MARCH, MTUNE, Toolchain};

pub use crate::recipe::Phase;
use crate::recipe::{Code, Diagnostic, Recipe, Script};
use token::{Token, tokens};

/// The names of all actions, for documentation and completion.
pub fn action_names() -> impl Iterator<Item = &'static str> {
    actions::ALL.iter().map(|action| action.name)
}

/// The names of all definitions, for documentation and completion.
pub fn definition_names() -> impl Iterator<Item = &'static str> {
    definitions::ALL.iter().map(|&(name, _)| name)
}

/// A warning for every macro in the recipe's scripts that nothing defines.
pub(crate) fn unknown_names(recipe: &Recipe) -> Vec<Diagnostic> {
    let profiles = recipe.profiles.iter().map(|profile| &profile.scripts);
    std::iter::once(&recipe.scripts)
        .chain(profiles)
        .flat_map(|scripts| scripts.all())
        .flat_map(|(_, script)| unknown_in(script))
        .collect()
}

fn unknown_in(script: &Script) -> impl Iterator<Item = Diagnostic> {
    tokens(script.text()).filter_map(|token| {
        let (code, what) = match token {
            Token::Action { name, .. } if actions::find(name).is_none() => {
                (Code::UnknownAction, format!("the action `%{name}`"))
            }
            Token::Definition { name, .. } if definitions::find(name).is_none() => (
                Code::UnknownDefinition,
                format!("the definition `%({name})`"),
            ),
            Token::Action { .. } | Token::Definition { .. } | Token::Text(_) | Token::Percent => {
                return None;
            }
        };
        let span = expand::span_of(script, token);
        let warning = Diagnostic::warning(code, span, format!("{what} is not defined"));
        Some(warning.with_help("a percent sign for itself is written `%%`"))
    })
}
