//! Refs of git.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde_json::Value;

use crate::forge::{Shared, blocking};
use crate::git::refs;
use crate::rest::caller::Caller;
use crate::rest::output::{Answer, ok};
use crate::shape;
use crate::state::access::{Level, Permission};

const READ: &[(Permission, Level)] = &[(Permission::Contents, Level::Read)];

/// `GET /repos/{owner}/{repo}/git/matching-refs/{ref}`
pub(crate) async fn matching(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, beginning)): Path<(String, String, String)>,
) -> Answer {
    let (name, path) = {
        let state = shared.lock();
        let repository = caller.enter(&state, &owner, &name, READ)?;
        let name = state.full_name(repository).to_string();
        (name, repository.path.clone())
    };
    let beginning = format!("refs/{beginning}");
    let found = blocking(move || refs::matching(&path, &beginning)).await?;
    let rows: Vec<Value> = found
        .iter()
        .map(|reference| shape::reference::full(&shared.urls, &name, reference))
        .collect();
    ok(rows)
}
