//! One comment on a pull request: looked at, edited, deleted.

use std::sync::Arc;

use axum::extract::{Path, State};

use super::{READ, Text, WRITE, check_body};
use crate::forge::{Forge, Shared};
use crate::id::{AccountId, CommentId, CommentKind};
use crate::rest::caller::Caller;
use crate::rest::failure::Failure;
use crate::rest::input::Input;
use crate::rest::output::{Answer, no_content, ok};
use crate::shape;
use crate::state::State as Tables;
use crate::state::access::{Level, Permission};
use crate::state::repository::Right;

/// Where a comment is: owner, repository, number.
type Place = Path<(String, String, u64)>;

/// `GET /repos/{owner}/{repo}/issues/comments/{comment_id}`
pub(crate) async fn show(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, number)): Place,
) -> Answer {
    let state = shared.lock();
    let id = enter(&state, &caller, (&owner, &name, number), READ)?;
    answer(&shared, &state, id)
}

/// `PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}`
pub(crate) async fn edit(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, number)): Place,
    Input(text): Input<Text>,
) -> Answer {
    check_body(&text.body)?;
    let (id, by) = changeable(&shared, &caller, (&owner, &name, number))?;
    let forge = Forge {
        shared: Arc::clone(&shared),
    };
    forge.edit_comment_as(id, by, &text.body)?;
    answer(&shared, &shared.lock(), id)
}

/// `DELETE /repos/{owner}/{repo}/issues/comments/{comment_id}`
pub(crate) async fn remove(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, number)): Place,
) -> Answer {
    let (id, by) = changeable(&shared, &caller, (&owner, &name, number))?;
    Forge { shared }.delete_comment_as(id, by)?;
    no_content()
}

fn answer(shared: &Shared, state: &Tables, id: CommentId) -> Answer {
    let comment = state.comments.get(&id).ok_or(Failure::NotFound)?;
    ok(shape::comment::comment(
        state,
        &shared.urls,
        &shared.app,
        comment,
    ))
}

fn enter(
    state: &Tables,
    caller: &Caller,
    (owner, name, number): (&str, &str, u64),
    needs: &[(Permission, Level)],
) -> Result<CommentId, Failure> {
    let repository = caller.enter(state, owner, name, needs)?.id;
    state
        .comments
        .get(&CommentId::new(CommentKind::Issue, number))
        .filter(|comment| comment.repository == repository)
        .map(|comment| comment.id)
        .ok_or(Failure::NotFound)
}

/// Lets on an App, a comment's author, and whoever may write to the repository.
fn changeable(
    shared: &Shared,
    caller: &Caller,
    place: (&str, &str, u64),
) -> Result<(CommentId, AccountId), Failure> {
    let state = shared.lock();
    let id = enter(&state, caller, place, WRITE)?;
    let comment = state.comments.get(&id).ok_or(Failure::NotFound)?;
    let may = match caller {
        Caller::App | Caller::Installation(_) => true,
        Caller::User(person) => {
            let record = state.repository(comment.repository);
            comment.author == *person || state.role(record, *person).right() >= Right::Push
        }
    };
    if may {
        Ok((id, caller.account(&state)))
    } else {
        Err(Failure::Forbidden("Must have push access to repository"))
    }
}
