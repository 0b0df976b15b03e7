//! Pages that say what was not done, why, and what to do next.

use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::git::GitError;
use crate::people::Refused;
use crate::rights::Denied;

/// Something was not done. The door makes a page of it, as it knows who looks.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
    pub(crate) what: String,
    pub(crate) advice: Option<String>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, title: &'static str, what: String) -> Self {
        Self {
            status,
            title,
            what,
            advice: None,
        }
    }

    /// Says what to do next.
    pub(crate) fn advise(mut self, advice: String) -> Self {
        self.advice = Some(advice);
        self
    }

    /// It is not there, or not for this reader.
    pub(crate) fn missing() -> Self {
        let what = "There is nothing at this address, or nothing that you may see.".to_owned();
        Self::new(StatusCode::NOT_FOUND, "Not found", what).advise(
            "Look for it from the overview, or sign in as someone who may see it.".to_owned(),
        )
    }

    /// A form says something that cannot be done.
    pub(crate) fn unprocessable(what: String) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Not done", what)
            .advise("Go back, change the form, and send it again.".to_owned())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        let advice = match &denied {
            Denied::Role { needed, .. } => format!(
                "Ask who runs the forge for the role {needed} in it: roles stand in the forge's \
                 configuration."
            ),
            Denied::Archived { .. } => "Fork it, and change the fork.".to_owned(),
        };
        Self::new(
            StatusCode::FORBIDDEN,
            "Not allowed",
            sentence(&denied.to_string()),
        )
        .advise(advice)
    }
}

impl From<GitError> for Refusal {
    fn from(error: GitError) -> Self {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "git failed for a page"
        );
        let what = "Git could not read or write the repository.".to_owned();
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Git failed", what)
            .advise("The forge's log says what failed.".to_owned())
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let status = match refused {
            Refused::Git(error) => return error.into(),
            Refused::Name(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Refused::Missing { .. } => StatusCode::NOT_FOUND,
            Refused::Forbidden { .. } => StatusCode::FORBIDDEN,
            Refused::Unrecorded(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refused::Taken { .. }
            | Refused::Conflict(_)
            | Refused::Moved(_)
            | Refused::Blocked(_)
            | Refused::State(_) => StatusCode::CONFLICT,
        };
        let advice = match &refused {
            Refused::Conflict(_) => {
                "Merge the base branch into the head branch, push, and try again."
            }
            Refused::Unrecorded(_) => "The forge's log says why. Try again later.",
            Refused::Moved(_) => "Look at the new commits, then merge.",
            Refused::Name(_)
            | Refused::Missing { .. }
            | Refused::Forbidden { .. }
            | Refused::Taken { .. }
            | Refused::Blocked(_)
            | Refused::State(_)
            | Refused::Git(_) => "Go back and load the page again: it shows how things stand now.",
        };
        Self::new(status, "Not done", sentence(&refused.to_string())).advise(advice.to_owned())
    }
}

/// An error's message as a sentence.
fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let first = characters
        .next()
        .map(|first| first.to_uppercase().to_string());
    let rest = characters.as_str().trim_end_matches('.');
    format!("{}{rest}.", first.unwrap_or_default())
}
