//! Repositories by other addresses than their name: by a name that they had, which leads to their id,
//! and by their id. What would change an archived one is refused here for all routes alike.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, Uri};
use tower::ServiceExt;

use crate::forge::Shared;
use crate::id::RepositoryId;
use crate::rest::caller::Caller;
use crate::rest::failure::Failure;
use crate::rights::ARCHIVED;
use crate::state::State;
use crate::state::repository::{Repository, Standing};

/// By which name a request calls its repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    /// That of today, or the id.
    Today,
    /// One of old.
    Old,
}

/// Leads a request that uses an old name to the id, and refuses changes of an archived repository.
pub(super) fn check(
    shared: &Shared,
    caller: &Caller,
    method: &Method,
    uri: &Uri,
) -> Result<(), Failure> {
    let state = shared.lock();
    let Some((record, name, rest)) = find(&state, uri.path()) else {
        return Ok(());
    };
    if !caller.may_see(&state, record) {
        return Ok(());
    }
    let is_read = [Method::GET, Method::HEAD].contains(method);
    match name {
        Name::Today if !is_read && record.is_archived() && rest != "/forks" => {
            Err(Failure::Forbidden(ARCHIVED))
        }
        Name::Today => Ok(()),
        Name::Old => {
            let query = uri.query().map(|query| format!("?{query}"));
            let (api, query) = (shared.urls.api(), query.unwrap_or_default());
            Err(Failure::Renamed {
                status: if is_read {
                    StatusCode::MOVED_PERMANENTLY
                } else {
                    StatusCode::TEMPORARY_REDIRECT
                },
                url: format!("{api}/repositories/{}{rest}{query}", record.id),
            })
        }
    }
}

/// The repository that a path is about, and the rest of the path with its slash.
fn find<'a>(state: &'a State, path: &'a str) -> Option<(&'a Repository, Name, &'a str)> {
    if let Some((id, rest)) = by_id(path) {
        return Some((standing(state, id)?, Name::Today, rest));
    }
    let (owner, tail) = path.strip_prefix("/repos/")?.split_once('/')?;
    let (name, rest) = split(tail);
    if let Some(record) = state.find_repository(owner, name) {
        return Some((record, Name::Today, rest));
    }
    let record = state.find_moved(owner, name)?;
    Some((record, Name::Old, rest))
}

fn by_id(path: &str) -> Option<(RepositoryId, &str)> {
    let (id, rest) = split(path.strip_prefix("/repositories/")?);
    Some((id.parse().ok()?, rest))
}

fn standing(state: &State, id: RepositoryId) -> Option<&Repository> {
    let record = state.repositories.get(&id)?;
    (record.standing != Standing::Deleted).then_some(record)
}

/// The first segment and the rest with its slash.
fn split(path: &str) -> (&str, &str) {
    path.split_at(path.find('/').unwrap_or(path.len()))
}

/// `/repositories/{repository_id}` and all below it: what there is under the repository's name.
pub(super) async fn serve_by_id(shared: Arc<Shared>, routes: Router, request: Request) -> Response {
    let uri = request.uri();
    let query = uri.query().map(|query| format!("?{query}"));
    let target = by_id(uri.path()).and_then(|(id, rest)| {
        let state = shared.lock();
        let name = state.full_name(standing(&state, id)?);
        Some(format!("/repos/{name}{rest}{}", query.unwrap_or_default()))
    });
    let Some(target) = target.and_then(|target| target.parse::<Uri>().ok()) else {
        return Failure::NotFound.into_response();
    };
    // A new request, as the routes would read what they take from the path beside what this one's
    // route has read.
    let (parts, body) = request.into_parts();
    let mut other = Request::<Body>::new(body);
    *other.uri_mut() = target;
    *other.method_mut() = parts.method;
    *other.headers_mut() = parts.headers;
    if let Some(caller) = parts.extensions.get::<Caller>() {
        other.extensions_mut().insert(caller.clone());
    }
    match routes.oneshot(other).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_by_id_has_a_number() {
        let id = RepositoryId::new(7);
        assert_eq!(by_id("/repositories/7"), Some((id, "")));
        assert_eq!(by_id("/repositories/7/pulls/1"), Some((id, "/pulls/1")));
        assert_eq!(by_id("/repositories/x"), None);
        assert_eq!(by_id("/repos/7"), None);
    }
}
