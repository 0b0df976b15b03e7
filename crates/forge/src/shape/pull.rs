//! Pull requests.

use serde_json::{Value, json};

use crate::clock::text;
use crate::git::merge::Distance;
use crate::id::RepositoryId;
use crate::name::Sha;
use crate::obstacle::{self, Obstacle};
use crate::shape::{Object, Urls, account, comment, node_id, object, repository};
use crate::state::State;
use crate::state::comment::Subject;
use crate::state::pull::{Computed, Mergeability, PullRequest, State as PullState};

/// GitHub's `pull-request-simple`.
pub(crate) fn simple(state: &State, urls: &Urls, pull: &PullRequest) -> Object {
    let repository = state.repository(pull.repository);
    let author = state.account(pull.author);
    let full_name = state.full_name(repository);
    let mut shape = links(urls, &full_name.to_string(), pull);
    shape.extend(object(json!({
        "id": pull.id,
        "node_id": node_id("PR", pull.id),
        "number": pull.number,
        "state": if pull.is_open() { "open" } else { "closed" },
        "locked": false,
        "title": pull.title,
        "user": account::simple(urls, author),
        "body": pull.body,
        "labels": [],
        "milestone": null,
        "active_lock_reason": null,
        "created_at": text(pull.created_at),
        "updated_at": text(pull.updated_at),
        "closed_at": closed_at(pull),
        "merged_at": merged_at(pull),
        "merge_commit_sha": merge_commit(pull),
        "assignee": null,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "head": side(
            state, urls, pull.head.repository, pull.head.branch.as_str(), pull.head.sha.as_str(),
        ),
        "base": side(
            state, urls, pull.repository, pull.base.branch.as_str(), pull.base.sha.as_str(),
        ),
        "author_association": account::association(state, repository, author),
        "auto_merge": null,
        "draft": pull.draft,
    })));
    shape
}

/// GitHub's `pull-request`.
pub(crate) fn full(state: &State, urls: &Urls, pull: &PullRequest, distance: Distance) -> Value {
    let mut shape = simple(state, urls, pull);
    let subject = Subject::Pull(pull.number);
    let comments = state
        .comments
        .values()
        .filter(|comment| comment.repository == pull.repository && comment.subject == subject)
        .count();
    let review_comments = state
        .review_comments
        .values()
        .filter(|one| one.repository == pull.repository && one.number == pull.number)
        .count();
    let (mergeable, mergeable_state) = merge_state(state, pull);
    let (merged, merged_by) = match &pull.state {
        PullState::Merged { by, .. } => (
            true,
            Value::Object(account::simple(urls, state.account(*by))),
        ),
        PullState::Open | PullState::Closed { .. } => (false, Value::Null),
    };
    shape.extend(object(json!({
        "merged": merged,
        "mergeable": mergeable,
        "rebaseable": null,
        "mergeable_state": mergeable_state,
        "merged_by": merged_by,
        "comments": comments,
        "review_comments": review_comments,
        "maintainer_can_modify": false,
        "commits": distance.commits,
        "additions": distance.additions,
        "deletions": distance.deletions,
        "changed_files": distance.files,
    })));
    Value::Object(shape)
}

/// GitHub's `pull-request-minimal`, as check runs list it.
pub(crate) fn minimal(state: &State, urls: &Urls, pull: &PullRequest) -> Value {
    let api = |id: RepositoryId| {
        let full_name = state.full_name(state.repository(id));
        format!("{}/repos/{full_name}", urls.api())
    };
    let side = |id: RepositoryId, branch: &str, sha: &str| {
        json!({
            "ref": branch,
            "sha": sha,
            "repo": { "id": id, "url": api(id), "name": state.repository(id).name },
        })
    };
    json!({
        "id": pull.id,
        "number": pull.number,
        "url": format!("{}/pulls/{}", api(pull.repository), pull.number),
        "head": side(pull.head.repository, pull.head.branch.as_str(), pull.head.sha.as_str()),
        "base": side(pull.repository, pull.base.branch.as_str(), pull.base.sha.as_str()),
    })
}

