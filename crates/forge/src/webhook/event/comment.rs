//! Comments that are written, edited and deleted.

use std::sync::Arc;

use serde_json::{Value, json};

use super::envelope;
use crate::forge::Shared;
use crate::id::AccountId;
use crate::shape;
use crate::state::State;
use crate::state::comment::{Comment, Subject};
use crate::webhook::emit;

/// What happened to a comment.
#[derive(Debug, Clone)]
pub(crate) enum CommentAction {
    Created,
    /// The text was this before.
    Edited {
        from: String,
    },
    Deleted,
}

impl CommentAction {
    const fn word(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Edited { .. } => "edited",
            Self::Deleted => "deleted",
        }
    }
}

/// `issue_comment` or `commit_comment`, by what the comment is about. Of a comment on a commit GitHub
/// tells only that it was written.
pub(crate) fn comment(
    shared: &Arc<Shared>,
    state: &mut State,
    comment: &Comment,
    sender: AccountId,
    action: &CommentAction,
) {
    let record = state.repository(comment.repository).clone();
    let mut payload = envelope(shared, state, &record, sender);
    payload.insert("action".to_owned(), json!(action.word()));
    let shape = shape::comment::comment(state, &shared.urls, &shared.app, comment);
    payload.insert("comment".to_owned(), shape);
    let event = match (&comment.subject, action) {
        (Subject::Pull(number), _) => {
            let pull = state.pulls.get(&(record.id, *number));
            let issue = pull.map(|pull| shape::pull::issue(state, &shared.urls, pull));
            payload.insert("issue".to_owned(), json!(issue));
            "issue_comment"
        }
        (Subject::Commit { .. }, CommentAction::Created) => "commit_comment",
        (Subject::Commit { .. }, CommentAction::Edited { .. } | CommentAction::Deleted) => return,
    };
    if let CommentAction::Edited { from } = action {
        let changes = json!({ "body": { "from": from } });
        payload.insert("changes".to_owned(), changes);
    }
    let (word, payload) = (Some(action.word()), Value::Object(payload));
    emit(shared, state, &record, event, word, payload);
}
