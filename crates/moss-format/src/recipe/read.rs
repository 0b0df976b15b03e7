//! Turns nodes into typed values and gathers what is wrong on the way.

use std::str::FromStr;

use super::diagnostic::{Code, Diagnostic, Severity};
use super::findings::Findings;
use super::name::Name;
use super::script_text::Script;
use super::span::Spanned;
use super::yaml::{Node, Value};
use crate::limits::Limits;

/// Reads nodes of one recipe. A method that returns `None` has said why.
pub(crate) struct Reader<'source> {
    /// The lines of the recipe.
    source: Vec<&'source str>,
    findings: Findings,
}

impl<'source> Reader<'source> {
    pub(crate) fn new(source: &'source str, limits: &Limits) -> Self {
        Self {
            source: source.lines().collect(),
            findings: Findings::new(limits.recipe_findings),
        }
    }

    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        self.findings.report(diagnostic);
    }

    /// Reports what is made only where there is room for it.
    pub(crate) fn report_with(&mut self, severity: Severity, make: impl FnOnce() -> Diagnostic) {
        self.findings.report_with(severity, make);
    }

    /// Everything found so far.
    pub(crate) fn into_findings(self) -> Findings {
        self.findings
    }

    pub(crate) fn wrong_type(&mut self, node: &Node, what: &str, wanted: &str) {
        self.report(Diagnostic::error(
            Code::WrongType,
            node.span,
            format!("{what} is {wanted}, not {}", node.describe()),
        ));
    }

    /// A text without surrounding white space, empty or not.
    pub(crate) fn text(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        let Value::Scalar { text, .. } = &node.value else {
            self.wrong_type(node, what, "a text");
            return None;
        };
        let text = if node.is_null() { "" } else { text.trim() };
        Some(Spanned::new(text.to_owned(), node.span))
    }

    /// A text that is not empty.
    pub(crate) fn filled(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        let text = self.text(node, what)?;
        if text.is_empty() {
            self.report(Diagnostic::error(
                Code::EmptyValue,
                node.span,
                format!("{what} is empty"),
            ));
            return None;
        }
        Some(text)
    }

    /// A text that parses as `T`.
    pub(crate) fn parsed<T: FromStr>(
        &mut self,
        node: &Node,
        what: &str,
        code: Code,
    ) -> Option<Spanned<T>>
    where
        T::Err: std::fmt::Display,
    {
        let text = self.filled(node, what)?;
        self.convert(&text, what, code)
    }

    /// The text as a `T`.
    pub(crate) fn convert<T: FromStr>(
        &mut self,
        text: &Spanned<String>,
        what: &str,
        code: Code,
    ) -> Option<Spanned<T>>
    where
        T::Err: std::fmt::Display,
    {
        match text.parse() {
            Ok(value) => Some(Spanned::new(value, text.span())),
            Err(error) => {
                self.report(Diagnostic::error(
                    code,
                    text.span(),
                    format!("{what} `{}` is not valid: {error}", text.value()),
                ));
                None
            }
        }
    }

    /// A package name.
    pub(crate) fn name(&mut self, node: &Node, what: &str) -> Option<Spanned<Name>> {
        self.parsed(node, what, Code::BadName)
    }

    /// A switch: true or false, and what older recipes write for it.
    pub(crate) fn flag(&mut self, node: &Node, what: &str) -> Option<Spanned<bool>> {
        let text = self.filled(node, what)?;
        let value = self.boolean(&text, what);
        if value.is_none() {
            self.report(Diagnostic::error(
                Code::BadBoolean,
                node.span,
                format!("{what} is true or false, not `{text}`"),
            ));
        }
        value
    }

    /// The text as a boolean, if it is one; an old way to write it is warned of.
    pub(crate) fn boolean(&mut self, text: &Spanned<String>, what: &str) -> Option<Spanned<bool>> {
        let (value, is_old) = match text.to_ascii_lowercase().as_str() {
            "true" => (true, false),
            "false" => (false, false),
            "yes" | "on" | "y" => (true, true),
            "no" | "off" | "n" => (false, true),
            _ => return None,
        };
        if is_old {
            self.report(
                Diagnostic::warning(
                    Code::LegacyBoolean,
                    text.span(),
                    format!("{what} is written `{text}`"),
                )
                .with_help(format!("write `{value}`")),
            );
        }
        Some(Spanned::new(value, text.span()))
    }

    /// A non-negative integer.
    pub(crate) fn number(&mut self, node: &Node, what: &str) -> Option<Spanned<u32>> {
        self.parsed(node, what, Code::WrongType)
    }

    /// A script. One of nothing but white space counts as none.
    pub(crate) fn script(&mut self, node: &Node, what: &str) -> Option<Script> {
        let Value::Scalar { text, style } = &node.value else {
            self.wrong_type(node, what, "a script");
            return None;
        };
        if node.is_null() || text.trim().is_empty() {
            return None;
        }
        Some(Script::locate(text, *style, node.span, &self.source))
    }

    /// Warns that a value is empty.
    pub(crate) fn warn_empty(&mut self, node: &Node, what: &str) {
        self.report(Diagnostic::warning(
            Code::EmptyValue,
            node.span,
            format!("{what} is empty"),
        ));
    }

    /// The items of a list; nothing at all is an empty list.
    pub(crate) fn items<'node>(&mut self, node: &'node Node, what: &str) -> &'node [Node] {
        match &node.value {
            Value::Sequence(items) => return items,
            Value::Scalar { .. } if node.is_null() => self.warn_empty(node, what),
            Value::Scalar { .. } | Value::Mapping(_) => self.wrong_type(node, what, "a list"),
        }
        &[]
    }

    /// A list of texts, or a single text, without those that are empty.
    pub(crate) fn texts(&mut self, node: &Node, what: &str) -> Vec<Spanned<String>> {
        let items = match &node.value {
            Value::Sequence(items) => items.as_slice(),
            Value::Scalar { .. } => std::slice::from_ref(node),
            Value::Mapping(_) => {
                self.wrong_type(node, what, "a list of texts");
                &[]
            }
        };
        let mut texts = Vec::new();
        for item in items {
            match self.text(item, &format!("an entry of {what}")) {
                Some(text) if text.is_empty() => {
                    self.warn_empty(item, &format!("an entry of {what}"));
                }
                Some(text) => texts.push(text),
                None => {}
            }
        }
        texts
    }

    /// The only entry of a one-entry mapping, as lists of recipes have them.
    pub(crate) fn single<'node>(
        &mut self,
        node: &'node Node,
        what: &str,
    ) -> Option<(&'node Node, &'node Node)> {
        match &node.value {
            Value::Mapping(entries) => match entries.as_slice() {
                [(key, value)] => Some((key, value)),
                entries => {
                    self.report(
                        Diagnostic::error(
                            Code::WrongType,
                            node.span,
                            format!("{what} is one key with its value, not {}", entries.len()),
                        )
                        .with_help(
                            "indent what belongs below the key further than the key, \
                             and start every other entry with `- `",
                        ),
                    );
                    None
                }
            },
            Value::Scalar { .. } | Value::Sequence(_) => {
                self.wrong_type(node, what, "one key with its value");
                None
            }
        }
    }
}
