//! Where something stands in a recipe.

use std::fmt;
use std::ops::Deref;

use serde::Serialize;

/// A place in the text: line and column, both counted from 1, columns in
/// characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl Position {
    /// A position from a line and a column, both counted from 1.
    pub const fn new(line: u32, column: u32) -> Self {
        Self { line, column }
    }

    /// The very first character.
    pub const START: Self = Self::new(1, 1);
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A range in the text. The end, where known, is the position after the last
/// character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Span {
    /// The first character.
    pub start: Position,
    /// The position after the last character.
    pub end: Option<Position>,
}

impl Span {
    /// A span of which only the start is known.
    pub const fn at(start: Position) -> Self {
        Self { start, end: None }
    }

    /// A span from `start` up to, but not including, `end`.
    pub const fn new(start: Position, end: Position) -> Self {
        Self {
            start,
            end: Some(end),
        }
    }

    /// A span of `length` characters on one line.
    pub const fn on_line(start: Position, length: u32) -> Self {
        Self::new(
            start,
            Position::new(start.line, start.column.saturating_add(length)),
        )
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.start.fmt(f)
    }
}

/// A value and the place it was read from. It dereferences to the value. Equal
/// are those of equal value, wherever they stand.
#[derive(Debug, Clone, Copy)]
pub struct Spanned<T> {
    value: T,
    span: Span,
}

impl<T> Spanned<T> {
    /// Ties a value to its place.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// The value.
    pub const fn value(&self) -> &T {
        &self.value
    }

    /// The value, without its place.
    pub fn into_value(self) -> T {
        self.value
    }

    /// The place the value was read from.
    pub const fn span(&self) -> Span {
        self.span
    }

    /// The line the value starts on, from 1.
    pub const fn line(&self) -> u32 {
        self.span.start.line
    }

    /// Another value at the same place.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned::new(convert(self.value), self.span)
    }
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Spanned<T> {}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Display> fmt::Display for Spanned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}
