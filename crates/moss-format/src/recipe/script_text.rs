//! The text of a script and where each of its lines stands in the recipe.

use super::span::{Position, Span};
use super::yaml::Style;

/// How many bytes of a line may lie between two marks, so that a place on a
/// line of a megabyte is found without counting through all of it.
const STRIDE: usize = 256;

/// A script as the recipe writes it, before macros are expanded. Equal are
/// those of equal text, wherever they stand.
#[derive(Debug, Clone)]
pub struct Script {
    text: String,
    span: Span,
    /// Places of characters in the recipe, in the order of the text: that of
    /// each line's first, and more on long lines. Empty where YAML's folding or
    /// escapes leave no exact relation between lines.
    marks: Vec<Mark>,
}

/// Where the character at a byte of the text stands in the recipe.
#[derive(Debug, Clone, Copy)]
struct Mark {
    offset: usize,
    place: Position,
}

impl Script {
    /// Ties a scalar's text to its places in the lines of the whole recipe.
    pub(crate) fn locate(text: &str, style: Style, span: Span, source: &[&str]) -> Self {
        let marks = match style {
            Style::Literal => literal_marks(text, span, source),
            Style::Plain | Style::Quoted if !text.contains('\n') => {
                let quote = u32::from(style == Style::Quoted);
                let Position { line, column } = span.start;
                let start = Position::new(line, column.saturating_add(quote));
                let mut marks = Vec::new();
                if stands_at(text, start, source) {
                    mark_line(&mut marks, text, 0, start);
                }
                marks
            }
            Style::Plain | Style::Quoted | Style::Folded => Vec::new(),
        };
        Self {
            text: text.to_owned(),
            span,
            marks,
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
        self.find_span(offset, length).unwrap_or(self.span)
    }

    fn find_span(&self, offset: usize, length: usize) -> Option<Span> {
        let behind = self.marks.partition_point(|mark| mark.offset <= offset);
        let mark = self.marks.get(behind.checked_sub(1)?)?;
        let between = self.text.get(mark.offset..offset)?;
        if between.contains('\n') {
            return None;
        }
        let Position { line, column } = mark.place;
        let column = column.saturating_add(characters(between));
        let what = self.text.get(offset..offset.saturating_add(length));
        let length = what.map_or(0, characters);
        Some(Span::on_line(Position::new(line, column), length))
    }
}

impl PartialEq for Script {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Script {}

fn characters(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

/// How many characters may stand on a line before a script on one line whose
/// places are looked for, so that thousands of them on a line of a megabyte
/// take little time.
const FAR: usize = 4096;

/// Whether the source says just this at a place: without escapes, without
/// doubled quotes, and on one line.
fn stands_at(text: &str, place: Position, source: &[&str]) -> bool {
    let index = |number: u32| usize::try_from(number.saturating_sub(1)).ok();
    let line = index(place.line).and_then(|line| source.get(line));
    let (Some(line), Some(before)) = (line, index(place.column)) else {
        return false;
    };
    if before > FAR {
        return false;
    }
    let mut there = line.chars().skip(before);
    text.chars().all(|expected| there.next() == Some(expected))
}

/// Marks a line of the text, which starts at byte `start` of it and stands at
/// `place`.
fn mark_line(marks: &mut Vec<Mark>, line: &str, start: usize, mut place: Position) {
    marks.push(Mark {
        offset: start,
        place,
    });
    let mut last = 0;
    for (at, _) in line.char_indices() {
        if at - last >= STRIDE {
            last = at;
            let offset = start + at;
            marks.push(Mark { offset, place });
        }
        place.column = place.column.saturating_add(1);
    }
}

/// The marks of a literal block: the text's lines are the ends of the source's
/// lines, the same number below the block's first line.
///
/// Whether the scalar's place is its `|` or its first line of content is found
/// by comparing, so that this does not depend on the YAML parser's choice.
fn literal_marks(text: &str, span: Span, source: &[&str]) -> Vec<Mark> {
    let start = span.start.line;
    (start..=start.saturating_add(1))
        .find_map(|first| match_lines(text, first, source))
        .unwrap_or_default()
}

fn match_lines(text: &str, first: u32, source: &[&str]) -> Option<Vec<Mark>> {
    let skip = usize::try_from(first.saturating_sub(1)).ok()?;
    let mut below = source.get(skip..)?.iter();
    let mut marks = Vec::new();
    let mut offset = 0;
    for (number, line) in (first..).zip(text.split_inclusive('\n')) {
        let content = line.strip_suffix('\n').unwrap_or(line);
        let indent = below.next()?.strip_suffix(content)?;
        if !indent.chars().all(|c| c == ' ') {
            return None;
        }
        let column = u32::try_from(indent.len()).ok()?.saturating_add(1);
        let place = Position::new(number, column);
        mark_line(&mut marks, content, offset, place);
        offset += line.len();
    }
    Some(marks)
}
