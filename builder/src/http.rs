//! The control port: what `docs/protocol.md` shows, and the assets for anyone.

use std::sync::Arc;
use std::time::Duration;

use api::claims::Scope;
use api::host::{Lookup, LookupAnswer, Status};
use api::id::{Architecture, ServiceName};
use api::problem::Code;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use service::ApiError;
use service::auth::{Guard, Verifier};
use tower_http::services::ServeDir;

use crate::host::{Host, Snapshot};
use crate::usecase::Engine;

mod attempts;
mod logs;

/// The most dependencies that one lookup may ask for.
const MAX_LOOKUP: usize = 4096;

/// How long a request waits for the first look at the host. Mostly that is done within it, and a
/// builder that was just started need not send anybody away; it is less than summit's patience.
const FIRST_LOOK: Duration = Duration::from_secs(3);

/// The version of the rules by which a recipe becomes stones; a part of a build's identity. It
/// changes when the same input would come out otherwise.
pub const ENGINE_VERSION: &str = "1";

/// What handlers work with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App {
    /// Attempts.
    pub engine: Engine,
    /// The host.
    pub host: Arc<Host>,
    /// The builder's name.
    pub name: ServiceName,
    /// How many attempts run at once.
    pub slots: u32,
}

/// The routes of a builder.
pub fn router(app: App, verifier: &Verifier) -> Router {
    let guard = |scope| Guard::new(verifier.clone(), scope);
    let attempts = Router::new()
        .route(
            "/api/v1/attempts/{id}",
            put(attempts::order)
                .get(attempts::read)
                .delete(attempts::cancel),
        )
        .route("/api/v1/attempts/{id}/release", post(attempts::release))
        .route("/api/v1/attempts/{id}/log", get(logs::bytes))
        .route("/api/v1/attempts/{id}/log/events", get(logs::events));
    let host = Router::new()
        .route("/api/v1/status", get(status))
        .route("/api/v1/host/lookup", post(lookup));
    Router::new()
        .merge(guard(Scope::Attempts).protect(attempts))
        .merge(guard(Scope::Status).protect(host))
        .route("/health", get(health))
        .nest_service(
            "/assets",
            ServeDir::new(app.engine.assets()).append_index_html_on_directories(false),
        )
        .with_state(app)
}

async fn health() -> &'static str {
    "ok\n"
}

async fn status(State(app): State<App>) -> Result<Json<Status>, ApiError> {
    let snapshot = seen(&app.host, FIRST_LOOK).await?;
    let architecture: Architecture = std::env::consts::ARCH
        .parse()
        .map_err(|error| ApiError::internal(&error))?;
    Ok(Json(Status {
        builder: app.name,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        engine: ENGINE_VERSION.to_owned(),
        architectures: vec![architecture],
        slots: app.slots,
        attempts: app.engine.attempts(),
        host: snapshot.fingerprint(),
        looked_at: Some(snapshot.begun_at()),
        networking: app.engine.networking(),
        limits: app.engine.limits(),
        database: app.engine.usage(),
        free_bytes: app.engine.free_bytes(),
        no_orders: app.engine.make_room().await,
    }))
}

async fn lookup(
    State(app): State<App>,
    body: Result<Json<Lookup>, JsonRejection>,
) -> Result<Json<LookupAnswer>, ApiError> {
    let Json(lookup) = body.map_err(malformed)?;
    if lookup.dependencies.len() > MAX_LOOKUP {
        let message = format!("a lookup asks for at most {MAX_LOOKUP} dependencies");
        return Err(ApiError::new(Code::Invalid, message));
    }
    let snapshot = seen(&app.host, FIRST_LOOK).await?;
    Ok(Json(snapshot.answer(&lookup.dependencies)))
}

/// What was last seen of the host. Only the first look is waited for, and that not longer than
/// `patience`.
async fn seen(host: &Host, patience: Duration) -> Result<Arc<Snapshot>, ApiError> {
    let latest = tokio::time::timeout(patience, host.latest());
    latest.await.map_err(|_| {
        ApiError::new(
            Code::Unavailable,
            "the builder was just started and is still looking at its host; ask again",
        )
    })
}

/// A body that does not have the form of the endpoint.
#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn malformed(rejection: JsonRejection) -> ApiError {
    ApiError::new(Code::Malformed, rejection.body_text())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use service::{Clock, Supervisor};

    use super::*;
    use crate::host::Pace;

    #[tokio::test]
    async fn who_asks_before_the_first_look_is_told_so_and_later_nobody_waits() {
        let host = Host::new(Vec::new(), &BTreeMap::new(), Clock::system()).unwrap();
        let host = Arc::new(host);
        let refusal = seen(&host, Duration::from_millis(1)).await.unwrap_err();
        assert_eq!(refusal.code(), Code::Unavailable);
        assert_eq!(
            refusal.message(),
            "the builder was just started and is still looking at its host; ask again"
        );
        let supervisor = Supervisor::new();
        let looking = Arc::clone(&host);
        supervisor.spawn_until_shutdown("look", async move {
            looking.watch(Pace::default()).await;
        });
        let latest = host.latest().await;
        let snapshot = seen(&host, Duration::ZERO).await.unwrap();
        assert_eq!(snapshot.fingerprint(), latest.fingerprint());
    }
}
