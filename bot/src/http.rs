//! summit's HTTP server: webhooks, reports of builders, an operator's commands, pages and logs.

mod builds;
mod handlers;
mod log;
mod operator;
mod page;
mod report;
mod status;
mod webhook;

use api::claims::Scope;
use axum::Router;
use axum::routing::{get, post};
use service::auth::{Guard, Verifier};

pub use handlers::{Handlers, MAX_WEBHOOK_BODY};

/// All routes.
pub fn router(handlers: Handlers, verifier: Verifier) -> Router {
    let reports = Router::new().route("/api/v1/reports", post(report::take));
    let operator = Router::new()
        .route("/api/v1/deliveries", get(operator::deliveries))
        .route("/api/v1/deliveries/{guid}/replay", post(operator::replay))
        .route("/api/v1/repositories/let-go", post(operator::let_go));
    Router::new()
        .route("/builds/{build}/log", get(log::newest))
        .route("/attempts/{attempt}/log", get(log::attempt))
        .route("/health", get(health))
        .route("/api/v1/status", get(status::get))
        .route("/api/v1/builds", get(builds::list))
        .route("/api/v1/builds/{build}", get(builds::one))
        .route("/webhook", post(webhook::take))
        .merge(page::routes())
        .merge(Guard::new(verifier.clone(), Scope::Reports).protect(reports))
        .merge(Guard::new(verifier, Scope::Operate).protect(operator))
        .with_state(handlers)
}

async fn health() -> &'static str {
    "ok\n"
}
