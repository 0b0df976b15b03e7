//! Reviews and their comments.

use serde_json::{Value, json};

use crate::clock::text;
use crate::shape::{Object, Urls, account, comment, node_id, object};
use crate::state::State;
use crate::state::review::{Review, ReviewComment};

/// The links that a review and its comments have in common.
struct Links {
    html: String,
    pull: String,
}

fn links(state: &State, urls: &Urls, review: &Review) -> Links {
    let full_name = state.full_name(state.repository(review.repository));
    let number = review.number;
    Links {
        html: format!("{}/{full_name}/pull/{number}", urls.web()),
        pull: format!("{}/repos/{full_name}/pulls/{number}", urls.api()),
    }
}

/// GitHub's `pull-request-review`.
pub(crate) fn listed(state: &State, urls: &Urls, review: &Review) -> Value {
    let mut shape = base(state, urls, review);
    let word = review.verdict.word().to_ascii_uppercase();
    shape.insert("state".to_owned(), json!(word));
    shape.insert("body".to_owned(), json!(review.body));
    Value::Object(shape)
}

/// The `review` of an event, which has the state in lower case and null for a text that is not there.
pub(crate) fn in_event(state: &State, urls: &Urls, review: &Review) -> Value {
    let mut shape = base(state, urls, review);
    let body = Some(&review.body).filter(|body| !body.is_empty());
    shape.extend(object(json!({
        "state": review.verdict.word(),
        "body": body,
        "updated_at": text(review.submitted_at),
    })));
    Value::Object(shape)
}

fn base(state: &State, urls: &Urls, review: &Review) -> Object {
    let author = state.account(review.author);
    let repository = state.repository(review.repository);
    let links = links(state, urls, review);
    let html = format!("{}#pullrequestreview-{}", links.html, review.id);
    object(json!({
        "id": review.id,
        "node_id": node_id("PRR", review.id),
        "user": account::simple(urls, author),
        "html_url": html,
        "pull_request_url": links.pull,
        "_links": {
            "html": { "href": html },
            "pull_request": { "href": links.pull },
        },
        "submitted_at": text(review.submitted_at),
        "commit_id": review.commit,
        "author_association": account::association(state, repository, author),
    }))
}

/// GitHub's `pull-request-review-comment`.
pub(crate) fn line_comment(state: &State, urls: &Urls, comment: &ReviewComment) -> Value {
    let author = state.account(comment.author);
    let repository = state.repository(comment.repository);
    let full_name = state.full_name(repository);
    let (id, number, place) = (comment.id, comment.number, &comment.place);
    let api = format!("{}/repos/{full_name}/pulls", urls.api());
    let url = format!("{api}/comments/{id}");
    let html = format!("{}/{full_name}/pull/{number}#discussion_r{id}", urls.web());
    json!({
        "id": id,
        "node_id": node_id("PRRC", id),
        "pull_request_review_id": comment.review,
        "url": url,
        "html_url": html,
        "pull_request_url": format!("{api}/{number}"),
        "_links": {
            "self": { "href": url },
            "html": { "href": html },
            "pull_request": { "href": format!("{api}/{number}") },
        },
        "user": account::simple(urls, author),
        "author_association": account::association(state, repository, author),
        "body": comment.body,
        "path": place.path,
        "diff_hunk": place.hunk,
        "commit_id": comment.commit,
        "original_commit_id": comment.commit,
        "line": place.line,
        "original_line": place.line,
        "start_line": null,
        "original_start_line": null,
        "position": place.position,
        "original_position": place.position,
        "side": "RIGHT",
        "start_side": null,
        "subject_type": "line",
        "created_at": text(comment.created_at),
        "updated_at": text(comment.created_at),
        "reactions": comment::no_reactions(&format!("{url}/reactions")),
    })
}
