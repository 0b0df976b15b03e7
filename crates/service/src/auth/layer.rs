//! The layer before endpoints that only services may call.

use std::convert::Infallible;

use api::claims::Scope;
use api::id::ServiceName;
use api::problem::Code;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};

use super::{Refusal, Verifier};
use crate::ApiError;
use crate::intake::Intake;

/// The most bytes that a signed request's body may have.
const MAX_BODY: usize = 8 << 20;

/// The most bytes that the bodies being read behind one guard may have together.
const MAX_BODIES: usize = 64 << 20;

/// Who sent a request: proof that its token was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    name: ServiceName,
}

impl Caller {
    pub(super) fn new(name: ServiceName) -> Self {
        Self { name }
    }

    /// The service that sent the request.
    pub fn name(&self) -> &ServiceName {
        &self.name
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // Absent only when a route forgot its guard: then nobody gets in.
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| refuse(Refusal::NoToken))
    }
}

/// Guards routes: only requests with a good token for one scope pass.
#[derive(Debug, Clone)]
pub struct Guard {
    verifier: Verifier,
    scope: Scope,
    intake: Intake,
}

impl Guard {
    /// A guard that lets pass what `verifier` knows, for `scope`.
    pub fn new(verifier: Verifier, scope: Scope) -> Self {
        Self {
            verifier,
            scope,
            intake: Intake::new(MAX_BODY, MAX_BODIES),
        }
    }

    /// Puts the guard before every route of `router`.
    pub fn protect<S: Clone + Send + Sync + 'static>(self, router: Router<S>) -> Router<S> {
        router
            .route_layer(from_fn_with_state::<_, _, (State<Self>, Request)>(
                self, check,
            ))
            // The guard has its own limit, which is the one that callers are told of.
            .layer(DefaultBodyLimit::disable())
    }
}

async fn check(
    State(guard): State<Guard>,
    request: Request,
    next: Next,
) -> Result<Response, Infallible> {
    Ok(match admit(&guard, request).await {
        Ok(request) => next.run(request).await,
        Err(error) => error.into_response(),
    })
}

async fn admit(guard: &Guard, request: Request) -> Result<Request, ApiError> {
    let (mut parts, body) = request.into_parts();
    let token = parts
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(|| refuse(Refusal::NoToken))?;
    // Strangers are refused before their bodies are read.
    let bearer = guard
        .verifier
        .authenticate(token, guard.scope)
        .map_err(refuse)?;
    let body = guard.intake.read(body).await?;
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let caller = bearer
        .spend(parts.method.as_str(), path, &body)
        .map_err(refuse)?;
    parts.extensions.insert(caller);
    Ok(Request::from_parts(parts, Body::from(body)))
}

fn refuse(refusal: Refusal) -> ApiError {
    tracing::warn!(%refusal, "a request was refused");
    let code = match refusal {
        Refusal::WrongScope => Code::Forbidden,
        Refusal::NoToken
        | Refusal::Unreadable
        | Refusal::UnknownSender
        | Refusal::BadSignature
        | Refusal::WrongAudience
        | Refusal::WrongTime
        | Refusal::WrongRequest
        | Refusal::Replayed => Code::Unauthenticated,
    };
    ApiError::new(code, refusal.to_string())
}
