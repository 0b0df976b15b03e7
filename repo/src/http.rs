//! vessel over HTTP: the control API for services, and what everyone may see.
//!
//! - `PUT /api/v1/imports/{id}`, `GET /api/v1/imports/{id}?after=SEQ` (scope `imports`);
//! - `GET /api/v1/channels/{channel}`, `PUT …/streams/{stream}`, `PUT …/tags/{tag}` (scope
//!   `channels`);
//! - `GET /api/v1/status` (scope `status`);
//! - `GET /health`;
//! - `GET /`: a page for people; `GET /<channel>/…`: the repository that moss clients read.

mod channels;
mod files;
mod imports;
mod page;
mod status;

use std::sync::Arc;

use api::claims::Scope;
use api::id::ServiceName;
use api::problem::Code;
use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::{get, put};
use serde::de::DeserializeOwned;
use service::ApiError;
use service::auth::{Guard, Verifier};
use service::error::Chain;
use url::Url;

use crate::usecase::{Failure, Repository};

/// The control API, and the health of the service.
pub(crate) fn api(repository: Arc<Repository>, name: ServiceName, verifier: Verifier) -> Router {
    let source = status::Source {
        repository: Arc::clone(&repository),
        name,
    };
    let status = Router::new()
        .route("/api/v1/status", get(status::get))
        .with_state(source);
    let imports = Router::new().route("/api/v1/imports/{id}", put(imports::put).get(imports::get));
    let channels = Router::new()
        .route("/api/v1/channels/{channel}", get(channels::get))
        .route(
            "/api/v1/channels/{channel}/streams/{stream}",
            put(channels::put_stream),
        )
        .route(
            "/api/v1/channels/{channel}/tags/{tag}",
            put(channels::put_tag),
        );
    Guard::new(verifier.clone(), Scope::Imports)
        .protect(imports)
        .merge(Guard::new(verifier.clone(), Scope::Channels).protect(channels))
        .merge(Guard::new(verifier, Scope::Status).protect(status))
        .route("/api/{*rest}", axum::routing::any(no_endpoint))
        .route("/health", get(health))
        .with_state(repository)
}

/// The page for people and the repository's files.
pub(crate) fn public(repository: Arc<Repository>, base: Url) -> Router {
    let page = page::Page::new(Arc::clone(&repository), base);
    Router::new()
        .route("/", get(page::show))
        .with_state(page)
        .fallback_service(files::router(repository))
}

async fn no_endpoint() -> ApiError {
    ApiError::not_found("such endpoint")
}

#[derive(serde::Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
}

/// Healthy is a vessel whose database answers.
async fn health(State(repository): State<Arc<Repository>>) -> Result<Json<Health>, ApiError> {
    match repository.check().await {
        Ok(()) => Ok(Json(Health {
            status: "ok",
            version: env!("CARGO_PKG_VERSION"),
        })),
        Err(failure) => {
            tracing::error!(error = %Chain(&failure), "not healthy");
            Err(ApiError::new(
                Code::Unavailable,
                "the repository cannot be read",
            ))
        }
    }
}

/// A parameter of the path, or why it is none.
fn parameter<T: std::str::FromStr>(text: &str) -> Result<T, ApiError>
where
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error: T::Err| ApiError::new(Code::Malformed, error.to_string()))
}

/// A body in JSON, or why it is none.
fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes)
        .map_err(|error| ApiError::new(Code::Malformed, format!("the body is not valid: {error}")))
}

/// A fault, as it is answered.
fn fault(failure: &Failure) -> ApiError {
    if matches!(
        failure,
        Failure::Ending | Failure::Database(moss_db::Error::Closed)
    ) {
        return ApiError::new(Code::Unavailable, "the service is shutting down");
    }
    ApiError::internal(failure)
}
