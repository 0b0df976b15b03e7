//! Reactions to comments.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use serde::Deserialize;
use serde_json::Value;

use crate::forge::Shared;
use crate::id::{CommentId, ReactionId};
use crate::rest::caller::Caller;
use crate::rest::comment::{COMMIT, Kind, READ, WRITE, find};
use crate::rest::input::{Input, Params};
use crate::rest::output::{Answer, created, ok, paged};
use crate::rest::page::Page;
use crate::shape;
use crate::state::access::{Level, Permission};
use crate::state::comment::{Content, Reaction};

/// A reaction.
#[derive(Debug, Deserialize)]
pub(crate) struct Emotion {
    content: Content,
}

/// `POST /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions`
pub(crate) async fn on_pull(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, id)): Path<(String, String, CommentId)>,
    Input(emotion): Input<Emotion>,
) -> Answer {
    react(
        &shared,
        &caller,
        (&owner, &name, id),
        WRITE,
        Kind::Pull,
        emotion.content,
    )
}

/// `POST /repos/{owner}/{repo}/comments/{comment_id}/reactions`
pub(crate) async fn on_commit(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, id)): Path<(String, String, CommentId)>,
    Input(emotion): Input<Emotion>,
) -> Answer {
    react(
        &shared,
        &caller,
        (&owner, &name, id),
        COMMIT,
        Kind::Commit,
        emotion.content,
    )
}

fn react(
    shared: &Shared,
    caller: &Caller,
    (owner, name, id): (&str, &str, CommentId),
    needs: &[(Permission, Level)],
    kind: Kind,
    content: Content,
) -> Answer {
    let mut state = shared.lock();
    let repository = caller.enter(&state, owner, name, needs)?.id;
    let author = caller.account(&state);
    let reaction = Reaction {
        id: ReactionId::new(state.next_id()),
        author,
        content,
        created_at: shared.clock.now(),
    };
    let comment = find(&mut state, repository, id, kind)?;
    let same = |other: &&Reaction| other.author == author && other.content == content;
    if let Some(known) = comment.reactions.iter().find(same).cloned() {
        return ok(shape::comment::reaction(&state, &shared.urls, &known));
    }
    comment.reactions.push(reaction.clone());
    shared.changed();
    created(shape::comment::reaction(&state, &shared.urls, &reaction))
}

/// `GET /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions`
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, id)): Path<(String, String, CommentId)>,
    Params(page): Params<Page>,
    RawQuery(query): RawQuery,
) -> Answer {
    let mut state = shared.lock();
    let repository = caller.enter(&state, &owner, &name, READ)?.id;
    let comment = find(&mut state, repository, id, Kind::Pull)?.clone();
    let rows: Vec<Value> = comment
        .reactions
        .iter()
        .map(|reaction| shape::comment::reaction(&state, &shared.urls, reaction))
        .collect();
    let name = state.full_name(state.repository(repository));
    let url = format!(
        "{}/repos/{name}/issues/comments/{id}/reactions",
        shared.urls.api()
    );
    let (rows, link) = page.cut(rows, &url, query.as_deref());
    paged(rows, link.as_deref())
}
