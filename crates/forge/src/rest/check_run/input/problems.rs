//! What is wrong with a request, in GitHub's words.

use super::MAX_TITLE;
use crate::rest::failure::{Failure, Problem};

/// What is wrong with a request, gathered.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn add(&mut self, field: &str, message: &str) {
        self.0.push(Problem {
            resource: "CheckRun",
            field: field.to_owned(),
            message: message.to_owned(),
        });
    }

    pub(super) fn require(&mut self, field: &str, value: Option<&String>) {
        if value.is_none_or(String::is_empty) {
            self.add(field, &format!("{field} is required"));
        }
    }

    pub(super) fn name(&mut self, name: &str) {
        if name.is_empty() {
            self.add("name", "name must not be empty");
        }
        self.length("name", name, MAX_TITLE);
    }

    pub(super) fn length(&mut self, field: &str, value: &str, max: usize) {
        let length = value.chars().count();
        if length > max {
            let message = format!("Only {max} characters are allowed; {length} were supplied.");
            self.add(field, &message);
        }
    }

    pub(super) fn bytes(&mut self, field: &str, value: &str, max: usize) {
        if value.len() > max {
            let message = format!(
                "Only {max} bytes are allowed; {} were supplied.",
                value.len()
            );
            self.add(field, &message);
        }
    }

    pub(super) fn count(&mut self, field: &str, max: usize, count: usize) {
        let message = format!("No more than {max} items are allowed; {count} were supplied.");
        self.add(field, &message);
    }

    pub(super) fn refuse(self) -> Result<(), Failure> {
        let Some(first) = self.0.first() else {
            return Ok(());
        };
        Err(Failure::Invalid {
            message: format!("Invalid request.\n\n{}", first.message),
            problems: self.0,
        })
    }
}