/// The issue behind a pull request, as an `issue_comment` event carries it.
pub(crate) fn issue(state: &State, urls: &Urls, pull: &PullRequest) -> Value {
    let repository = state.repository(pull.repository);
    let full_name = state.full_name(repository);
    let author = state.account(pull.author);
    let number = pull.number;
    let api = format!("{}/repos/{full_name}", urls.api());
    let url = format!("{api}/issues/{number}");
    let html = format!("{}/{full_name}/pull/{number}", urls.web());
    let subject = Subject::Pull(number);
    let comments = state
        .comments
        .values()
        .filter(|comment| comment.repository == pull.repository && comment.subject == subject)
        .count();
    json!({
        "url": url,
        "repository_url": api,
        "labels_url": format!("{url}/labels{{/name}}"),
        "comments_url": format!("{url}/comments"),
        "events_url": format!("{url}/events"),
        "timeline_url": format!("{url}/timeline"),
        "html_url": html,
        "id": pull.id,
        "node_id": node_id("PR", pull.id),
        "number": number,
        "title": pull.title,
        "user": account::simple(urls, author),
        "labels": [],
        "state": if pull.is_open() { "open" } else { "closed" },
        "locked": false,
        "assignee": null,
        "assignees": [],
        "milestone": null,
        "comments": comments,
        "created_at": text(pull.created_at),
        "updated_at": text(pull.updated_at),
        "closed_at": closed_at(pull),
        "author_association": account::association(state, repository, author),
        "active_lock_reason": null,
        "draft": pull.draft,
        "pull_request": {
            "url": format!("{api}/pulls/{number}"),
            "html_url": html,
            "diff_url": format!("{html}.diff"),
            "patch_url": format!("{html}.patch"),
            "merged_at": merged_at(pull),
        },
        "body": pull.body,
        "reactions": comment::no_reactions(&format!("{url}/reactions")),
        "performed_via_github_app": null,
        "state_reason": null,
    })
}

/// GitHub's `mergeable` and `mergeable_state`.
fn merge_state(state: &State, pull: &PullRequest) -> (Option<bool>, &'static str) {
    match (&pull.state, pull.computed, &pull.mergeable) {
        (PullState::Merged { .. }, _, _) | (_, Computed::NotYet, _) => (None, "unknown"),
        (_, Computed::Done, Mergeability::Conflicting) => (Some(false), "dirty"),
        (_, Computed::Done, Mergeability::Clean(_)) => {
            let word = match obstacle::find(state, pull) {
                None => "clean",
                Some(Obstacle::Draft) => "draft",
                Some(Obstacle::Check { .. } | Obstacle::Queue) => "blocked",
            };
            (Some(true), word)
        }
    }
}

fn links(urls: &Urls, full_name: &str, pull: &PullRequest) -> Object {
    let number = pull.number;
    let api = format!("{}/repos/{full_name}", urls.api());
    let url = format!("{api}/pulls/{number}");
    let html = format!("{}/{full_name}/pull/{number}", urls.web());
    let issue = format!("{api}/issues/{number}");
    let statuses = format!("{api}/statuses/{}", pull.head.sha);
    let link = |href: &str| json!({ "href": href });
    object(json!({
        "url": url,
        "html_url": html,
        "diff_url": format!("{html}.diff"),
        "patch_url": format!("{html}.patch"),
        "issue_url": issue,
        "commits_url": format!("{url}/commits"),
        "review_comments_url": format!("{url}/comments"),
        "review_comment_url": format!("{api}/pulls/comments{{/number}}"),
        "comments_url": format!("{issue}/comments"),
        "statuses_url": statuses,
        "_links": {
            "self": link(&url),
            "html": link(&html),
            "issue": link(&issue),
            "comments": link(&format!("{issue}/comments")),
            "review_comments": link(&format!("{url}/comments")),
            "review_comment": link(&format!("{api}/pulls/comments{{/number}}")),
            "commits": link(&format!("{url}/commits")),
            "statuses": link(&statuses),
        },
    }))
}

fn side(state: &State, urls: &Urls, id: RepositoryId, branch: &str, sha: &str) -> Value {
    let repository = state.repository(id);
    let owner = state.account(repository.owner);
    json!({
        "label": format!("{}:{branch}", owner.login),
        "ref": branch,
        "sha": sha,
        "user": account::simple(urls, owner),
        "repo": repository::brief(state, urls, repository),
    })
}

fn closed_at(pull: &PullRequest) -> Option<String> {
    match &pull.state {
        PullState::Open => None,
        PullState::Closed { at } | PullState::Merged { at, .. } => Some(text(*at)),
    }
}

fn merged_at(pull: &PullRequest) -> Option<String> {
    match &pull.state {
        PullState::Open | PullState::Closed { .. } => None,
        PullState::Merged { at, .. } => Some(text(*at)),
    }
}

/// GitHub's `merge_commit_sha`: the merge that would be made while it is known, and what the base
/// pointed to once it was.
fn merge_commit(pull: &PullRequest) -> Option<&Sha> {
    match (&pull.state, pull.computed, &pull.mergeable) {
        (PullState::Merged { commit, .. }, _, _)
        | (_, Computed::Done, Mergeability::Clean(commit)) => Some(commit),
        (_, Computed::NotYet, _) | (_, _, Mergeability::Conflicting) => None,
    }
}
