//! YAML as a tree that keeps the exact text and the place of every node.
//!
//! Recipes are read from parser events and not through serde: a version
//! written `1.10` must stay that text, the key as well as the value needs its
//! place, and a second wrong value should be reported along with the first.

use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle};

use super::diagnostic::{Code, Diagnostic};
use super::span::{Position, Span};
use crate::limits::Limits;

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes.
    Plain,
    /// In single or double quotes, or tagged as a string.
    Quoted,
    /// After `|`: every line as it stands.
    Literal,
    /// After `>`: lines joined.
    Folded,
}

/// A node and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: Value,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Scalar { text: String, style: Style },
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
}

impl Node {
    /// Whether the node stands for no value at all.
    pub(crate) fn is_null(&self) -> bool {
        match &self.value {
            Value::Scalar {
                text,
                style: Style::Plain,
            } => matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"),
            Value::Scalar { .. } | Value::Sequence(_) | Value::Mapping(_) => false,
        }
    }

    /// Whether there is nothing in the node.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.value {
            Value::Scalar { text, .. } => self.is_null() || text.trim().is_empty(),
            Value::Sequence(items) => items.is_empty(),
            Value::Mapping(entries) => entries.is_empty(),
        }
    }

    /// What the node is, for a message.
    pub(crate) fn describe(&self) -> &'static str {
        match &self.value {
            Value::Scalar { .. } if self.is_null() => "nothing",
            Value::Scalar { .. } => "a text",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }

    /// The number of nodes below and including this one, and their text's size.
    fn weight(&self) -> (usize, usize) {
        let add = |a: (usize, usize), b: (usize, usize)| (a.0 + b.0, a.1 + b.1);
        match &self.value {
            Value::Scalar { text, .. } => (1, text.len()),
            Value::Sequence(items) => items.iter().map(Self::weight).fold((1, 0), add),
            Value::Mapping(entries) => entries
                .iter()
                .map(|(key, value)| add(key.weight(), value.weight()))
                .fold((1, 0), add),
        }
    }
}

/// Reads one YAML document.
///
/// # Errors
/// One diagnostic where the text is not YAML, holds more than one document, or
/// is larger than `limits` allow.
pub(crate) fn parse(text: &str, limits: &Limits) -> Result<Option<Node>, Diagnostic> {
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: limits.recipe_depth,
        block_nesting_limit: limits.recipe_depth,
    };
    let mut composer = Composer::new(limits);
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| {
            Diagnostic::error(
                Code::YamlSyntax,
                Span::at(position(*error.marker())),
                format!("not valid YAML: {}", error.info()),
            )
        })?;
        composer.take(event, &span)?;
    }
    Ok(composer.root)
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn position(marker: Marker) -> Position {
    Position::new(
        number(marker.line().max(1)),
        number(marker.col().saturating_add(1)),
    )
}

fn convert(span: &granit_parser::Span) -> Span {
    let (start, end) = (position(span.start), position(span.end));
    Span {
        start,
        end: (end > start).then_some(end),
    }
}

/// A collection that is still open.
struct Open {
    span: Span,
    anchor: usize,
    items: Items,
}

enum Items {
    Sequence(Vec<Node>),
    Mapping {
        entries: Vec<(Node, Node)>,
        key: Option<Node>,
    },
}

/// Builds the tree from events, without recursion.
struct Composer<'a> {
    limits: &'a Limits,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    documents: usize,
    nodes: usize,
    aliased_bytes: usize,
    root: Option<Node>,
}

impl<'a> Composer<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            open: Vec::new(),
            anchors: HashMap::new(),
            documents: 0,
            nodes: 0,
            aliased_bytes: 0,
            root: None,
        }
    }

    fn take(&mut self, event: Event<'_>, at: &granit_parser::Span) -> Result<(), Diagnostic> {
        let span = convert(at);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Diagnostic::error(
                        Code::YamlSyntax,
                        span,
                        "a recipe is one YAML document, and here a second one starts",
                    ));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                let style = match style {
                    ScalarStyle::Plain if is_text => Style::Quoted,
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal => Style::Literal,
                    ScalarStyle::Folded => Style::Folded,
                };
                let text = text.into_owned();
                self.finish(
                    Node {
                        span,
                        value: Value::Scalar { text, style },
                    },
                    anchor,
                )
            }
            Event::SequenceStart(_, anchor, _) => {
                self.start(span, anchor, Items::Sequence(Vec::new()));
                Ok(())
            }
            Event::MappingStart(_, anchor, _) => {
                let entries = Vec::new();
                self.start(span, anchor, Items::Mapping { entries, key: None });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(id) => self.alias(id, span),
            // Ends carry nothing, and the others are switched off. The enum is
            // foreign and open, so what it may gain later is ignored as well.
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::UnresolvedAlias(_)
            | _ => Ok(()),
        }
    }

    fn start(&mut self, span: Span, anchor: usize, items: Items) {
        self.open.push(Open {
            span,
            anchor,
            items,
        });
    }

    fn close(&mut self, end: Span) -> Result<(), Diagnostic> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let value = match open.items {
            Items::Sequence(items) => Value::Sequence(items),
            Items::Mapping { entries, .. } => Value::Mapping(entries),
        };
        let span = Span {
            start: open.span.start,
            end: (end.start > open.span.start).then_some(end.start),
        };
        self.finish(Node { span, value }, open.anchor)
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), Diagnostic> {
        let Some(node) = self.anchors.get(&id).cloned() else {
            return Err(Diagnostic::error(
                Code::YamlSyntax,
                span,
                "this alias stands within the value it refers to",
            ));
        };
        self.charge(&node)
            .map_err(|error| Diagnostic { span, ..error })?;
        self.finish(node, 0)
    }

    /// Counts a copy of a node.
    fn charge(&mut self, node: &Node) -> Result<(), Diagnostic> {
        let (nodes, bytes) = node.weight();
        self.nodes = self.nodes.saturating_add(nodes);
        self.aliased_bytes = self.aliased_bytes.saturating_add(bytes);
        if self.aliased_bytes > self.limits.recipe_aliased {
            return Err(Diagnostic::error(
                Code::YamlSyntax,
                node.span,
                format!(
                    "anchors and aliases copy more than {} bytes",
                    self.limits.recipe_aliased
                ),
            ));
        }
        Ok(())
    }

    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), Diagnostic> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > self.limits.recipe_values {
            return Err(Diagnostic::error(
                Code::YamlSyntax,
                node.span,
                format!("a recipe has at most {} values", self.limits.recipe_values),
            ));
        }
        if anchor != 0 {
            // It is copied for those who refer to it, and weighs as much, referred to or not.
            self.charge(&node)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.items) {
            None => self.root = Some(node),
            Some(Items::Sequence(items)) => items.push(node),
            Some(Items::Mapping { entries, key }) => match key.take() {
                None => *key = Some(node),
                Some(key) => entries.push((key, node)),
            },
        }
        Ok(())
    }
}
