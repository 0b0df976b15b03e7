//! Groups of merge queues.

use std::sync::Arc;

use serde_json::{Value, json};

use super::envelope;
use crate::forge::Shared;
use crate::git::commit::Commit;
use crate::id::RepositoryId;
use crate::shape;
use crate::state::State;
use crate::state::queue::{Entry, Group};
use crate::webhook::emit;

/// What happened to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupAction {
    ChecksRequested,
    /// It is gone, for GitHub's reason.
    Destroyed(&'static str),
}

/// `merge_group`
pub(crate) fn merge_group(
    shared: &Arc<Shared>,
    state: &mut State,
    (key, entry, group): ((RepositoryId, u64), &Entry, &Group),
    head: &Commit,
    action: GroupAction,
) {
    let record = state.repository(key.0).clone();
    let mut payload = envelope(shared, state, &record, entry.by);
    let word = match action {
        GroupAction::ChecksRequested => "checks_requested",
        GroupAction::Destroyed(reason) => {
            payload.insert("reason".to_owned(), json!(reason));
            "destroyed"
        }
    };
    payload.insert("action".to_owned(), json!(word));
    let shape = json!({
        "head_sha": group.head,
        "head_ref": entry.group_branch(key.1, &group.base).reference(),
        "base_sha": group.base,
        "base_ref": entry.branch.reference(),
        "head_commit": shape::commit::simple(head),
    });
    payload.insert("merge_group".to_owned(), shape);
    let payload = Value::Object(payload);
    emit(shared, state, &record, "merge_group", Some(word), payload);
}
