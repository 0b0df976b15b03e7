//! Comments and reactions.

use serde_json::{Value, json};

use crate::clock::text;
use crate::config;
use crate::shape::{Urls, account, app, node_id};
use crate::state::State;
use crate::state::comment::{Comment, Content, Reaction, Subject};

/// GitHub's `issue-comment` or `commit-comment`, by what it is about.
pub(crate) fn comment(state: &State, urls: &Urls, app: &config::App, comment: &Comment) -> Value {
    let repository = state.repository(comment.repository);
    let full_name = state.full_name(repository);
    let author = state.account(comment.author);
    let api = format!("{}/repos/{full_name}", urls.api());
    let web = format!("{}/{full_name}", urls.web());
    let id = comment.id.number();
    let mut shape = json!({
        "id": id,
        "body": comment.body,
        "user": account::simple(urls, author),
        "created_at": text(comment.created_at),
        "updated_at": text(comment.updated_at),
        "author_association": account::association(state, repository, author),
    });
    let rest = match &comment.subject {
        Subject::Pull(number) => json!({
            "node_id": node_id("IC", id),
            "url": format!("{api}/issues/comments/{id}"),
            "html_url": format!("{web}/pull/{number}#issuecomment-{id}"),
            "issue_url": format!("{api}/issues/{number}"),
            "performed_via_github_app": if comment.author == state.bot {
                app::integration(state, urls, app)
            } else {
                Value::Null
            },
            "reactions": rollup(&format!("{api}/issues/comments/{id}/reactions"), comment),
        }),
        Subject::Commit {
            sha,
            path,
            position,
        } => json!({
            "node_id": node_id("CC", id),
            "url": format!("{api}/comments/{id}"),
            "html_url": format!("{web}/commit/{sha}#commitcomment-{id}"),
            "commit_id": sha,
            "path": path,
            "position": position,
            "line": position,
            "reactions": rollup(&format!("{api}/comments/{id}/reactions"), comment),
        }),
    };
    if let Value::Object(shape) = &mut shape {
        shape.extend(super::object(rest));
    }
    shape
}

/// GitHub's `reaction`.
pub(crate) fn reaction(state: &State, urls: &Urls, reaction: &Reaction) -> Value {
    json!({
        "id": reaction.id,
        "node_id": node_id("REA", reaction.id),
        "user": account::simple(urls, state.account(reaction.author)),
        "content": reaction.content,
        "created_at": text(reaction.created_at),
    })
}

fn rollup(url: &str, comment: &Comment) -> Value {
    let mut rollup = json!({ "url": url, "total_count": comment.reactions.len() });
    for content in Content::ALL {
        let count = comment
            .reactions
            .iter()
            .filter(|one| one.content == content)
            .count();
        rollup[content.word()] = json!(count);
    }
    rollup
}

/// The counts of a pull request's own reactions: the forge takes none.
pub(crate) fn no_reactions(url: &str) -> Value {
    let mut rollup = json!({ "url": url, "total_count": 0 });
    for content in Content::ALL {
        rollup[content.word()] = json!(0);
    }
    rollup
}
