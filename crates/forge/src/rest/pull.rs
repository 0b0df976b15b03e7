//! Pull requests.

mod merge;
mod parts;
mod review;
mod write;

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use serde::Deserialize;
use serde_json::Value;

use crate::forge::Shared;
use crate::id::RepositoryId;
use crate::rest::caller::Caller;
use crate::rest::failure::Failure;
use crate::rest::input::Params;
use crate::rest::output::{Answer, ok, paged};
use crate::rest::page::Page;
use crate::shape;
use crate::state::State as Tables;
use crate::state::access::{Level, Permission};
use crate::state::pull::{Computed, PullRequest};
use crate::webhook::event;

pub(crate) use merge::merge;
pub(crate) use parts::{commits, files};
pub(crate) use review::{line_comments, reviews};
pub(crate) use write::{MAX_TITLE, create, update};

const READ: &[(Permission, Level)] = &[(Permission::PullRequests, Level::Read)];

/// Which pull requests are asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Filter {
    #[serde(default)]
    state: Wanted,
    /// `owner:branch`.
    head: Option<String>,
    base: Option<String>,
    direction: Option<Direction>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    #[default]
    Open,
    Closed,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Asc,
    Desc,
}

/// `GET /repos/{owner}/{repo}/pulls`
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Params(filter): Params<Filter>,
    Params(page): Params<Page>,
    RawQuery(query): RawQuery,
) -> Answer {
    let state = shared.lock();
    let repository = caller.enter(&state, &owner, &name, READ)?;
    let mut rows: Vec<Value> = state
        .pulls
        .values()
        .filter(|pull| pull.repository == repository.id && filter.takes(&state, pull))
        .map(|pull| Value::Object(shape::pull::simple(&state, &shared.urls, pull)))
        .collect();
    // Newest first, unless asked otherwise.
    if filter.direction != Some(Direction::Asc) {
        rows.reverse();
    }
    let url = format!(
        "{}/repos/{}/pulls",
        shared.urls.api(),
        state.full_name(repository)
    );
    let (rows, link) = page.cut(rows, &url, query.as_deref());
    paged(rows, link.as_deref())
}

impl Filter {
    fn takes(&self, state: &Tables, pull: &PullRequest) -> bool {
        let wanted = match self.state {
            Wanted::Open => pull.is_open(),
            Wanted::Closed => !pull.is_open(),
            Wanted::All => true,
        };
        let owner = state.account(state.repository(pull.head.repository).owner);
        let head = format!("{}:{}", owner.login, pull.head.branch);
        wanted
            && self.head.as_ref().is_none_or(|asked| *asked == head)
            && self
                .base
                .as_ref()
                .is_none_or(|asked| asked == pull.base.branch.as_str())
    }
}

/// `GET /repos/{owner}/{repo}/pulls/{pull_number}`
pub(crate) async fn show(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, number)): Path<(String, String, u64)>,
) -> Answer {
    let id = {
        let state = shared.lock();
        caller.enter(&state, &owner, &name, READ)?.id
    };
    let shown = answer(&shared, id, number).await?;
    compute(&mut shared.lock(), id, number);
    ok(shown)
}

/// GitHub begins to find out whether a pull request merges once somebody looks at it.
fn compute(state: &mut Tables, id: RepositoryId, number: u64) {
    let pull = state.pulls.get(&(id, number));
    if pull.is_none_or(|pull| pull.computed == Computed::Done) {
        return;
    }
    if let Some(pull) = state.pulls.get_mut(&(id, number)) {
        pull.computed = Computed::Done;
    }
}

/// GitHub's `pull-request` of one that the caller may see.
async fn answer(shared: &Shared, id: RepositoryId, number: u64) -> Result<Value, Failure> {
    let distance = event::distance(shared, id, number).await?;
    let state = shared.lock();
    let pull = state.pulls.get(&(id, number)).ok_or(Failure::NotFound)?;
    Ok(shape::pull::full(&state, &shared.urls, pull, distance))
}
