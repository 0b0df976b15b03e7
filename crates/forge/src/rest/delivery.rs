//! The delivery log.

use std::sync::Arc;

use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use axum::Json;
use axum::response::IntoResponse;

use crate::forge::Shared;
use crate::id::DeliveryId;
use crate::rest::caller::Caller;
use crate::rest::failure::Failure;
use crate::rest::input::Params;
use crate::rest::output::{Answer, paged};
use crate::shape;
use crate::webhook::{Redelivery, send};

/// Which rows are asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Filter {
    per_page: Option<usize>,
    cursor: Option<String>,
    status: Option<Status>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Success,
    Failure,
}

impl Status {
    const fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// `GET /app/hook/deliveries`
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Params(filter): Params<Filter>,
) -> Answer {
    caller.require_app()?;
    let size = filter.per_page.unwrap_or(30).clamp(1, 100);
    let before = filter.cursor.as_deref().map(read_cursor).transpose()?;
    let now = shared.clock.now();
    let (rows, more) = {
        let state = shared.lock();
        let mut wanted = state
            .deliveries
            .newest_first(now)
            .filter(|row| before.is_none_or(|before| row.id < before))
            .filter(|row| match filter.status {
                None => true,
                Some(Status::Success) => row.outcome.is_success(),
                Some(Status::Failure) => !row.outcome.is_success(),
            });
        let rows: Vec<_> = wanted
            .by_ref()
            .take(size)
            .map(|row| (row.id, Value::Object(shape::delivery::item(row))))
            .collect();
        (rows, wanted.next().is_some())
    };
    let link = rows.last().filter(|_| more).map(|(last, _)| {
        let status = filter
            .status
            .map(|status| format!("&status={}", status.word()));
        format!(
            "<{}/app/hook/deliveries?per_page={size}{}&cursor={CURSOR}{last}>; rel=\"next\"",
            shared.urls.api(),
            status.unwrap_or_default(),
        )
    });
    let rows: Vec<Value> = rows.into_iter().map(|(_, row)| row).collect();
    paged(rows, link.as_deref())
}

/// Makes a cursor tell itself from a page number.
const CURSOR: &str = "v1_";

fn read_cursor(text: &str) -> Result<DeliveryId, Failure> {
    text.strip_prefix(CURSOR)
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| Failure::invalid("The cursor is not one of this list."))
}

/// `POST /app/hook/deliveries/{delivery_id}/attempts`
pub(crate) async fn again(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(id): Path<DeliveryId>,
) -> Answer {
    caller.require_app()?;
    let mut state = shared.lock();
    let found = state.deliveries.find(id, shared.clock.now());
    let event = found.ok_or(Failure::NotFound)?.event();
    send::spawn(&shared, &mut state, event, Redelivery::Again);
    Ok((StatusCode::ACCEPTED, Json(json!({}))).into_response())
}
