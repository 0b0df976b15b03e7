//! Users, organisations and bots.

use serde_json::{Value, json};

use crate::clock::text;
use crate::shape::{Object, Urls, node_id, object};
use crate::state::State;
use crate::state::account::{Account, Kind};
use crate::state::repository::{Repository, Right, Role};

/// GitHub's `simple-user`.
pub(crate) fn simple(urls: &Urls, account: &Account) -> Object {
    let login = &account.login;
    let api = format!("{}/users/{}", urls.api(), login.in_url());
    let html = match account.kind {
        Kind::User | Kind::Organisation => format!("{}/{login}", urls.web()),
        Kind::Bot => format!(
            "{}/apps/{}",
            urls.web(),
            login.as_str().trim_end_matches("[bot]")
        ),
    };
    object(json!({
        "login": login,
        "id": account.id,
        "node_id": node_id("U", account.id),
        "avatar_url": format!("{}/avatars/u/{}", urls.web(), account.id),
        "gravatar_id": "",
        "url": api,
        "html_url": html,
        "followers_url": format!("{api}/followers"),
        "following_url": format!("{api}/following{{/other_user}}"),
        "gists_url": format!("{api}/gists{{/gist_id}}"),
        "starred_url": format!("{api}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{api}/subscriptions"),
        "organizations_url": format!("{api}/orgs"),
        "repos_url": format!("{api}/repos"),
        "events_url": format!("{api}/events{{/privacy}}"),
        "received_events_url": format!("{api}/received_events"),
        "type": account.kind.word(),
        "user_view_type": "public",
        "site_admin": false,
    }))
}

/// GitHub's `public-user`.
pub(crate) fn public(urls: &Urls, account: &Account) -> Value {
    let mut user = simple(urls, account);
    user.extend(object(json!({
        "name": account.login,
        "company": null,
        "blog": "",
        "location": null,
        "email": null,
        "hireable": null,
        "bio": null,
        "twitter_username": null,
        "public_repos": 0,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": text(account.created_at),
        "updated_at": text(account.created_at),
    })));
    Value::Object(user)
}

/// GitHub's `organization-simple-webhooks`.
pub(crate) fn organisation(urls: &Urls, account: &Account) -> Value {
    let api = format!("{}/orgs/{}", urls.api(), account.login);
    json!({
        "login": account.login,
        "id": account.id,
        "node_id": node_id("O", account.id),
        "url": api,
        "repos_url": format!("{api}/repos"),
        "events_url": format!("{api}/events"),
        "hooks_url": format!("{api}/hooks"),
        "issues_url": format!("{api}/issues"),
        "members_url": format!("{api}/members{{/member}}"),
        "public_members_url": format!("{api}/public_members{{/member}}"),
        "avatar_url": format!("{}/avatars/u/{}", urls.web(), account.id),
        "description": null,
    })
}

/// GitHub's `repository-collaborator-permission`.
pub(crate) fn permission(urls: &Urls, account: &Account, role: &Role) -> Value {
    let mut user = simple(urls, account);
    user.insert("permissions".to_owned(), rights(role));
    user.insert("role_name".to_owned(), json!(role.name()));
    json!({
        "permission": role.permission(),
        "role_name": role.name(),
        "user": user,
    })
}

/// The map of rights that GitHub calls `permissions`.
pub(crate) fn rights(role: &Role) -> Value {
    let right = role.right();
    json!({
        "admin": right >= Right::Admin,
        "maintain": right >= Right::Maintain,
        "push": right >= Right::Push,
        "triage": right >= Right::Triage,
        "pull": right >= Right::Pull,
    })
}

/// GitHub's `author_association`. It never tells a private member from a stranger who once
/// contributed, which is why nothing may be decided on it.
pub(crate) fn association(
    state: &State,
    repository: &Repository,
    account: &Account,
) -> &'static str {
    match state.given_role(repository, account.id).right() {
        Right::None => "NONE",
        Right::Pull | Right::Triage | Right::Push | Right::Maintain | Right::Admin => "CONTRIBUTOR",
    }
}
