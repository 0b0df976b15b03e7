//! Replacing macros in text.

use std::collections::HashMap;

use super::actions;
use super::context::{Context, Meaning};
use super::definitions::{self, Value};
use super::token::{Token, tokens};
use crate::limits::Limits;
use crate::recipe::{Code, Diagnostic, Script, Span};

/// A script could not be expanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expanding the script failed at {span}: {problem}")]
pub struct ExpandError {
    /// What is wrong.
    pub problem: Problem,
    /// Where in the recipe.
    pub span: Span,
}

/// What can be wrong with a macro.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// `%name` is no action.
    #[error("the action `%{0}` is not defined; a percent sign for itself is written `%%`")]
    UnknownAction(String),
    /// `%(name)` is no definition.
    #[error("the definition `%({0})` is not defined; a percent sign for itself is written `%%`")]
    UnknownDefinition(String),
    /// Macros stand within macros deeper than this limit.
    #[error("macros stand within macros more than {0} deep")]
    TooDeep(usize),
    /// The script becomes larger than this limit in bytes.
    #[error("the script becomes larger than {0} bytes")]
    TooLarge(usize),
}

impl From<ExpandError> for Diagnostic {
    fn from(error: ExpandError) -> Self {
        let code = match error.problem {
            Problem::UnknownAction(_) => Code::UnknownAction,
            Problem::UnknownDefinition(_) => Code::UnknownDefinition,
            Problem::TooDeep(_) | Problem::TooLarge(_) => Code::ExpansionLimit,
        };
        Self::error(code, error.span, error.problem.to_string())
    }
}

/// The script with every macro replaced.
///
/// # Errors
/// [`ExpandError`] with the place in the recipe, for an undefined name and for
/// what is larger or deeper than the limits.
pub fn expand(script: &Script, context: &Context) -> Result<String, ExpandError> {
    let mut out = String::with_capacity(script.text().len() * 2);
    for token in tokens(script.text()) {
        replace(token, context, 0, &mut out).map_err(|problem| ExpandError {
            problem,
            span: span_of(script, token),
        })?;
    }
    Ok(out)
}

/// The text with every macro replaced.
fn expand_into(
    text: &str,
    context: &Context,
    depth: usize,
    out: &mut String,
) -> Result<(), Problem> {
    let most = context.limits.script_depth;
    if depth > most {
        return Err(Problem::TooDeep(most));
    }
    tokens(text).try_for_each(|token| replace(token, context, depth, out))
}

fn replace(
    token: Token<'_>,
    context: &Context,
    depth: usize,
    out: &mut String,
) -> Result<(), Problem> {
    match token {
        Token::Text(text) => out.push_str(text),
        Token::Percent => out.push('%'),
        Token::Action { name, .. } => {
            let action =
                actions::find(name).ok_or_else(|| Problem::UnknownAction(name.to_owned()))?;
            expand_into(action.text.trim(), context, depth + 1, out)?;
        }
        Token::Definition { name, .. } => {
            let meaning = context
                .definition(name)
                .ok_or_else(|| Problem::UnknownDefinition(name.to_owned()))?;
            match meaning {
                Meaning::Literal(text) => out.push_str(&text),
                Meaning::Template(text) => expand_into(text, context, depth + 1, out)?,
            }
        }
    }
    let most = context.limits.script;
    if out.len() > most {
        return Err(Problem::TooLarge(most));
    }
    Ok(())
}

/// How long macros become at least, each computed once.
#[derive(Default)]
pub(crate) struct Lengths {
    known: HashMap<&'static str, usize>,
}

impl Lengths {
    /// Bytes that a token becomes, but for what only a context knows.
    pub(crate) fn of(&mut self, token: Token<'_>) -> usize {
        self.of_token(token, 0)
    }

    fn of_token(&mut self, token: Token<'_>, depth: usize) -> usize {
        match token {
            Token::Text(text) => text.len(),
            Token::Percent => 1,
            Token::Action { name, .. } => {
                actions::find(name).map_or(0, |action| self.of_text(action.text.trim(), depth))
            }
            Token::Definition { name, .. } => match definitions::find(name) {
                Some(Value::Template(template)) => self.of_text(template, depth),
                Some(Value::Context(_)) | None => 0,
            },
        }
    }

    /// A text of the fixed tables. They are not deep, and end all the same if
    /// they should ever go round in circles.
    fn of_text(&mut self, text: &'static str, depth: usize) -> usize {
        if depth > Limits::DEFAULT.script_depth {
            return 0;
        }
        if let Some(known) = self.known.get(text) {
            return *known;
        }
        let length = tokens(text)
            .map(|token| self.of_token(token, depth + 1))
            .fold(0, usize::saturating_add);
        self.known.insert(text, length);
        length
    }
}

/// The place of a macro in the recipe.
pub(crate) fn span_of(script: &Script, token: Token<'_>) -> Span {
    match token {
        Token::Action { name, offset } => script.span_of(offset, name.len() + 1),
        Token::Definition { name, offset } => script.span_of(offset, name.len() + 3),
        Token::Text(_) | Token::Percent => script.span(),
    }
}
