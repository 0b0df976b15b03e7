//! The keys of a mapping, each taken once.

use std::collections::HashSet;

use super::diagnostic::{Code, Diagnostic, Severity};
use super::nearest;
use super::read::Reader;
use super::span::{Span, Spanned};
use super::yaml::{Node, Value};

impl Reader<'_> {
    /// The fields of a mapping, each to be taken once.
    pub(crate) fn fields<'node>(
        &mut self,
        node: &'node Node,
        what: &'static str,
    ) -> Option<Fields<'node>> {
        let Value::Mapping(entries) = &node.value else {
            self.wrong_type(node, what, "a mapping");
            return None;
        };
        let mut fields = Fields {
            what,
            span: node.span,
            open: Vec::with_capacity(entries.len()),
        };
        let mut names = HashSet::with_capacity(entries.len());
        for (key, value) in entries {
            let Some(name) = self.text(key, "a key") else {
                continue;
            };
            if !names.insert(name.value().clone()) {
                self.report(Diagnostic::error(
                    Code::DuplicateKey,
                    key.span,
                    format!("`{name}` stands twice in {what}"),
                ));
                continue;
            }
            fields.open.push(Field { name, value });
        }
        Some(fields)
    }
}

struct Field<'node> {
    name: Spanned<String>,
    value: &'node Node,
}

/// The fields of one mapping that were not taken yet.
pub(crate) struct Fields<'node> {
    what: &'static str,
    span: Span,
    open: Vec<Field<'node>>,
}

impl<'node> Fields<'node> {
    /// Takes an optional field.
    pub(crate) fn take(&mut self, name: &str) -> Option<&'node Node> {
        let at = self.open.iter().position(|field| *field.name == *name)?;
        Some(self.open.remove(at).value)
    }

    /// Takes an optional field; one with no value is reported and counts as
    /// absent.
    pub(crate) fn given(&mut self, reader: &mut Reader<'_>, name: &str) -> Option<&'node Node> {
        let node = self.take(name)?;
        if node.is_null() {
            reader.warn_empty(node, &format!("`{name}`"));
            return None;
        }
        Some(node)
    }

    /// Takes a field that must be there.
    pub(crate) fn require(&mut self, reader: &mut Reader<'_>, name: &str) -> Option<&'node Node> {
        let found = self.take(name);
        if found.is_none() {
            reader.report(Diagnostic::error(
                Code::MissingKey,
                Span::at(self.span.start),
                format!("{} has no `{name}`", self.what),
            ));
        }
        found
    }

    /// Warns about every field that nothing took.
    pub(crate) fn finish(self, reader: &mut Reader<'_>, known: &[&str]) {
        for Field { name, .. } in self.open {
            reader.report_with(Severity::Warning, || {
                let warning = Diagnostic::warning(
                    Code::UnknownKey,
                    name.span(),
                    format!("`{name}` is not a key of {} and has no effect", self.what),
                );
                match nearest::by_beginning(&name, known) {
                    Some(meant) => warning.with_help(format!("did you mean `{meant}`?")),
                    None => warning,
                }
            });
        }
    }
}
