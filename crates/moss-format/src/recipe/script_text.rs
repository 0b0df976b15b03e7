//! The text of a script and where each of its lines stands in the recipe.

use super::span::{Position, Span};
use super::yaml::Style;

/// A script as the recipe writes it, before macros are expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    text: String,
    span: Span,
    /// The place of each line's first character. Empty where YAML's folding or
    /// escapes leave no exact relation between lines.
    lines: Vec<Position>,
}

impl Script {
    /// Ties a scalar's text to its places in `source`, the whole recipe.
    pub(crate) fn locate(text: &str, style: Style, span: Span, source: &str) -> Self {
        let lines = match style {
            Style::Literal => literal_lines(text, span, source),
            Style::Plain | Style::Quoted if !text.contains('\n') => {
                let quote = u32::from(style == Style::Quoted);
                let start = span.start;
                vec![Position::new(
                    start.line,
                    start.column.saturating_add(quote),
                )]
            }
            Style::Plain | Style::Quoted | Style::Folded => Vec::new(),
        };
        Self {
            text: text.to_owned(),
            span,
            lines,
        }
    }

    /// The script's text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The place of the whole script in the recipe.
    pub const fn span(&self) -> Span {
        self.span
    }

    /// The place in the recipe of `length` bytes from byte `offset` of the
    /// text. Where YAML's folding hides it, the script's own place.
    pub fn span_of(&self, offset: usize, length: usize) -> Span {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count();
        let Some(&start) = self.lines.get(line) else {
            return self.span;
        };
        let column = before.rsplit('\n').next().unwrap_or("").chars().count();
        let what = self
            .text
            .get(offset..offset.saturating_add(length))
            .map_or(0, |what| what.chars().count());
        Span::on_line(
            Position::new(start.line, start.column.saturating_add(number(column))),
            number(what),
        )
    }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// The places of a literal block's lines: the text's lines are the ends of the
/// source's lines, the same number below the block's first line.
///
/// Whether the scalar's place is its `|` or its first line of content is found
/// by comparing, so that this does not depend on the YAML parser's choice.
fn literal_lines(text: &str, span: Span, source: &str) -> Vec<Position> {
    let start = span.start.line;
    (start..=start.saturating_add(1))
        .find_map(|first| match_lines(text, first, source))
        .unwrap_or_default()
}

fn match_lines(text: &str, first: u32, source: &str) -> Option<Vec<Position>> {
    let skip = usize::try_from(first.saturating_sub(1)).ok()?;
    let mut below = source.lines().skip(skip);
    let mut lines = Vec::new();
    for (number, content) in (first..).zip(text.lines()) {
        let line = below.next()?;
        let indent = line.strip_suffix(content)?;
        if !indent.chars().all(|c| c == ' ') {
            return None;
        }
        let column = u32::try_from(indent.len()).ok()?.saturating_add(1);
        lines.push(Position::new(number, column));
    }
    Some(lines)
}
