//! How requests fail.

use std::time::Duration;

use http::StatusCode;

/// How a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// With this status and an error in GitHub's shape.
    Status(u16),
    /// As GitHub's secondary limit: 403 or 429, with `retry-after` or without.
    SecondaryLimit {
        /// 403 or 429.
        status: u16,
        /// The seconds.
        retry_after: Option<u64>,
    },
    /// As the hourly limit: 403, nothing remaining, and when the hour is over.
    HourlyLimit {
        /// In how many seconds that is.
        resets_in: u64,
    },
    /// The connection ends in the middle of the answer's body: with [`Point::done`](crate::Point::done) of the answer
    /// that there would be, else of an error with the status 502.
    Reset,
    /// Not at all, only late by so much of real time.
    Slow(Duration),
}

impl Failure {
    /// The status of the answer, unless that is cut off.
    pub(crate) fn status(self) -> Option<StatusCode> {
        match self {
            Self::Status(status) | Self::SecondaryLimit { status, .. } => {
                let status = StatusCode::from_u16(status);
                Some(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
            }
            Self::HourlyLimit { .. } => Some(StatusCode::FORBIDDEN),
            Self::Reset | Self::Slow(_) => None,
        }
    }
}
