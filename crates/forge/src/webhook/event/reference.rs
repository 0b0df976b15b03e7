//! Branches and tags that come and go.

use std::sync::Arc;

use serde_json::{Value, json};

use super::envelope;
use crate::forge::Shared;
use crate::git::refs::{Change, ChangeKind};
use crate::id::{AccountId, RepositoryId};
use crate::shape::object;
use crate::state::State;
use crate::webhook::emit;

/// `create` or `delete`, which the App is told of only if it asks for them.
pub(crate) fn reference(
    shared: &Arc<Shared>,
    state: &mut State,
    repository: RepositoryId,
    pusher: AccountId,
    change: &Change,
) {
    let event = match change.kind {
        ChangeKind::Created { .. } => "create",
        ChangeKind::Deleted { .. } => "delete",
        ChangeKind::Updated { .. } => return,
    };
    let record = state.repository(repository).clone();
    let (kind, name) = match change.branch() {
        Some(branch) => ("branch", branch),
        None => ("tag", change.name.trim_start_matches("refs/tags/")),
    };
    let mut payload = envelope(shared, state, &record, pusher);
    payload.extend(object(json!({
        "ref": name,
        "ref_type": kind,
        "pusher_type": "user",
    })));
    if event == "create" {
        payload.extend(object(json!({
            "master_branch": record.default_branch,
            "description": null,
        })));
    }
    emit(shared, state, &record, event, None, Value::Object(payload));
}
