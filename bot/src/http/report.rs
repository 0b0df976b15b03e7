//! `POST /api/v1/reports`: a builder says that an attempt has news. The report is only a hint:
//! summit then asks the builder. A lost, late or false report does no harm.

use api::attempt::Attempt;
use api::problem::Code;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use service::ApiError;
use service::auth::Caller;

use super::handlers::Handlers;

pub(super) async fn take(
    State(handlers): State<Handlers>,
    caller: Caller,
    report: Result<Json<Attempt>, JsonRejection>,
) -> Result<Json<()>, ApiError> {
    let Json(report) =
        report.map_err(|rejection| ApiError::new(Code::Malformed, rejection.body_text()))?;
    tracing::debug!(attempt.id = %report.id, builder.name = %caller.name(), "a report");
    handlers.summit.reported.wake(report.id);
    Ok(Json(()))
}
