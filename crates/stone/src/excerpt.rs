//! A recipe's text, as it is shown with a finding.

use std::ops::Range;

use ariadne::{Color, Config, Label, Report, ReportKind, Source};
use moss_format::recipe::{Diagnostic, Position, Severity};

use crate::printable;

/// Longer lines are cut when they are shown; nobody reads so far to the right.
const MAX_LINE: usize = 500;

/// A recipe in which findings are shown.
pub(crate) struct Excerpt {
    name: String,
    source: Source,
    /// Where each line begins, and how long it is, in characters.
    lines: Vec<(usize, usize)>,
    colours: Colours,
}

/// Whether findings are shown in colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colours {
    Shown,
    Left,
}

impl Excerpt {
    pub(crate) fn new(name: &str, text: &str, colours: Colours) -> Self {
        let mut shown = String::with_capacity(text.len());
        let mut lines = Vec::new();
        let mut start = 0;
        // YAML ends a line at each of these.
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        for line in text.split('\n') {
            let line: String = line.chars().take(MAX_LINE).collect();
            let line = line.replace('\t', " ");
            let length = line.chars().count();
            lines.push((start, length));
            shown.push_str(&printable::line(&line));
            shown.push('\n');
            start += length + 1;
        }
        Self {
            name: printable::line(name).into_owned(),
            source: Source::from(shown),
            lines,
            colours,
        }
    }

    /// The finding below its line of the text.
    pub(crate) fn show(&self, found: &Diagnostic) -> String {
        let (word, colour) = match found.severity {
            Severity::Error => ("error", Color::Red),
            Severity::Warning => ("warning", Color::Yellow),
            Severity::Note => ("note", Color::Blue),
        };
        let range = self.range(found);
        let help = found.help.as_deref().unwrap_or("here");
        let label = Label::new((self.name.as_str(), range.clone()))
            .with_message(printable::line(help))
            .with_color(colour);
        let kind = ReportKind::Custom(word, colour);
        let report = Report::build(kind, (self.name.as_str(), range))
            .with_config(Config::default().with_color(self.colours == Colours::Shown))
            .with_code(found.code)
            .with_message(printable::line(&found.message))
            .with_label(label)
            .finish();
        let mut bytes = Vec::new();
        let cache = (self.name.as_str(), &self.source);
        let shown = match report.write(cache, &mut bytes) {
            Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
            // Memory takes everything; were it otherwise, the finding counts and not its looks.
            Err(_) => format!("{}: {}\n", self.name, printable::line(&found.to_string())),
        };
        match self.colours {
            Colours::Shown => shown,
            Colours::Left => without_colours(&shown),
        }
    }

    /// The characters of the shown text that the finding is about, all on its first line and at
    /// least one.
    fn range(&self, found: &Diagnostic) -> Range<usize> {
        let Position { line, column } = found.span.start;
        let at = |number: u32| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        let last = self.lines.len().saturating_sub(1);
        let &(start, length) = self.lines.get(at(line).min(last)).unwrap_or(&(0, 0));
        let from = start + at(column).min(length);
        let to = match found.span.end {
            Some(end) if end.line == line => start + at(end.column).min(length),
            Some(_) => start + length,
            None => from + 1,
        };
        from..to.max(from + 1)
    }
}

/// The text without the colours that the head of a report has in any case, and without the spaces
/// at the ends of its lines. The only escapes in it are those colours.
fn without_colours(shown: &str) -> String {
    let mut pieces = shown.split('\u{1b}');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        plain.push_str(piece.split_once('m').map_or("", |(_, after)| after));
    }
    plain
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}
