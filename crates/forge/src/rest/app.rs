//! The App, its installations and their tokens.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, State};
use jiff::SignedDuration;
use serde::Deserialize;

use crate::forge::Shared;
use crate::id::{InstallationId, RepositoryId};
use crate::rest::caller::Caller;
use crate::rest::failure::Failure;
use crate::rest::input::Input;
use crate::rest::output::{Answer, created, ok};
use crate::rights::SUSPENDED;
use crate::shape;
use crate::state::State as Tables;
use crate::state::access::{Grant, Level, Permission, Permissions, Selection};

/// As long as an installation token lives.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// `GET /orgs/{org}/installation`
pub(crate) async fn organisation_installation(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(login): Path<String>,
) -> Answer {
    caller.require_app()?;
    let state = shared.lock();
    let account = state.find_account(&login).ok_or(Failure::NotFound)?.id;
    let id = state.installation_on(account).ok_or(Failure::NotFound)?;
    installation(&shared, &state, id)
}

fn installation(shared: &Shared, state: &Tables, id: InstallationId) -> Answer {
    let shape = shape::app::installation(state, &shared.urls, &shared.app, id);
    ok(shape.ok_or(Failure::NotFound)?)
}

/// What a token is asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Scope {
    #[serde(default)]
    repositories: Option<Vec<String>>,
    #[serde(default)]
    repository_ids: Option<Vec<u64>>,
    #[serde(default)]
    permissions: Option<Permissions>,
}

/// `POST /app/installations/{id}/access_tokens`
pub(crate) async fn mint(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(id): Path<InstallationId>,
    Input(scope): Input<Scope>,
) -> Answer {
    caller.require_app()?;
    let now = shared.clock.now();
    let mut state = shared.lock();
    if !state.installations.contains_key(&id) {
        return Err(Failure::NotFound);
    }
    if state.suspensions.contains_key(&id) {
        return Err(Failure::Forbidden(SUSPENDED));
    }
    let grant = Grant {
        installation: id,
        repositories: select(&state, id, &scope)?,
        permissions: narrow(&shared.app.permissions, scope.permissions)?,
        expires_at: now + TOKEN_LIFE,
    };
    let token = state.tokens.mint(grant.clone(), now);
    created(shape::app::token(&state, &shared.urls, &token, &grant))
}

fn select(state: &Tables, id: InstallationId, scope: &Scope) -> Result<Selection, Failure> {
    if scope.repositories.is_none() && scope.repository_ids.is_none() {
        return Ok(Selection::All);
    }
    let installed: Vec<_> = state
        .repositories
        .values()
        .filter(|repository| state.installation_of(repository) == Some(id))
        .collect();
    let missing = || {
        Failure::invalid(
            "There is at least one repository that does not exist or is not accessible to the \
             parent installation.",
        )
    };
    let mut selected = BTreeSet::<RepositoryId>::new();
    for name in scope.repositories.iter().flatten() {
        let found = installed
            .iter()
            .find(|repository| repository.name.as_str().eq_ignore_ascii_case(name));
        selected.insert(found.ok_or_else(missing)?.id);
    }
    for number in scope.repository_ids.iter().flatten() {
        let found = installed
            .iter()
            .find(|repository| repository.id.number() == *number);
        selected.insert(found.ok_or_else(missing)?.id);
    }
    Ok(Selection::Some(selected))
}

fn narrow(granted: &Permissions, wanted: Option<Permissions>) -> Result<Permissions, Failure> {
    let Some(mut wanted) = wanted else {
        return Ok(granted.clone());
    };
    for (permission, level) in &wanted {
        if granted
            .get(permission)
            .is_none_or(|granted| granted < level)
        {
            return Err(Failure::invalid(
                "The permissions requested are not granted to this installation.",
            ));
        }
    }
    // Whoever may do anything may look at the repository itself.
    wanted.entry(Permission::Metadata).or_insert(Level::Read);
    Ok(wanted)
}
