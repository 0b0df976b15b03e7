//! Pages for people: the check runs of a repository, a commit and a pull request.
//!
//! Everything that a stranger can write stands in them as text: it is escaped, and no link leads
//! to anything but http and https. On loopback whoever reaches the forge may look; elsewhere a
//! person's token is asked for.

mod html;
mod view;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::forge::{Shared, blocking};
use crate::git::commit;
use crate::id::RepositoryId;
use crate::smart;
use crate::state::repository::Right;

/// `GET /`
pub(crate) async fn index(State(shared): State<Arc<Shared>>) -> Response {
    // Elsewhere than on loopback not even the names are for everyone.
    show(shared.is_local().then(|| view::index(&shared.lock())))
}

/// `GET /{owner}/{repo}`
pub(crate) async fn repository(
    State(shared): State<Arc<Shared>>,
    Path((owner, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    match enter(&shared, &headers, &owner, &name) {
        Ok(id) => show(Some(view::repository(&shared.lock(), id))),
        Err(refusal) => *refusal,
    }
}

/// `GET /{owner}/{repo}/commit/{sha}` and its `/checks`.
pub(crate) async fn commit(
    State(shared): State<Arc<Shared>>,
    Path((owner, name, sha)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    let id = match enter(&shared, &headers, &owner, &name) {
        Ok(id) => id,
        Err(refusal) => return *refusal,
    };
    let path = shared.lock().repository(id).path.clone();
    let found = blocking(move || match commit::find(&path, &sha)? {
        Some(sha) => commit::read(&path, &sha),
        None => Ok(None),
    });
    match found.await {
        Ok(found) => show(found.map(|commit| view::commit(&shared.lock(), id, &commit))),
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "cannot read a commit"
            );
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// `GET /{owner}/{repo}/pull/{number}`
pub(crate) async fn pull(
    State(shared): State<Arc<Shared>>,
    Path((owner, name, number)): Path<(String, String, u64)>,
    headers: HeaderMap,
) -> Response {
    match enter(&shared, &headers, &owner, &name) {
        Ok(id) => {
            let state = shared.lock();
            let found = state.pulls.get(&(id, number));
            show(found.map(|pull| view::pull(&state, pull)))
        }
        Err(refusal) => *refusal,
    }
}

fn enter(
    shared: &Shared,
    headers: &HeaderMap,
    owner: &str,
    name: &str,
) -> Result<RepositoryId, Box<Response>> {
    let state = shared.lock();
    let name = name.strip_suffix(".git").unwrap_or(name);
    let found = state.find_repository(owner, name);
    if !shared.is_local() {
        let secret = smart::password(headers)
            .ok_or_else(|| Box::new(smart::challenge("Authentication is needed.")))?;
        let person = state
            .tokens
            .find_user(&secret)
            .ok_or_else(|| Box::new(smart::challenge("Invalid username or token.")))?;
        let may = found.filter(|found| state.role(found, person).right() >= Right::Pull);
        return may
            .map(|found| found.id)
            .ok_or_else(|| Box::new(show(None)));
    }
    found
        .map(|found| found.id)
        .ok_or_else(|| Box::new(show(None)))
}

/// Wraps a page in the headers that keep it what it is: text and style, nothing that runs.
fn show(page: Option<String>) -> Response {
    let (status, body) = match page {
        Some(body) => (StatusCode::OK, body),
        None => (StatusCode::NOT_FOUND, view::missing()),
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}
