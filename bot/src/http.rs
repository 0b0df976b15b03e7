//! What summit answers: webhooks, reports of builders, pages and logs.

mod log;
mod page;
mod report;
mod status;
mod webhook;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use secrecy::SecretString;
use service::auth::{Guard, Verifier};
use service::intake::Intake;
use tokio_util::sync::CancellationToken;

use crate::usecase::Summit;

/// GitHub's cap on a webhook's body, in bytes.
pub const MAX_WEBHOOK: usize = 25 << 20;

/// The most bytes of webhooks that are being read at a time.
const MAX_WEBHOOKS: usize = 128 << 20;

/// What the handlers share.
#[derive(Clone)]
pub struct Handlers {
    pub(crate) summit: Arc<Summit>,
    pub(crate) secret: SecretString,
    pub(crate) webhooks: Intake,
    pub(crate) stop: CancellationToken,
}

impl Handlers {
    /// Handlers for `summit`; `secret` verifies webhooks, `stop` ends long answers.
    pub fn new(summit: Arc<Summit>, secret: SecretString, stop: CancellationToken) -> Self {
        Self {
            summit,
            secret,
            webhooks: Intake::new(MAX_WEBHOOK, MAX_WEBHOOKS),
            stop,
        }
    }
}

/// All routes.
pub fn router(handlers: Handlers, verifier: Verifier) -> Router {
    let reports = Router::new().route("/api/v1/reports", post(report::take));
    Router::new()
        .route("/", get(page::overview))
        .route("/builds/{build}", get(page::build))
        .route("/builds/{build}/log", get(log::newest))
        .route("/attempts/{attempt}/log", get(log::attempt))
        .route("/health", get(page::health))
        .route("/api/v1/status", get(status::get))
        .route("/api/v1/builds", get(page::builds_json))
        .route("/api/v1/builds/{build}", get(page::build_json))
        .route("/webhook", post(webhook::take))
        .merge(Guard::new(verifier, api::claims::Scope::Reports).protect(reports))
        .with_state(handlers)
}
