//! Reviews of a pull request, and the comments at its lines.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use serde_json::Value;

use super::READ;
use crate::forge::Shared;
use crate::id::RepositoryId;
use crate::rest::caller::Caller;
use crate::rest::failure::Failure;
use crate::rest::input::Params;
use crate::rest::output::{Answer, paged};
use crate::rest::page::Page;
use crate::shape;
use crate::state::State as Tables;

/// `GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews`
pub(crate) async fn reviews(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, number)): Path<(String, String, u64)>,
    Params(page): Params<Page>,
    RawQuery(query): RawQuery,
) -> Answer {
    let state = shared.lock();
    let (id, url) = enter(&shared, &state, &caller, (&owner, &name, number))?;
    let here = state.reviews.values();
    let rows: Vec<Value> = here
        .filter(|review| review.repository == id && review.number == number)
        .map(|review| shape::review::listed(&state, &shared.urls, review))
        .collect();
    let (rows, link) = page.cut(rows, &format!("{url}/reviews"), query.as_deref());
    paged(rows, link.as_deref())
}

/// `GET /repos/{owner}/{repo}/pulls/{pull_number}/comments`
pub(crate) async fn line_comments(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, number)): Path<(String, String, u64)>,
    Params(page): Params<Page>,
    RawQuery(query): RawQuery,
) -> Answer {
    let state = shared.lock();
    let (id, url) = enter(&shared, &state, &caller, (&owner, &name, number))?;
    let here = state.review_comments.values();
    let rows: Vec<Value> = here
        .filter(|comment| comment.repository == id && comment.number == number)
        .map(|comment| shape::review::line_comment(&state, &shared.urls, comment))
        .collect();
    let (rows, link) = page.cut(rows, &format!("{url}/comments"), query.as_deref());
    paged(rows, link.as_deref())
}

/// The repository of a pull request that the caller may see, and the pull request's address.
fn enter(
    shared: &Shared,
    state: &Tables,
    caller: &Caller,
    (owner, name, number): (&str, &str, u64),
) -> Result<(RepositoryId, String), Failure> {
    let record = caller.enter(state, owner, name, READ)?;
    if !state.pulls.contains_key(&(record.id, number)) {
        return Err(Failure::NotFound);
    }
    let name = state.full_name(record);
    let url = format!("{}/repos/{name}/pulls/{number}", shared.urls.api());
    Ok((record.id, url))
}
