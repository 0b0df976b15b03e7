//! The endpoints of imports.

use std::sync::Arc;

use api::id::ImportId;
use api::import::{Import, Order};
use api::problem::Code;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use service::ApiError;
use service::auth::Caller;

use super::{body, fault, parameter};
use crate::usecase::{NotAccepted, Repository};

/// `PUT /api/v1/imports/{id}`
pub(super) async fn put(
    State(repository): State<Arc<Repository>>,
    caller: Caller,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Result<Json<Import>, ApiError> {
    let id: ImportId = parameter(&id)?;
    let order: Order = body(&bytes)?;
    let accepted = repository.accept(id, order, caller.name().clone()).await;
    accepted.map(Json).map_err(|error| match error {
        NotAccepted::Invalid(_) | NotAccepted::NoChannel(_) => {
            ApiError::new(Code::Invalid, error.to_string())
        }
        NotAccepted::Conflict(_) => ApiError::new(Code::Conflict, error.to_string()),
        NotAccepted::Failure(failure) => fault(&failure),
    })
}

#[derive(Debug, Deserialize)]
pub(super) struct After {
    after: Option<String>,
}

/// `GET /api/v1/imports/{id}?after=SEQ`
pub(super) async fn get(
    State(repository): State<Arc<Repository>>,
    _: Caller,
    Path(id): Path<String>,
    Query(After { after }): Query<After>,
) -> Result<Json<Import>, ApiError> {
    let id: ImportId = parameter(&id)?;
    let after = after.as_deref().map(parameter::<u64>).transpose()?;
    let found = repository
        .find_import(id, after)
        .await
        .map_err(|failure| fault(&failure))?;
    found
        .map(Json)
        .ok_or_else(|| ApiError::not_found(format_args!("import {id}")))
}
