//! Repositories.

use serde_json::{Value, json};

use crate::clock::text;
use crate::id::AccountId;
use crate::shape::{Object, Urls, account, node_id, object};
use crate::state::State;
use crate::state::account::Kind;
use crate::state::repository::{Repository, Visibility};

/// GitHub's `repository`.
pub(crate) fn brief(state: &State, urls: &Urls, repository: &Repository) -> Value {
    Value::Object(base(state, urls, repository))
}

/// The few fields by which the events of installations name a repository.
pub(crate) fn mention(state: &State, repository: &Repository) -> Value {
    json!({
        "id": repository.id,
        "node_id": node_id("R", repository.id),
        "name": repository.name,
        "full_name": state.full_name(repository).to_string(),
        "private": repository.visibility == Visibility::Private,
    })
}

/// GitHub's `full-repository`, as one account sees it.
pub(crate) fn full(
    state: &State,
    urls: &Urls,
    repository: &Repository,
    viewer: AccountId,
) -> Value {
    let mut shape = base(state, urls, repository);
    let owner = state.account(repository.owner);
    shape.extend(object(json!({
        "permissions": account::rights(&state.role(repository, viewer)),
        "network_count": 0,
        "subscribers_count": 0,
    })));
    if owner.kind == Kind::Organisation {
        let organisation = account::simple(urls, owner);
        shape.insert("organization".to_owned(), Value::Object(organisation));
    }
    if let Some(parent) = repository.parent {
        let parent = brief(state, urls, state.repository(parent));
        shape.insert("source".to_owned(), parent.clone());
        shape.insert("parent".to_owned(), parent);
    }
    Value::Object(shape)
}

/// The `repository` of a push event, whose times are seconds and whose owner has a name.
pub(crate) fn pushed(state: &State, urls: &Urls, repository: &Repository) -> Value {
    let mut shape = base(state, urls, repository);
    let owner = state.account(repository.owner);
    let mut owner_shape = account::simple(urls, owner);
    owner_shape.insert("name".to_owned(), json!(owner.login));
    owner_shape.insert("email".to_owned(), Value::Null);
    shape.extend(object(json!({
        "owner": owner_shape,
        "created_at": repository.created_at.as_second(),
        "pushed_at": repository.pushed_at.as_second(),
        "stargazers": 0,
        "master_branch": repository.default_branch,
    })));
    if owner.kind == Kind::Organisation {
        shape.insert("organization".to_owned(), json!(owner.login));
    }
    Value::Object(shape)
}

fn base(state: &State, urls: &Urls, repository: &Repository) -> Object {
    let owner = state.account(repository.owner);
    let full_name = state.full_name(repository);
    let mut shape = links(urls, &full_name.to_string());
    let open = state
        .pulls
        .values()
        .filter(|pull| pull.repository == repository.id && pull.is_open())
        .count();
    let forks = state
        .standing_repositories()
        .filter(|other| other.parent == Some(repository.id))
        .count();
    shape.extend(object(json!({
        "id": repository.id,
        "node_id": node_id("R", repository.id),
        "name": repository.name,
        "full_name": full_name.to_string(),
        "private": repository.visibility == Visibility::Private,
        "visibility": repository.visibility.word(),
        "owner": account::simple(urls, owner),
        "description": null,
        "fork": repository.parent.is_some(),
        "created_at": text(repository.created_at),
        "updated_at": text(repository.pushed_at),
        "pushed_at": text(repository.pushed_at),
        "homepage": null,
        "size": 0,
        "stargazers_count": 0,
        "watchers_count": 0,
        "language": null,
        "has_issues": true,
        "has_projects": false,
        "has_downloads": false,
        "has_wiki": false,
        "has_pages": false,
        "has_discussions": false,
        "forks_count": forks,
        "mirror_url": null,
        "archived": repository.is_archived(),
        "disabled": false,
        "open_issues_count": open,
        "license": null,
        "allow_forking": true,
        "is_template": false,
        "web_commit_signoff_required": false,
        "topics": [],
        "forks": forks,
        "open_issues": open,
        "watchers": 0,
        "default_branch": repository.default_branch,
    })));
    shape
}

fn links(urls: &Urls, full_name: &str) -> Object {
    let web = format!("{}/{full_name}", urls.web());
    let host = urls
        .web()
        .split_once("://")
        .map_or(urls.web(), |(_, host)| host);
    let api = format!("{}/repos/{full_name}", urls.api());
    let mut links = object(json!({
        "html_url": web,
        "url": api,
        "clone_url": format!("{web}.git"),
        "svn_url": web,
        "git_url": format!("git://{host}/{full_name}.git"),
        "ssh_url": format!("ssh://git@{host}/{full_name}.git"),
    }));
    for (name, tail) in LINKS {
        links.insert((*name).to_owned(), json!(format!("{api}/{tail}")));
    }
    links
}

/// The links of a repository below its API address, as URI templates.
const LINKS: &[(&str, &str)] = &[
    ("archive_url", "{archive_format}{/ref}"),
    ("assignees_url", "assignees{/user}"),
    ("blobs_url", "git/blobs{/sha}"),
    ("branches_url", "branches{/branch}"),
    ("collaborators_url", "collaborators{/collaborator}"),
    ("comments_url", "comments{/number}"),
    ("commits_url", "commits{/sha}"),
    ("compare_url", "compare/{base}...{head}"),
    ("contents_url", "contents/{+path}"),
    ("contributors_url", "contributors"),
    ("deployments_url", "deployments"),
    ("downloads_url", "downloads"),
    ("events_url", "events"),
    ("forks_url", "forks"),
    ("git_commits_url", "git/commits{/sha}"),
    ("git_refs_url", "git/refs{/sha}"),
    ("git_tags_url", "git/tags{/sha}"),
    ("hooks_url", "hooks"),
    ("issue_comment_url", "issues/comments{/number}"),
    ("issue_events_url", "issues/events{/number}"),
    ("issues_url", "issues{/number}"),
    ("keys_url", "keys{/key_id}"),
    ("labels_url", "labels{/name}"),
    ("languages_url", "languages"),
    ("merges_url", "merges"),
    ("milestones_url", "milestones{/number}"),
    (
        "notifications_url",
        "notifications{?since,all,participating}",
    ),
    ("pulls_url", "pulls{/number}"),
    ("releases_url", "releases{/id}"),
    ("stargazers_url", "stargazers"),
    ("statuses_url", "statuses/{sha}"),
    ("subscribers_url", "subscribers"),
    ("subscription_url", "subscription"),
    ("tags_url", "tags"),
    ("teams_url", "teams"),
    ("trees_url", "git/trees{/sha}"),
];
