//! The body of every answer that is not a success.

use serde::{Deserialize, Serialize};

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Problem {
    /// Stable, for programs.
    pub code: Code,
    /// For people. Never holds internals or secrets.
    pub message: String,
    /// Finds the request in the service's log.
    pub request_id: String,
}

/// The stable codes. Each belongs to one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// 400: the request does not have the form that the endpoint takes.
    Malformed,
    /// 401: no token, or one that proves nothing.
    Unauthenticated,
    /// 403: the token is good, but not for this.
    Forbidden,
    /// 404: there is no such thing.
    NotFound,
    /// 409: the id is taken by a request that says something else.
    Conflict,
    /// 410: it was there, and is gone for good.
    Gone,
    /// 413: the body is longer than the endpoint takes.
    TooLarge,
    /// 422: the form is right, the content cannot be done.
    Invalid,
    /// 500: a fault of ours; the log has it under the request id.
    Internal,
    /// 503: not now; ask again.
    Unavailable,
    /// 507: the builder takes no orders now, as its status says too. It did not take this one.
    NoRoom,
}

impl Code {
    /// The HTTP status that goes with the code.
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Gone => 410,
            Self::TooLarge => 413,
            Self::Invalid => 422,
            Self::Internal => 500,
            Self::Unavailable => 503,
            Self::NoRoom => 507,
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::Gone => "gone",
            Self::TooLarge => "too-large",
            Self::Invalid => "invalid",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::NoRoom => "no-room",
        })
    }
}
