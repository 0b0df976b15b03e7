//! What is said to people, on standard error, and the exit code that follows from it.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::printable;

/// Speaks on standard error and remembers the worst that it had to say.
#[derive(Debug, Default)]
pub(crate) struct Talk {
    worst: Worst,
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Worst {
    /// Everything is as it should be.
    #[default]
    Clean,
    /// The input has errors.
    Input,
    /// We or the system failed, so that not everything could be looked at.
    System,
}

impl Talk {
    /// Says something that is no error.
    pub(crate) fn say(&self, text: impl Display) {
        self.write(&printable::lines(&format!("{text}\n")));
    }

    /// Shows what was made for a terminal, and is safe for it.
    pub(crate) fn show(&self, made: &str) {
        self.write(made);
    }

    /// Names an error of the input.
    pub(crate) fn input(&mut self, subject: impl Display, error: &dyn Error) {
        self.error(subject, error, Worst::Input);
    }

    /// Names a fault of the system or of this program.
    pub(crate) fn system(&mut self, subject: impl Display, error: &dyn Error) {
        self.error(subject, error, Worst::System);
    }

    /// Names an error of the one or the other.
    pub(crate) fn either(
        &mut self,
        subject: impl Display,
        error: &dyn Error,
        is_of_system: IsOfSystem,
    ) {
        let worst = if is_of_system.0 {
            Worst::System
        } else {
            Worst::Input
        };
        self.error(subject, error, worst);
    }

    /// Notes errors of the input that were shown already.
    pub(crate) fn note_input(&mut self) {
        self.worst = self.worst.max(Worst::Input);
    }

    /// Whether nothing was wrong so far.
    pub(crate) fn is_clean(&self) -> bool {
        self.worst == Worst::Clean
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.worst {
            Worst::Clean => 0,
            Worst::Input => 1,
            Worst::System => 2,
        })
    }

    fn error(&mut self, subject: impl Display, error: &dyn Error, worst: Worst) {
        self.worst = self.worst.max(worst);
        let text = format!("error: {subject}: {}", chain(error));
        self.write(&format!("{}\n", printable::line(&text)));
    }

    /// Where nobody listens to what is said, nobody misses it.
    fn write(&self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

/// Whether an error is the system's and not the input's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IsOfSystem(pub(crate) bool);

/// The error and its causes on one line. A cause that its effect quotes already is left out.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
