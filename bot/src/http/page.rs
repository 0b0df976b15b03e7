//! Pages for people. maud escapes every inserted value.

mod build;
mod overview;
mod parts;

use axum::Router;
use axum::routing::get;

use super::handlers::Handlers;

/// The routes of all pages.
pub(super) fn routes() -> Router<Handlers> {
    Router::new()
        .route("/", get(overview::overview))
        .route("/builds/{build}", get(build::build))
}
