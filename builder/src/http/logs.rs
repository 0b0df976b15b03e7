//! Logs, as bytes from an offset on and as server-sent events.

use std::convert::Infallible;
use std::io;

use api::id::AttemptId;
use api::problem::Code;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use serde::Deserialize;
use service::ApiError;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::App;
use super::attempts::{attempt_id, unknown};
use crate::usecase::{Engine, LogSource};

/// Says whether anything follows the bytes of an answer.
const COMPLETE: &str = "x-log-complete";

/// The most bytes of one answer.
const MAX_BYTES: u64 = 1 << 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    #[serde(default)]
    offset: u64,
}

pub(super) async fn bytes(
    State(app): State<App>,
    id: Result<Path<AttemptId>, PathRejection>,
    query: Result<Query<From>, QueryRejection>,
) -> Result<Response, ApiError> {
    let (source, offset) = source(&app, id, query).await?;
    let chunk = read(&app.engine, &source, offset)
        .await
        .map_err(|error| ApiError::internal(&error))?;
    let complete = if chunk.complete { "true" } else { "false" };
    let headers = [
        (CONTENT_TYPE.as_str(), "text/plain; charset=utf-8"),
        (COMPLETE, complete),
    ];
    Ok((headers, chunk.bytes).into_response())
}

/// Each event holds some of the log as lossy UTF-8 in a JSON string, and has as its id the offset
/// behind it. The last one is named `end`; its data is `complete`, as readers pass over events
/// without data.
pub(super) async fn events(
    State(app): State<App>,
    id: Result<Path<AttemptId>, PathRejection>,
    query: Result<Query<From>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let (source, offset) = source(&app, id, query).await?;
    let state = Some((app.engine, source, offset));
    let stream = futures_util::stream::unfold(state, |state| async {
        let (engine, source, offset) = state?;
        // A log that cannot be read any more ends; the reader comes again and learns why.
        let chunk = read(&engine, &source, offset).await.ok()?;
        let offset = offset + chunk.bytes.len() as u64;
        let event = Event::default().id(offset.to_string());
        if chunk.complete && chunk.bytes.is_empty() {
            return Some((Ok(event.event("end").data("complete")), None));
        }
        let text = String::from_utf8_lossy(&chunk.bytes);
        let event = event.json_data(&text).ok()?;
        Some((Ok(event), Some((engine, source, offset))))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

async fn source(
    app: &App,
    id: Result<Path<AttemptId>, PathRejection>,
    query: Result<Query<From>, QueryRejection>,
) -> Result<(LogSource, u64), ApiError> {
    let id = attempt_id(id)?;
    let Query(From { offset }) =
        query.map_err(|rejection| ApiError::new(Code::Malformed, rejection.body_text()))?;
    let source = app
        .engine
        .log(id)
        .await
        .map_err(|error| ApiError::internal(&error))?;
    Ok((source.ok_or_else(|| unknown(id))?, offset))
}

struct Chunk {
    bytes: Vec<u8>,
    complete: bool,
}

async fn read(engine: &Engine, source: &LogSource, offset: u64) -> io::Result<Chunk> {
    let ended = source.wait_beyond(engine, offset).await;
    let mut file = match tokio::fs::File::open(source.path()).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Chunk {
                bytes: Vec::new(),
                complete: true,
            });
        }
        Err(error) => return Err(error),
    };
    let length = file.metadata().await?.len();
    file.seek(io::SeekFrom::Start(offset)).await?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).await?;
    let complete = ended && offset + bytes.len() as u64 >= length;
    Ok(Chunk { bytes, complete })
}
