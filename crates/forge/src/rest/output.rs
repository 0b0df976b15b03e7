//! Answers.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::rest::failure::Failure;

/// What a handler gives back.
pub(crate) type Answer = Result<Response, Failure>;

/// 200 with JSON.
pub(crate) fn ok(body: impl Into<Value>) -> Answer {
    Ok(Json(body.into()).into_response())
}

/// 201 with JSON.
pub(crate) fn created(body: impl Into<Value>) -> Answer {
    Ok((StatusCode::CREATED, Json(body.into())).into_response())
}

/// 202 with JSON.
pub(crate) fn accepted(body: impl Into<Value>) -> Answer {
    Ok((StatusCode::ACCEPTED, Json(body.into())).into_response())
}

/// 204 with nothing.
pub(crate) fn no_content() -> Answer {
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// 200 with JSON and the links to other pages.
pub(crate) fn paged(body: impl Into<Value>, link: Option<&str>) -> Answer {
    let mut response = Json(body.into()).into_response();
    if let Some(value) = link.and_then(|link| HeaderValue::from_str(link).ok()) {
        response.headers_mut().insert(header::LINK, value);
    }
    Ok(response)
}
