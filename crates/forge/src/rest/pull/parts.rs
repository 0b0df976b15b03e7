//! What a pull request brings: its commits and its files.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use serde_json::Value;

use super::READ;
use crate::forge::{Shared, blocking};
use crate::git::{diff, history};
use crate::name::Sha;
use crate::rest::caller::Caller;
use crate::rest::failure::Failure;
use crate::rest::input::Params;
use crate::rest::output::{Answer, paged};
use crate::rest::page::Page;
use crate::shape;

/// A pull request that the caller may see.
struct Entered {
    name: String,
    path: PathBuf,
    base: Sha,
    head: Sha,
}

fn enter(
    shared: &Shared,
    caller: &Caller,
    (owner, name, number): (&str, &str, u64),
) -> Result<Entered, Failure> {
    let state = shared.lock();
    let record = caller.enter(&state, owner, name, READ)?;
    let pull = state
        .pulls
        .get(&(record.id, number))
        .ok_or(Failure::NotFound)?;
    Ok(Entered {
        name: state.full_name(record).to_string(),
        path: record.path.clone(),
        base: pull.base.tip().clone(),
        head: pull.head.sha.clone(),
    })
}

/// `GET /repos/{owner}/{repo}/pulls/{pull_number}/commits`
pub(crate) async fn commits(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, number)): Path<(String, String, u64)>,
    Params(page): Params<Page>,
    RawQuery(query): RawQuery,
) -> Answer {
    let entered = enter(&shared, &caller, (&owner, &name, number))?;
    let (path, base, head) = (entered.path, entered.base, entered.head);
    let stretch = blocking(move || history::between(&path, &base, &head)).await?;
    let rows: Vec<Value> = stretch
        .commits
        .iter()
        .map(|commit| {
            let comments = shared.comments_on(&commit.sha);
            shape::commit::listed(&shared.urls, &entered.name, commit, comments)
        })
        .collect();
    let url = format!(
        "{}/repos/{}/pulls/{number}/commits",
        shared.urls.api(),
        entered.name
    );
    let (rows, link) = page.cut(rows, &url, query.as_deref());
    paged(rows, link.as_deref())
}

/// `GET /repos/{owner}/{repo}/pulls/{pull_number}/files`
pub(crate) async fn files(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, number)): Path<(String, String, u64)>,
    Params(page): Params<Page>,
    RawQuery(query): RawQuery,
) -> Answer {
    let entered = enter(&shared, &caller, (&owner, &name, number))?;
    let (path, base, head) = (entered.path, entered.base, entered.head.clone());
    let difference = blocking(move || diff::of_pull(&path, &base, &head)).await?;
    let rows: Vec<Value> = difference
        .files
        .iter()
        .map(|file| shape::commit::changed(&shared.urls, &entered.name, &entered.head, file))
        .collect();
    let url = format!(
        "{}/repos/{}/pulls/{number}/files",
        shared.urls.api(),
        entered.name
    );
    let (rows, link) = page.cut(rows, &url, query.as_deref());
    paged(rows, link.as_deref())
}
