//! Repositories that change or go, and those that the App is taken out of or put into.

use std::sync::Arc;

use serde_json::{Value, json};

use super::envelope;
use crate::forge::Shared;
use crate::id::AccountId;
use crate::name::{Branch, RepositoryName};
use crate::shape::{self, Urls};
use crate::state::State;
use crate::state::account::Kind;
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

/// What happened to a repository.
#[derive(Debug, Clone)]
pub(crate) enum RepositoryAction {
    Deleted,
    DefaultBranch { from: Branch },
    Renamed { from: RepositoryName },
    Transferred { from: AccountId },
    Archived,
    Unarchived,
    Publicized,
    Privatized,
}

impl RepositoryAction {
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::DefaultBranch { .. } => "edited",
            Self::Renamed { .. } => "renamed",
            Self::Transferred { .. } => "transferred",
            Self::Archived => "archived",
            Self::Unarchived => "unarchived",
            Self::Publicized => "publicized",
            Self::Privatized => "privatized",
        }
    }

    fn changes(&self, urls: &Urls, state: &State) -> Option<Value> {
        match self {
            Self::DefaultBranch { from } => Some(json!({ "default_branch": { "from": from } })),
            Self::Renamed { from } => Some(json!({ "repository": { "name": { "from": from } } })),
            Self::Transferred { from } => {
                let owner = state.account(*from);
                let from = match owner.kind {
                    Kind::Organisation => {
                        json!({ "organization": shape::account::organisation(urls, owner) })
                    }
                    Kind::User | Kind::Bot => {
                        json!({ "user": shape::account::simple(urls, owner) })
                    }
                };
                Some(json!({ "owner": { "from": from } }))
            }
            Self::Deleted
            | Self::Archived
            | Self::Unarchived
            | Self::Publicized
            | Self::Privatized => None,
        }
    }
}

/// `repository`. `record` is as it is now, and as it was before where it is deleted.
pub(crate) fn repository(
    shared: &Arc<Shared>,
    state: &mut State,
    record: &Repository,
    sender: AccountId,
    action: &RepositoryAction,
) {
    let mut payload = envelope(shared, state, record, sender);
    payload.insert("action".to_owned(), json!(action.word()));
    if let Some(changes) = action.changes(&shared.urls, state) {
        payload.insert("changes".to_owned(), changes);
    }
    let word = Some(action.word());
    emit(
        shared,
        state,
        record,
        "repository",
        word,
        Value::Object(payload),
    );
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
