//! What can go wrong in an attempt, and how it is told to whoever ordered it.

use api::attempt::Reason;
use moss_format::recipe::{Diagnostic, ParseFailure};
use service::error::Chain;

use crate::helper::CallError;
use crate::sandbox;
use crate::sandbox::limits::Excess;

/// A step that did not get to its end.
#[derive(Debug)]
pub(super) enum Halt {
    /// The attempt is to stop; whoever stops it knows why.
    Stopped,
    /// It failed.
    Failed {
        /// The kind.
        reason: Reason,
        /// For people.
        message: String,
    },
}

impl Halt {
    pub(super) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self::Failed {
            reason,
            message: message.into(),
        }
    }

    /// A fault of ours or of the machine; the log has it.
    pub(super) fn internal(action: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %Chain(error), "cannot {action}");
        Self::new(
            Reason::Internal,
            format!("avalanche cannot {action}: {}", Chain(error)),
        )
    }

    /// A helper that did not do its job; `reason` is what it means when the job itself failed.
    pub(super) fn helper(reason: Reason, error: &CallError) -> Self {
        match error {
            CallError::Stopped => Self::Stopped,
            CallError::Failed(message) => Self::new(reason, message.clone()),
            CallError::TimedOut { .. } => Self::new(reason, error.to_string()),
            CallError::Broken { .. } | CallError::NoAnswer { .. } => {
                Self::internal("run a helper", error)
            }
        }
    }

    pub(super) fn excess(excess: &Excess) -> Self {
        Self::new(
            Reason::LimitReached {
                limit: excess.resource.key().to_owned(),
            },
            excess.to_string(),
        )
    }

    pub(super) fn sandbox(error: &sandbox::Error) -> Self {
        match error {
            sandbox::Error::Refused { .. } => Self::new(Reason::SandboxRefused, error.to_string()),
            sandbox::Error::Helper { .. }
            | sandbox::Error::NoReport { .. }
            | sandbox::Error::Log(_) => Self::internal("run a script", error),
        }
    }

    pub(super) fn parse(failure: &ParseFailure) -> Self {
        let line = Some(failure.first().span.start.line);
        let message = failure
            .diagnostics()
            .iter()
            .filter(|diagnostic| diagnostic.is_error())
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n");
        Self::new(Reason::RecipeInvalid { line }, message)
    }

    pub(super) fn recipe(diagnostic: &Diagnostic) -> Self {
        let line = Some(diagnostic.span.start.line);
        Self::new(Reason::RecipeInvalid { line }, diagnostic.to_string())
    }
}
