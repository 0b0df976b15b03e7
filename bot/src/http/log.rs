//! Logs as plain text. With `?follow=1` the answer grows until the attempt ends.

use api::id::{AttemptId, BuildId};
use api::problem::Code;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde::Deserialize;
use service::ApiError;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::builds::find_build;
use super::handlers::Handlers;
use crate::domain::build::{Build, State as BuildState};

/// The interval between two reads of a growing log.
const PACE: Duration = Duration::from_millis(300);

/// The most bytes of one read.
const PART: usize = 64 * 1024;

#[derive(Debug, Deserialize)]
pub(super) struct Parameters {
    #[serde(default)]
    offset: u64,
    #[serde(default)]
    follow: u8,
}

/// The log of a build's newest attempt.
pub(super) async fn newest(
    State(handlers): State<Handlers>,
    Path(build): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, ApiError> {
    let id: BuildId = build
        .parse()
        .map_err(|_| ApiError::not_found("such build"))?;
    let build = find_build(&handlers, id).await?;
    if build.attempts == 0 {
        return Err(ApiError::not_found(
            "log of this build: no attempt was begun",
        ));
    }
    refuse_removed(&handlers, &build)?;
    Ok(read(handlers, AttemptId::new(id, build.attempts), parameters).await)
}

/// The log of one attempt.
pub(super) async fn attempt(
    State(handlers): State<Handlers>,
    Path(attempt): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, ApiError> {
    let id: AttemptId = attempt
        .parse()
        .map_err(|_| ApiError::not_found("such attempt"))?;
    let build = find_build(&handlers, id.build()).await?;
    if id.number() > build.attempts {
        return Err(ApiError::not_found(format!("attempt {id}")));
    }
    refuse_removed(&handlers, &build)?;
    Ok(read(handlers, id, parameters).await)
}

/// Answers 410 when retention removed the log. An empty answer would look like an empty log.
fn refuse_removed(handlers: &Handlers, build: &Build) -> Result<(), ApiError> {
    let Some(removed_at) = build.logs_removed_at else {
        return Ok(());
    };
    let days = handlers.summit.config.retention.log_days;
    Err(ApiError::new(
        Code::Gone,
        format!(
            "the log of build {} was removed at {removed_at}: logs are kept for {days} days after \
             the end of a build, and for less when there are too many",
            build.id
        ),
    ))
}

async fn read(handlers: Handlers, attempt: AttemptId, parameters: Parameters) -> Response {
    let state = (handlers, attempt, parameters.offset, parameters.follow != 0);
    let parts = stream::unfold(state, |(handlers, attempt, offset, follow)| async move {
        loop {
            // Asking before reading makes sure that the last part is read.
            let over = !follow || is_over(&handlers, attempt).await;
            let part = read_part(&handlers, attempt, offset).await;
            match part {
                Ok(part) if !part.is_empty() => {
                    let offset = offset + part.len() as u64;
                    return Some((
                        Ok::<_, std::io::Error>(part),
                        (handlers, attempt, offset, follow),
                    ));
                }
                Ok(_) if over => return None,
                Ok(_) => {}
                Err(error) => return Some((Err(error), (handlers, attempt, offset, false))),
            }
            tokio::select! {
                () = handlers.stop.cancelled() => return None,
                () = tokio::time::sleep(PACE) => {}
            }
        }
    });
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        // A stranger wrote the log. The browser must not render it as a page.
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, Body::from_stream(parts)).into_response()
}

async fn is_over(handlers: &Handlers, attempt: AttemptId) -> bool {
    match find_build(handlers, attempt.build()).await {
        Ok(build) => {
            build.attempts != attempt.number()
                || !matches!(build.state, BuildState::Building { .. })
        }
        Err(_) => true,
    }
}

async fn read_part(
    handlers: &Handlers,
    attempt: AttemptId,
    offset: u64,
) -> std::io::Result<Vec<u8>> {
    let mut file = match tokio::fs::File::open(handlers.summit.log_path(attempt)).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    file.seek(std::io::SeekFrom::Start(offset)).await?;
    let mut part = Vec::with_capacity(PART);
    file.take(PART as u64).read_to_end(&mut part).await?;
    Ok(part)
}
