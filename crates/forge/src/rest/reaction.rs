//! Reactions to comments.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde::Deserialize;

use crate::forge::Shared;
use crate::id::{CommentId, CommentKind};
use crate::rest::caller::Caller;
use crate::rest::comment::{COMMIT, WRITE, find};
use crate::rest::input::Input;
use crate::rest::output::{Answer, created, ok};
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
    Path((owner, name, number)): Path<(String, String, u64)>,
    Input(emotion): Input<Emotion>,
) -> Answer {
    react(
        &shared,
        &caller,
        (&owner, &name, CommentId::new(CommentKind::Issue, number)),
        WRITE,
        emotion.content,
    )
}

/// `POST /repos/{owner}/{repo}/comments/{comment_id}/reactions`
pub(crate) async fn on_commit(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, number)): Path<(String, String, u64)>,
    Input(emotion): Input<Emotion>,
) -> Answer {
    react(
        &shared,
        &caller,
        (&owner, &name, CommentId::new(CommentKind::Commit, number)),
        COMMIT,
        emotion.content,
    )
}

fn react(
    shared: &Shared,
    caller: &Caller,
    (owner, name, id): (&str, &str, CommentId),
    needs: &[(Permission, Level)],
    content: Content,
) -> Answer {
    let mut state = shared.lock();
    let repository = caller.enter(&state, owner, name, needs)?.id;
    let author = caller.account(&state);
    let reaction = Reaction {
        id: state.next_id(),
        author,
        content,
        created_at: shared.clock.now(),
    };
    let comment = find(&mut state, repository, id)?;
    let same = |other: &&Reaction| other.author == author && other.content == content;
    if let Some(known) = comment.reactions.iter().find(same).cloned() {
        return ok(shape::comment::reaction(&state, &shared.urls, &known));
    }
    comment.reactions.push(reaction.clone());
    shared.changed();
    created(shape::comment::reaction(&state, &shared.urls, &reaction))
}
