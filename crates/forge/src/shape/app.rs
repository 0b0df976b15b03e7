//! The App, its installations and their tokens.

use serde_json::{Value, json};

use crate::clock::text;
use crate::config;
use crate::id::InstallationId;
use crate::shape::{Urls, account, node_id, repository};
use crate::state::State;
use crate::state::access::{Grant, Selection};
use crate::state::account::Kind;

/// GitHub's `integration`.
pub(crate) fn integration(state: &State, urls: &Urls, app: &config::App) -> Value {
    let owner = state
        .accounts
        .values()
        .find(|account| account.kind == Kind::Organisation)
        .unwrap_or_else(|| state.account(state.bot));
    json!({
        "id": app.id,
        "slug": app.slug,
        "node_id": node_id("A", app.id),
        "client_id": app.client_id,
        "owner": account::simple(urls, owner),
        "name": app.name,
        "description": null,
        "external_url": format!("{}/apps/{}", urls.web(), app.slug),
        "html_url": format!("{}/apps/{}", urls.web(), app.slug),
        "created_at": text(state.started_at),
        "updated_at": text(state.started_at),
        "permissions": app.permissions,
        "events": app.events,
    })
}

/// GitHub's `installation`.
pub(crate) fn installation(
    state: &State,
    urls: &Urls,
    app: &config::App,
    id: InstallationId,
) -> Option<Value> {
    let target = state.account(*state.installations.get(&id)?);
    let suspension = state.suspensions.get(&id);
    let suspended_by = suspension.map(|it| account::simple(urls, state.account(it.by)));
    let api = urls.api();
    Some(json!({
        "id": id,
        "account": account::simple(urls, target),
        "repository_selection": state.selection(target.id),
        "access_tokens_url": format!("{api}/app/installations/{id}/access_tokens"),
        "repositories_url": format!("{api}/installation/repositories"),
        "html_url": format!(
            "{}/organizations/{}/settings/installations/{id}", urls.web(), target.login,
        ),
        "app_id": app.id,
        "client_id": app.client_id,
        "app_slug": app.slug,
        "target_id": target.id,
        "target_type": target.kind.word(),
        "permissions": app.permissions,
        "events": app.events,
        "created_at": text(target.created_at),
        "updated_at": text(target.created_at),
        "single_file_name": null,
        "has_multiple_single_files": false,
        "single_file_paths": [],
        "suspended_by": suspended_by,
        "suspended_at": suspension.map(|it| text(it.at)),
    }))
}

/// GitHub's `repository_selection` of a token for all that the installation has.
pub(crate) fn selection(state: &State, installation: InstallationId) -> &'static str {
    let account = state.installations.get(&installation);
    account.map_or("all", |account| state.selection(*account))
}

/// GitHub's `installation-token`.
pub(crate) fn token(state: &State, urls: &Urls, token: &str, grant: &Grant) -> Value {
    let mut answer = json!({
        "token": token,
        "expires_at": text(grant.expires_at),
        "permissions": grant.permissions,
        "repository_selection": match grant.repositories {
            Selection::All => selection(state, grant.installation),
            Selection::Some(_) => "selected",
        },
    });
    if let Selection::Some(repositories) = &grant.repositories {
        answer["repositories"] = repositories
            .iter()
            .map(|id| repository::brief(state, urls, state.repository(*id)))
            .collect();
    }
    answer
}
