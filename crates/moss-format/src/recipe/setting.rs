//! Values that a recipe need not give.

use std::fmt;
use std::ops::Deref;

use super::span::{Span, Spanned};

/// A value that counts, and its place where the recipe gives it. It
/// dereferences to the value. Equal are those of equal value.
#[derive(Debug, Clone, Copy)]
pub struct Setting<T> {
    value: T,
    span: Option<Span>,
}

impl<T> Setting<T> {
    /// What counts where the recipe gives nothing.
    pub const fn default_of(value: T) -> Self {
        Self { value, span: None }
    }

    /// What the recipe gives, or else this.
    pub(crate) fn given_or(given: Option<Spanned<T>>, default: T) -> Self {
        match given {
            Some(given) => given.into(),
            None => Self::default_of(default),
        }
    }

    /// The value.
    pub const fn value(&self) -> &T {
        &self.value
    }

    /// Another value at the same place.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Setting<U> {
        Setting {
            value: change(self.value),
            span: self.span,
        }
    }

    /// The place of the value; none where the recipe does not give it.
    pub const fn span(&self) -> Option<Span> {
        self.span
    }
}

impl<T> From<Spanned<T>> for Setting<T> {
    fn from(given: Spanned<T>) -> Self {
        let span = Some(given.span());
        Self {
            value: given.into_value(),
            span,
        }
    }
}

impl<T: PartialEq> PartialEq for Setting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Setting<T> {}

impl<T> Deref for Setting<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Display> fmt::Display for Setting<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}
