//! Reviews and their comments.

use std::sync::Arc;

use serde_json::{Value, json};

use super::envelope;
use crate::forge::Shared;
use crate::id::{ReviewCommentId, ReviewId};
use crate::shape;
use crate::state::State;
use crate::webhook::emit;

/// `pull_request_review`
pub(crate) fn review_submitted(shared: &Arc<Shared>, state: &mut State, id: ReviewId) {
    let Some(review) = state.reviews.get(&id) else {
        return;
    };
    let Some(pull) = state.pulls.get(&(review.repository, review.number)) else {
        return;
    };
    let record = state.repository(review.repository).clone();
    let mut payload = envelope(shared, state, &record, review.author);
    payload.insert("action".to_owned(), json!("submitted"));
    let shape = shape::review::in_event(state, &shared.urls, review);
    payload.insert("review".to_owned(), shape);
    let shape = shape::pull::simple(state, &shared.urls, pull);
    payload.insert("pull_request".to_owned(), Value::Object(shape));
    let (event, payload) = ("pull_request_review", Value::Object(payload));
    emit(shared, state, &record, event, Some("submitted"), payload);
}

/// `pull_request_review_comment`
pub(crate) fn review_comment_created(shared: &Arc<Shared>, state: &mut State, id: ReviewCommentId) {
    let Some(comment) = state.review_comments.get(&id) else {
        return;
    };
    let Some(pull) = state.pulls.get(&(comment.repository, comment.number)) else {
        return;
    };
    let record = state.repository(comment.repository).clone();
    let mut payload = envelope(shared, state, &record, comment.author);
    payload.insert("action".to_owned(), json!("created"));
    let shape = shape::review::line_comment(state, &shared.urls, comment);
    payload.insert("comment".to_owned(), shape);
    let shape = shape::pull::simple(state, &shared.urls, pull);
    payload.insert("pull_request".to_owned(), Value::Object(shape));
    let (event, payload) = ("pull_request_review_comment", Value::Object(payload));
    emit(shared, state, &record, event, Some("created"), payload);
}
