//! Errors in GitHub's shape.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::fault;
use crate::git::GitError;
use crate::people::Refused;
use crate::rights::Denied;

/// Why a request is not answered as it wished.
#[derive(Debug)]
pub(crate) enum Failure {
    /// 401: nobody in particular asks.
    NoCredentials,
    /// 401: the credentials are no good.
    Credentials(&'static str),
    /// 403: without a `User-Agent`.
    NoUserAgent,
    /// 400: for a version of the API that is not spoken here.
    UnknownVersion,
    /// 403: they are good, and do not suffice.
    Forbidden(&'static str),
    /// 403: the person's role does not suffice.
    Denied(Denied),
    /// 405: not as things are.
    NotAllowed(Cow<'static, str>),
    /// 409: things are not as the caller believes.
    Conflict(&'static str),
    /// 301, or 307 for what is no reading: the repository has another name by now.
    Renamed { status: StatusCode, url: String },
    /// 404: it is not there, or not for this caller.
    NotFound,
    /// 400: no JSON.
    Unreadable,
    /// 413: more than 25 MB.
    TooLarge,
    /// 422: JSON, but not what is asked for.
    Invalid {
        message: String,
        problems: Vec<Problem>,
    },
    /// 500: git failed.
    Git(GitError),
    /// 503: nothing can be kept at present.
    Unrecorded,
    /// As a test wants it.
    Injected(fault::Failure),
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) resource: &'static str,
    pub(crate) field: String,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid {
            message: message.into(),
            problems: Vec::new(),
        }
    }

    /// A pull request that conflicts with its base, or is not open.
    pub(crate) const fn not_mergeable() -> Self {
        Self::NotAllowed(Cow::Borrowed("Pull Request is not mergeable"))
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NoCredentials | Self::Credentials(_) => StatusCode::UNAUTHORIZED,
            Self::NoUserAgent | Self::Forbidden(_) | Self::Denied(_) => StatusCode::FORBIDDEN,
            Self::NotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Renamed { status, .. } => *status,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Unreadable | Self::UnknownVersion => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Git(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unrecorded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Injected(failure) => failure.status().unwrap_or(StatusCode::BAD_GATEWAY),
        }
    }

    fn message(&self) -> &str {
        match self {
            Self::NoCredentials => "Requires authentication",
            Self::Credentials(message) | Self::Forbidden(message) | Self::Conflict(message) => {
                message
            }
            Self::NotAllowed(message) => message,
            Self::Denied(denied) => denied.github(),
            Self::NoUserAgent => {
                "Request forbidden by administrative rules. Please make sure your request has a \
                 User-Agent header"
            }
            Self::UnknownVersion => "The requested version of the REST API is not supported",
            Self::Renamed { status, .. } => status.canonical_reason().unwrap_or_default(),
            Self::NotFound => "Not Found",
            Self::Unreadable => "Problems parsing JSON",
            Self::TooLarge => "Payload too large",
            Self::Invalid { message, .. } => message,
            Self::Git(_) => "Server Error",
            Self::Unrecorded => "Service unavailable",
            Self::Injected(
                fault::Failure::Status(_) | fault::Failure::Reset | fault::Failure::Slow(_),
            ) => "The forge fails as it was told to",
            Self::Injected(fault::Failure::SecondaryLimit { .. }) => {
                "You have exceeded a secondary rate limit. Please wait a few minutes before you \
                 try again."
            }
            Self::Injected(fault::Failure::HourlyLimit { .. }) => "API rate limit exceeded",
        }
    }

    fn problems(&self) -> Option<Value> {
        let Self::Invalid { problems, .. } = self else {
            return None;
        };
        let errors = problems
            .iter()
            .map(|problem| {
                json!({
                    "resource": problem.resource,
                    "field": problem.field,
                    "code": "custom",
                    "message": problem.message,
                })
            })
            .collect();
        Some(errors)
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Missing { .. } => Self::NotFound,
            Refused::Name(_) | Refused::Taken { .. } | Refused::State(_) => {
                Self::invalid(refused.to_string())
            }
            Refused::Forbidden { .. } => Self::Forbidden("Must have push access to repository"),
            Refused::Conflict(_) => Self::not_mergeable(),
            Refused::Blocked(obstacle) => Self::NotAllowed(obstacle.to_string().into()),
            Refused::Moved(_) => {
                Self::Conflict("Head branch was modified. Review and try the merge again.")
            }
            Refused::Git(error) => Self::Git(error),
            Refused::Unrecorded(_) => Self::Unrecorded,
        }
    }
}

impl From<GitError> for Failure {
    fn from(error: GitError) -> Self {
        Self::Git(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if let Self::Git(error) = &self {
            tracing::error!(error = error as &dyn std::error::Error, "git failed");
        }
        let status = self.status();
        let mut body = json!({
            "message": self.message(),
            "documentation_url": "https://docs.github.com/rest",
            "status": status.as_str(),
        });
        if let Some(errors) = self.problems() {
            body["errors"] = errors;
        }
        if let Self::Renamed { url, .. } = &self {
            body["url"] = json!(url);
        }
        let mut response = (status, axum::Json(body)).into_response();
        if let Self::Renamed { url, .. } = &self
            && let Ok(location) = HeaderValue::from_str(url)
        {
            response.headers_mut().insert(header::LOCATION, location);
        }
        if let Self::Injected(fault::Failure::SecondaryLimit {
            retry_after: Some(retry_after),
            ..
        }) = self
        {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
        }
        response
    }
}
