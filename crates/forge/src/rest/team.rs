//! Teams of organisations.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use serde_json::{Value, json};

use crate::forge::Shared;
use crate::rest::caller::Caller;
use crate::rest::failure::Failure;
use crate::rest::input::Params;
use crate::rest::output::{Answer, ok, paged};
use crate::rest::page::Page;
use crate::shape;
use crate::state::State as Tables;
use crate::state::access::{Level, Permission};
use crate::state::team::Team;

/// A team that the caller may see.
fn enter<'state>(
    state: &'state Tables,
    caller: &Caller,
    (org, slug): (&str, &str),
) -> Result<&'state Team, Failure> {
    let needed = (Permission::Members, Level::Read);
    let organisation = caller.enter_organisation(state, org, needed)?;
    let key = (organisation, slug.to_owned());
    state.teams.get(&key).ok_or(Failure::NotFound)
}

/// `GET /orgs/{org}/teams/{team_slug}/members`
pub(crate) async fn members(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((org, slug)): Path<(String, String)>,
    Params(page): Params<Page>,
    RawQuery(query): RawQuery,
) -> Answer {
    let state = shared.lock();
    let team = enter(&state, &caller, (&org, &slug))?;
    let members = team.members.iter();
    let rows: Vec<_> = members
        .map(|member| Value::Object(shape::account::simple(&shared.urls, state.account(*member))))
        .collect();
    let url = format!("{}/orgs/{org}/teams/{slug}/members", shared.urls.api());
    let (rows, link) = page.cut(rows, &url, query.as_deref());
    paged(rows, link.as_deref())
}

/// `GET /orgs/{org}/teams/{team_slug}/memberships/{username}`
pub(crate) async fn membership(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((org, slug, login)): Path<(String, String, String)>,
) -> Answer {
    let state = shared.lock();
    let team = enter(&state, &caller, (&org, &slug))?;
    let account = state.find_account(&login).ok_or(Failure::NotFound)?;
    if !team.members.contains(&account.id) {
        return Err(Failure::NotFound);
    }
    let (api, login) = (shared.urls.api(), &account.login);
    ok(json!({
        "url": format!("{api}/orgs/{org}/teams/{slug}/memberships/{login}"),
        "role": "member",
        "state": "active",
    }))
}
