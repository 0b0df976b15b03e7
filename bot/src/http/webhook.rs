//! `POST /webhook`. It answers 200 once the delivery is stored, 202 for an unknown event, 400
//! without JSON or headers, 401 for a bad signature, and 413 for a body that is too large. The JSON
//! is the body, or the field `payload` of a form.

use std::sync::Arc;

use api::problem::Code;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use secrecy::SecretString;
use service::ApiError;

use super::handlers::Handlers;
use crate::github::payload;
use crate::usecase::receive::{Encoding, Event, Receipt, Verified, Webhook};

/// The largest body that is checked on this thread. Larger ones go to a blocking thread.
const SMALL: usize = 256 << 10;

pub(super) async fn take(
    State(handlers): State<Handlers>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let required = |name: &'static str| {
        header(name)
            .filter(|value| !value.is_empty() && value.len() <= 128)
            .ok_or_else(|| {
                tracing::warn!(
                    delivery.id = header("x-github-delivery"),
                    header = name,
                    "a webhook lacks a header"
                );
                ApiError::new(Code::Malformed, format!("the header {name} is missing"))
            })
    };
    let guid = required("x-github-delivery")?.to_owned();
    let event = required("x-github-event")?.to_owned();
    let signature = header("x-hub-signature-256");
    let encoding = match header(CONTENT_TYPE.as_str()) {
        Some(media) if is_form(media) => Encoding::Form,
        Some(_) | None => Encoding::Json,
    };
    let body = match signature {
        Some(_) => handlers.webhooks.read(body).await.inspect_err(|error| {
            tracing::warn!(
                delivery.id = guid,
                "a webhook's body was not read: {}",
                error.message()
            );
        })?,
        // The request is refused below, so its body is not read.
        None => Bytes::new(),
    };
    let webhook = Webhook {
        guid: guid.clone(),
        event: event.clone(),
        body,
        encoding,
    };
    let verified = check(webhook, signature, &handlers.secrets).await?;
    if !payload::is_known(&event) {
        tracing::info!(delivery.id = guid, event, "a webhook of an unknown event");
        return Ok((StatusCode::ACCEPTED, "the event is not known here\n").into_response());
    }
    match handlers.summit.receive(verified).await {
        Ok(Receipt::New) => Ok((StatusCode::OK, "taken\n").into_response()),
        Ok(Receipt::Known) => Ok((StatusCode::OK, "known\n").into_response()),
        Err(error) => Err(ApiError::internal(&error)),
    }
}

/// True for the media type of the App's content type `application/x-www-form-urlencoded`.
fn is_form(media: &str) -> bool {
    let name = media.split(';').next().unwrap_or_default().trim();
    name.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Checks that GitHub signed the body and that there is JSON in it.
async fn check(
    webhook: Webhook,
    signature: Option<&str>,
    secrets: &Arc<[SecretString]>,
) -> Result<Verified<Event>, ApiError> {
    let (signature, secrets) = (signature.map(str::to_owned), Arc::clone(secrets));
    let size = webhook.body.len();
    let check = move || {
        let guid = webhook.guid.clone();
        let verified = webhook
            .verify(signature.as_deref(), &secrets)
            .map_err(|error| {
                tracing::warn!(delivery.id = guid, "a webhook was refused: {error}");
                ApiError::new(Code::Unauthenticated, error.to_string())
            })?;
        verified.parse().map_err(|error| {
            tracing::warn!(delivery.id = guid, %error, "a webhook is no JSON");
            ApiError::new(Code::Malformed, error.to_string())
        })
    };
    if size <= SMALL {
        return check();
    }
    let checked = tokio::task::spawn_blocking(check).await;
    checked.expect("hashing and reading do not panic")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_known_by_its_media_type() {
        for media in [
            "application/x-www-form-urlencoded",
            "Application/X-WWW-Form-Urlencoded ; charset=utf-8",
        ] {
            assert!(is_form(media), "{media}");
        }
        for media in ["application/json", "multipart/form-data", ""] {
            assert!(!is_form(media), "{media}");
        }
    }
}
