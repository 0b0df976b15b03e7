//! What every REST request passes: the faults that tests armed, authentication, the count
//! against the limit, conditional requests, and the record.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::fault::{self, Moment};
use crate::forge::Shared;
use crate::rest::address;
use crate::rest::caller::Caller;
use crate::rest::failure::Failure;
use crate::rest::limit::Cost;
use crate::traffic::{API_VERSION, Body as Recorded, Exchange, Headers};

/// As large as a body may be, in bytes.
const MAX_BODY: usize = 25 * 1024 * 1024;

/// The one version of the API that is spoken here, also to who names none.
const VERSION: &str = "2022-11-28";

/// The middleware around all REST routes. Paths are without `/api/v3` here.
pub(crate) async fn gate(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let method = parts.method.clone();
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().map(str::to_owned);
    let headers = parts.headers.clone();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return Failure::TooLarge.into_response();
    };
    let recorded = Recorded::read(&body);
    let at = shared.clock.now();
    let request = Request::from_parts(parts, Body::from(body));

    let response = answer(&shared, request, next).await;
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let response = conditional(
        &method,
        &headers,
        Response::from_parts(parts, Body::empty()),
        &body,
    );
    let (mut response, body) = response;
    let cost = match response.status() {
        StatusCode::NOT_MODIFIED => Cost::Free,
        _ => Cost::One,
    };
    decorate(&shared, &headers, cost, &mut response);
    shared.traffic.exchange(Exchange {
        at,
        method: method.to_string(),
        path,
        query,
        headers: Headers::read(&headers),
        request: recorded,
        status: response.status().as_u16(),
        response: Recorded::read(&body),
    });
    *response.body_mut() = body_of(&mut response, body);
    response
}

/// Answers, or fails as a test wants: before anything happens, or when it has.
async fn answer(shared: &Arc<Shared>, mut request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let target = request.uri().path_and_query().map(ToString::to_string);
    let (target, stop) = (target.unwrap_or_default(), shared.supervisor.token());
    let meet = async |moment| {
        let faults = &shared.faults;
        faults.meet(method.as_str(), &target, moment, &stop).await
    };
    if let Some(failure) = meet(Moment::Asked).await {
        let response = injected(failure);
        return match failure {
            fault::Failure::Reset => cut(response),
            fault::Failure::Status(_)
            | fault::Failure::SecondaryLimit { .. }
            | fault::Failure::HourlyLimit { .. }
            | fault::Failure::Slow(_) => response,
        };
    }
    if let Err(failure) = check_headers(request.headers()) {
        return failure.into_response();
    }
    let caller = match Caller::identify(shared, request.headers()) {
        Ok(caller) => caller,
        Err(failure) => return failure.into_response(),
    };
    let (now, path) = (shared.clock.now(), request.uri().path());
    if let Err(limit) = shared.secondary.admit(&caller, &method, path, now) {
        return injected(limit);
    }
    if let Err(failure) = address::check(shared, &caller, &method, request.uri()) {
        return failure.into_response();
    }
    request.extensions_mut().insert(caller);
    let response = next.run(request).await;
    match meet(Moment::Done).await {
        Some(fault::Failure::Reset) => cut(response),
        Some(failure) => injected(failure),
        None => response,
    }
}

/// Marks an answer whose connection ends in the middle of its body.
#[derive(Clone, Copy)]
struct Cut;

fn cut(mut response: Response) -> Response {
    response.extensions_mut().insert(Cut);
    response
}

/// The body as it is sent: whole, or its first half and then an error, which ends the connection.
fn body_of(response: &mut Response, body: Bytes) -> Body {
    if response.extensions().get::<Cut>().is_none() {
        return Body::from(body);
    }
    let length = HeaderValue::from(body.len());
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, length);
    let half = body.slice(..body.len() / 2);
    let end = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    Body::from_stream(futures_util::stream::iter([Ok(half), Err(end)]))
}

/// GitHub speaks to nobody who does not say what they are, nor in a version that it does not know.
fn check_headers(headers: &HeaderMap) -> Result<(), Failure> {
    let is_named = headers
        .get(header::USER_AGENT)
        .is_some_and(|value| !value.is_empty());
    if !is_named {
        return Err(Failure::NoUserAgent);
    }
    match headers.get(API_VERSION) {
        Some(version) if version != VERSION => Err(Failure::UnknownVersion),
        Some(_) | None => Ok(()),
    }
}

/// Marks the answer of a limit that is used up, for [`decorate`].
#[derive(Clone, Copy)]
struct Exhausted {
    resets_in: u64,
}

fn injected(failure: fault::Failure) -> Response {
    let mut response = Failure::Injected(failure).into_response();
    match failure {
        fault::Failure::HourlyLimit { resets_in } => {
            response.extensions_mut().insert(Exhausted { resets_in });
        }
        fault::Failure::Status(_)
        | fault::Failure::SecondaryLimit { .. }
        | fault::Failure::Reset
        | fault::Failure::Slow(_) => {}
    }
    response
}

fn conditional(
    method: &Method,
    asked: &HeaderMap,
    mut response: Response,
    body: &Bytes,
) -> (Response, Bytes) {
    if *method != Method::GET || response.status() != StatusCode::OK {
        return (response, body.clone());
    }
    let tag = tag(asked, body);
    let known = asked
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|one| one.trim() == tag));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().remove(header::CONTENT_TYPE);
        response.headers_mut().remove(header::CONTENT_LENGTH);
        return (response, Bytes::new());
    }
    (response, body.clone())
}

/// The tag of a body as one token sees it: another token, also one of the same installation, never
/// gets a 304 for it.
fn tag(asked: &HeaderMap, body: &Bytes) -> String {
    let mut digest = Sha256::new();
    if let Some(credentials) = asked.get(header::AUTHORIZATION) {
        digest.update(Sha256::digest(credentials));
    }
    digest.update(body);
    format!("W/\"{}\"", hex::encode(digest.finalize()))
}

fn decorate(shared: &Shared, asked: &HeaderMap, cost: Cost, response: &mut Response) {
    let exhausted = response.extensions().get::<Exhausted>().copied();
    let headers = response.headers_mut();
    headers.insert(
        "x-github-media-type",
        HeaderValue::from_static("github.v3; format=json"),
    );
    headers.insert(
        "x-github-api-version-selected",
        HeaderValue::from_static(VERSION),
    );
    if let Ok(caller) = Caller::identify(shared, asked) {
        let now = shared.clock.now();
        let window = shared.limits.count(&caller, cost, now);
        let window = match exhausted {
            Some(Exhausted { resets_in }) => window.exhausted(now, resets_in),
            None => window,
        };
        window.write(headers);
    }
}
