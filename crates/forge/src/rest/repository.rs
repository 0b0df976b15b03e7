//! Repositories.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use serde_json::{Value, json};

use crate::forge::Shared;
use crate::rest::caller::Caller;
use crate::rest::input::Params;
use crate::rest::output::{Answer, ok, paged};
use crate::rest::page::Page;
use crate::shape;
use crate::state::access::{Level, Permission, Selection};

/// `GET /installation/repositories`
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Params(page): Params<Page>,
    RawQuery(query): RawQuery,
) -> Answer {
    let grant = caller.require_installation()?;
    let (rows, selection) = {
        let state = shared.lock();
        let rows: Vec<Value> = state
            .repositories
            .values()
            .filter(|repository| {
                state.installation_of(repository) == Some(grant.installation)
                    && grant.reaches(repository.id)
            })
            .map(|repository| shape::repository::brief(&state, &shared.urls, repository))
            .collect();
        let selection = match grant.repositories {
            Selection::All => shape::app::selection(&state, grant.installation),
            Selection::Some(_) => "selected",
        };
        (rows, selection)
    };
    let total = rows.len();
    let url = format!("{}/installation/repositories", shared.urls.api());
    let (rows, link) = page.cut(rows, &url, query.as_deref());
    let body = json!({
        "total_count": total,
        "repository_selection": selection,
        "repositories": rows,
    });
    paged(body, link.as_deref())
}

/// `GET /repos/{owner}/{repo}`
pub(crate) async fn show(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
) -> Answer {
    let state = shared.lock();
    let may_look = [(Permission::Metadata, Level::Read)];
    let record = caller.enter(&state, &owner, &name, &may_look)?;
    let viewer = caller.account(&state);
    ok(shape::repository::full(
        &state,
        &shared.urls,
        record,
        viewer,
    ))
}
