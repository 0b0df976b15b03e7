//! What an operator asks of summit: the program `summit` sends it, with summit's own key.

use std::sync::Arc;

use api::operator::{LetGo, Replay, UnreadDelivery};
use api::problem::Code;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use service::ApiError;

use super::handlers::Handlers;
use crate::usecase::sweep::LetGoError;

/// `GET /api/v1/deliveries`
pub(super) async fn deliveries(
    State(handlers): State<Handlers>,
) -> Result<Json<Vec<UnreadDelivery>>, ApiError> {
    let unread = handlers.summit.unread_deliveries().await;
    unread.map(Json).map_err(|error| ApiError::internal(&error))
}

/// `POST /api/v1/deliveries/{guid}/replay`
pub(super) async fn replay(
    State(handlers): State<Handlers>,
    Path(guid): Path<String>,
) -> Result<Json<Replay>, ApiError> {
    let replayed = handlers.summit.replay(guid.clone()).await;
    let replayed = replayed.map_err(|error| ApiError::internal(&error))?;
    let unknown = || ApiError::not_found(format!("unread delivery {guid}"));
    replayed.map(Json).ok_or_else(unknown)
}

/// `POST /api/v1/repositories/let-go`
pub(super) async fn let_go(
    State(handlers): State<Handlers>,
    asked: Result<Json<LetGo>, JsonRejection>,
) -> Result<Json<LetGo>, ApiError> {
    let Json(asked) =
        asked.map_err(|rejection| ApiError::new(Code::Malformed, rejection.body_text()))?;
    let summit = Arc::clone(&handlers.summit);
    match summit.let_go_missing(&asked.repositories).await {
        Ok(()) => Ok(Json(asked)),
        Err(error @ LetGoError::NotMissing(_)) => {
            Err(ApiError::new(Code::NotFound, error.to_string()))
        }
        Err(error @ (LetGoError::Storage(_) | LetGoError::Look { .. })) => {
            Err(ApiError::internal(&error))
        }
    }
}
