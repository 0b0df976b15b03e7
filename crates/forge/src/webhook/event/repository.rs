//! Repositories that go, and those that the App is taken out of or put into.

use std::sync::Arc;

use serde_json::{Value, json};

use super::envelope;
use crate::forge::Shared;
use crate::id::AccountId;
use crate::name::Branch;
use crate::shape;
use crate::state::State;
use crate::state::repository::Repository;
use crate::webhook::emit;

/// What happened to the App in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It was put into it.
    Added,
    /// It was taken out of it.
    Removed,
}

/// `repository`, of one that is deleted now. `record` is as it was before.
pub(crate) fn repository_deleted(
    shared: &Arc<Shared>,
    state: &mut State,
    record: &Repository,
    sender: AccountId,
) {
    let mut payload = envelope(shared, state, record, sender);
    payload.insert("action".to_owned(), json!("deleted"));
    let payload = Value::Object(payload);
    emit(
        shared,
        state,
        record,
        "repository",
        Some("deleted"),
        payload,
    );
}

/// `repository`, of one whose default branch was `before` until now.
pub(crate) fn default_branch_changed(
    shared: &Arc<Shared>,
    state: &mut State,
    record: &Repository,
    before: &Branch,
    sender: AccountId,
) {
    let mut payload = envelope(shared, state, record, sender);
    payload.insert("action".to_owned(), json!("edited"));
    payload.insert(
        "changes".to_owned(),
        json!({ "default_branch": { "from": before.as_str() } }),
    );
    let payload = Value::Object(payload);
    emit(shared, state, record, "repository", Some("edited"), payload);
}

/// `fork`, which the App is told of only if it asks for it. `record` is the repository that was
/// forked.
pub(crate) fn forked(
    shared: &Arc<Shared>,
    state: &mut State,
    record: &Repository,
    fork: &Repository,
    sender: AccountId,
) {
    let mut payload = envelope(shared, state, record, sender);
    let mut forkee = shape::repository::brief(state, &shared.urls, fork);
    // The one field of a repository that GitHub's description of this event does not name.
    if let Value::Object(fields) = &mut forkee {
        fields.remove("has_discussions");
    }
    payload.insert("forkee".to_owned(), forkee);
    emit(shared, state, record, "fork", None, Value::Object(payload));
}

/// `installation_repositories`. `record` is as it is while the App is in the repository.
pub(crate) fn app_moved(
    shared: &Arc<Shared>,
    state: &mut State,
    record: &Repository,
    sender: AccountId,
    change: Change,
) {
    let Some(installation) = state.installation_of(record) else {
        return;
    };
    let urls = &shared.urls;
    let it = json!([shape::repository::mention(state, record)]);
    let (word, added, removed) = match change {
        Change::Added => ("added", it, json!([])),
        Change::Removed => ("removed", json!([]), it),
    };
    let payload = json!({
        "action": word,
        "installation": shape::app::installation(state, urls, &shared.app, installation),
        "repository_selection": shape::app::selection(state, installation),
        "repositories_added": added,
        "repositories_removed": removed,
        "requester": null,
        "sender": shape::account::simple(urls, state.account(sender)),
    });
    let event = "installation_repositories";
    emit(shared, state, record, event, Some(word), payload);
}
