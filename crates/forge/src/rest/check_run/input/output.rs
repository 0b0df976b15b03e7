//! The output of a check run: title, texts and annotations.

use serde::Deserialize;

use super::MAX_TITLE;
use super::problems::Problems;
use crate::state::check_run::{Annotation, AnnotationLevel};

/// Annotations in one request.
const MAX_ANNOTATIONS: usize = 50;
/// Characters of a summary or text.
const MAX_TEXT: usize = 65_535;
/// Bytes of an annotation's message or details.
const MAX_MESSAGE: usize = 64 * 1024;

#[derive(Debug, Default, Deserialize)]
pub(super) struct OutputInput {
    pub(super) title: Option<String>,
    pub(super) summary: Option<String>,
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) annotations: Vec<AnnotationInput>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AnnotationInput {
    path: String,
    start_line: u64,
    end_line: u64,
    start_column: Option<u64>,
    end_column: Option<u64>,
    annotation_level: AnnotationLevel,
    message: String,
    title: Option<String>,
    raw_details: Option<String>,
}

impl OutputInput {
    /// Gathers what is wrong with it.
    pub(super) fn check(&self, problems: &mut Problems) {
        if let Some(title) = &self.title {
            problems.length("output.title", title, MAX_TITLE);
        }
        if let Some(summary) = &self.summary {
            problems.length("output.summary", summary, MAX_TEXT);
        }
        if let Some(text) = &self.text {
            problems.length("output.text", text, MAX_TEXT);
        }
        if self.annotations.len() > MAX_ANNOTATIONS {
            problems.count(
                "output.annotations",
                MAX_ANNOTATIONS,
                self.annotations.len(),
            );
        }
        for (index, annotation) in self.annotations.iter().enumerate() {
            annotation.check(&format!("output.annotations[{index}]"), problems);
        }
    }
}

impl AnnotationInput {
    fn check(&self, field: &str, problems: &mut Problems) {
        if let Some(title) = &self.title {
            problems.length(&format!("{field}.title"), title, MAX_TITLE);
        }
        problems.bytes(&format!("{field}.message"), &self.message, MAX_MESSAGE);
        if let Some(details) = &self.raw_details {
            problems.bytes(&format!("{field}.raw_details"), details, MAX_MESSAGE);
        }
        if self.message.is_empty() {
            problems.add(&format!("{field}.message"), "message must not be empty");
        }
        if self.path.is_empty() || self.path.starts_with('/') {
            problems.add(
                &format!("{field}.path"),
                "path must be relative to the repository",
            );
        }
        if self.start_line == 0 || self.end_line < self.start_line {
            problems.add(
                &format!("{field}.end_line"),
                "lines count from 1, the first comes first",
            );
        }
        let columns = self.start_column.is_some() || self.end_column.is_some();
        if columns && self.start_line != self.end_line {
            let message = "columns can only be given when start_line equals end_line";
            problems.add(&format!("{field}.start_column"), message);
        }
    }
}

impl From<AnnotationInput> for Annotation {
    fn from(input: AnnotationInput) -> Self {
        Self {
            path: input.path,
            start_line: input.start_line,
            end_line: input.end_line,
            start_column: input.start_column,
            end_column: input.end_column,
            annotation_level: input.annotation_level,
            message: input.message,
            title: input.title,
            raw_details: input.raw_details,
        }
    }
}
