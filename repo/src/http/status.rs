//! The endpoint that says how vessel stands.

use std::sync::Arc;

use api::id::ServiceName;
use api::status::Vessel;
use axum::Json;
use axum::extract::State;
use service::ApiError;
use service::auth::Caller;

use super::fault;
use crate::domain::root::FORMAT;
use crate::usecase::Repository;

/// What the answer is made from.
#[derive(Clone)]
pub(super) struct Source {
    /// What is told of.
    pub(super) repository: Arc<Repository>,
    /// The service's name.
    pub(super) name: ServiceName,
}

/// `GET /api/v1/status`
pub(super) async fn get(State(source): State<Source>, _: Caller) -> Result<Json<Vessel>, ApiError> {
    let imports = source.repository.open_imports().await;
    Ok(Json(Vessel {
        vessel: source.name,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        format: FORMAT.to_owned(),
        database: source.repository.usage(),
        imports: imports.map_err(|failure| fault(&failure))?,
    }))
}
