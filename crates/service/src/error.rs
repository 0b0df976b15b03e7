//! The one error that HTTP handlers return.

use api::problem::{Code, Problem};
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::request;

/// An answer that is not a success: a stable code and safe text. What must not be seen outside goes
/// to the log, found there by the request id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    code: Code,
    message: String,
}

impl ApiError {
    /// An answer with `code`; `message` is for people, and safe to show.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// There is no such thing as `what`.
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("there is no {what}"))
    }

    /// A fault of ours: `error` and its causes are logged, and the caller learns only the request
    /// id.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %Chain(error), "a request failed");
        Self::new(
            Code::Internal,
            "the service failed; its log has the cause under the request id",
        )
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What the caller reads.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let problem = Problem {
            code: self.code,
            message: self.message,
            request_id: request::current_id(),
        };
        (status, Json(problem)).into_response()
    }
}

/// An error with all its causes on one line.
pub struct Chain<'a>(pub &'a (dyn std::error::Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
