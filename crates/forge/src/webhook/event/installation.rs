//! The App's installations: made, suspended, and taken away.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::forge::Shared;
use crate::id::{AccountId, InstallationId};
use crate::shape;
use crate::state::State;
use crate::webhook::emit_for;

/// What happened to an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InstallationAction {
    Created,
    Deleted,
    Suspended,
    Unsuspended,
}

impl InstallationAction {
    const fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Deleted => "deleted",
            Self::Suspended => "suspend",
            Self::Unsuspended => "unsuspend",
        }
    }
}

/// `installation`. It has to be there still.
pub(crate) fn installation(
    shared: &Arc<Shared>,
    state: &mut State,
    id: InstallationId,
    sender: AccountId,
    action: InstallationAction,
) {
    let urls = &shared.urls;
    let on = state.installations.get(&id).copied();
    let repositories: Vec<Value> = state
        .standing_repositories()
        .filter(|record| Some(record.owner) == on && record.has_app())
        .map(|record| shape::repository::mention(state, record))
        .collect();
    let mut payload = json!({
        "action": action.word(),
        "installation": shape::app::installation(state, urls, &shared.app, id),
        "repositories": repositories,
        "sender": shape::account::simple(urls, state.account(sender)),
    });
    if action == InstallationAction::Created {
        payload["requester"] = Value::Null;
    }
    let name = ("installation", Some(action.word()));
    emit_for(shared, state, id, name, &payload);
}
