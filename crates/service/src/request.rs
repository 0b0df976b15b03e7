//! What surrounds every request: an id, and one line of log.

use std::time::Instant;

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use tracing::Instrument as _;

tokio::task_local! {
    static ID: String;
}

/// The header that carries the request id out.
pub const ID_HEADER: &str = "x-request-id";

/// Gives every request of `router` an id and one line of log.
pub(crate) fn observe(router: Router) -> Router {
    router.layer(from_fn(with_id))
}

/// The id of the request that this task answers; empty outside of one.
pub fn current_id() -> String {
    ID.try_with(Clone::clone).unwrap_or_default()
}

async fn with_id(request: Request, next: Next) -> Response {
    let id = uuid::Uuid::now_v7().simple().to_string();
    let span = tracing::info_span!(
        "request",
        request.id = %id,
        http.method = %request.method(),
        http.path = request.uri().path(),
    );
    let begun = Instant::now();
    let answer = async {
        let answer = next.run(request).await;
        tracing::debug!(
            http.status = answer.status().as_u16(),
            http.milliseconds = begun.elapsed().as_millis(),
            "answered"
        );
        answer
    };
    let mut answer = ID.scope(id.clone(), answer.instrument(span)).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        answer.headers_mut().insert(ID_HEADER, value);
    }
    answer
}
