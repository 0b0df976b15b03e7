//! Ordering, reading, cancelling and releasing attempts.

use api::attempt::{Attempt, Order};
use api::id::AttemptId;
use api::problem::Code;
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use service::ApiError;
use service::auth::Caller;

use super::{App, malformed};
use crate::usecase::{AcceptError, ReleaseError};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    after: Option<u64>,
}

pub(super) async fn order(
    State(app): State<App>,
    caller: Caller,
    id: Result<Path<AttemptId>, PathRejection>,
    order: Result<Json<Order>, JsonRejection>,
) -> Result<Json<Attempt>, ApiError> {
    let id = attempt_id(id)?;
    let Json(order) = order.map_err(malformed)?;
    app.engine
        .accept(id, order, caller.name().clone())
        .await
        .map(Json)
        .map_err(|error| match &error {
            AcceptError::Conflict(_) => ApiError::new(Code::Conflict, error.to_string()),
            AcceptError::Impossible(_) => ApiError::new(Code::Invalid, error.to_string()),
            AcceptError::Closing => ApiError::new(Code::Unavailable, error.to_string()),
            AcceptError::NoRoom(_) => ApiError::new(Code::NoRoom, error.to_string()),
            AcceptError::Database(_) | AcceptError::Log(_) => ApiError::internal(&error),
        })
}

pub(super) async fn read(
    State(app): State<App>,
    id: Result<Path<AttemptId>, PathRejection>,
    query: Result<Query<After>, QueryRejection>,
) -> Result<Json<Attempt>, ApiError> {
    let id = attempt_id(id)?;
    let Query(After { after }) =
        query.map_err(|rejection| ApiError::new(Code::Malformed, rejection.body_text()))?;
    found(id, app.engine.read(id, after).await)
}

pub(super) async fn cancel(
    State(app): State<App>,
    id: Result<Path<AttemptId>, PathRejection>,
) -> Result<Json<Attempt>, ApiError> {
    let id = attempt_id(id)?;
    found(id, app.engine.cancel(id).await)
}

pub(super) async fn release(
    State(app): State<App>,
    id: Result<Path<AttemptId>, PathRejection>,
) -> Result<Json<Attempt>, ApiError> {
    let id = attempt_id(id)?;
    match app.engine.release(id).await {
        Ok(attempt) => attempt.map(Json).ok_or_else(|| unknown(id)),
        Err(error @ ReleaseError::Unfinished(_)) => {
            Err(ApiError::new(Code::Conflict, error.to_string()))
        }
        Err(error @ (ReleaseError::Database(_) | ReleaseError::Files(_))) => {
            Err(ApiError::internal(&error))
        }
    }
}

pub(super) fn attempt_id(
    id: Result<Path<AttemptId>, PathRejection>,
) -> Result<AttemptId, ApiError> {
    id.map(|Path(id)| id)
        .map_err(|rejection| ApiError::new(Code::Malformed, rejection.body_text()))
}

pub(super) fn unknown(id: AttemptId) -> ApiError {
    ApiError::not_found(format_args!("attempt {id}"))
}

fn found(
    id: AttemptId,
    answer: Result<Option<Attempt>, moss_db::Error>,
) -> Result<Json<Attempt>, ApiError> {
    answer
        .map_err(|error| ApiError::internal(&error))?
        .map(Json)
        .ok_or_else(|| unknown(id))
}
