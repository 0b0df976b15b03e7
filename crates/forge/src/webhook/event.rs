//! The payloads of the events.

mod comment;
mod installation;
mod queue;
mod reference;
mod repository;
mod review;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::forge::{Shared, blocking};
use crate::git::GitError;
use crate::git::commit::{Commit, History, Pushed};
use crate::git::merge::{self, Distance};
use crate::git::refs::Change;
use crate::id::{AccountId, CheckRunId, CheckSuiteId, RepositoryId};
use crate::name::Sha;
use crate::shape::{self, Object, node_id, object};
use crate::state::State;
use crate::state::account::Kind;
use crate::state::repository::Repository;
use crate::webhook::emit;

pub(crate) use comment::{CommentAction, comment};
pub(crate) use installation::{InstallationAction, installation};
pub(crate) use queue::{GroupAction, merge_group};
pub(crate) use reference::reference;
pub(crate) use repository::{Change as AppChange, RepositoryAction, app_moved, forked, repository};

pub(crate) use review::{review_comment_created, review_submitted};

/// What happened to a pull request.
#[derive(Debug, Clone)]
pub(crate) enum PullAction {
    Opened,
    Synchronize { before: Sha, after: Sha },
    Closed,
    Reopened,
    ReadyForReview,
    ConvertedToDraft,
    Enqueued,
    Dequeued { reason: &'static str },
    Edited { changes: Value },
}

/// What happened to a check run, or what a person wants of it.
#[derive(Debug, Clone)]
pub(crate) enum RunAction {
    Created,
    Completed,
    Rerequested,
    Requested { identifier: String },
}

/// `push`
pub(crate) fn push(
    shared: &Arc<Shared>,
    state: &mut State,
    repository: RepositoryId,
    pusher: AccountId,
    change: &Change,
    pushed: &Pushed,
) {
    let record = state.repository(repository).clone();
    let name = state.full_name(&record).to_string();
    let before = change.kind.before().map_or_else(Sha::zero, Sha::from_oid);
    let after = change.kind.after().map_or_else(Sha::zero, Sha::from_oid);
    let urls = &shared.urls;
    let mut payload = envelope(shared, state, &record, pusher);
    payload.extend(object(json!({
        "ref": change.name,
        "before": before,
        "after": after,
        "base_ref": null,
        "created": change.kind.before().is_none(),
        "deleted": change.kind.after().is_none(),
        "forced": pushed.history == History::Rewritten,
        "compare": format!("{}/{name}/compare/{before}...{after}", urls.web()),
        "commits": pushed
            .commits
            .iter()
            .map(|commit| shape::commit::pushed(urls, &name, commit))
            .collect::<Vec<_>>(),
        "head_commit": pushed
            .head
            .as_ref()
            .map(|commit| shape::commit::pushed(urls, &name, commit)),
        "pusher": {
            "name": state.account(pusher).login,
            "email": format!("{}@users.noreply.forge.invalid", state.account(pusher).login),
        },
        "repository": shape::repository::pushed(state, urls, &record),
    })));
    emit(shared, state, &record, "push", None, Value::Object(payload));
}

/// `pull_request`
pub(crate) fn pull_request(
    shared: &Arc<Shared>,
    state: &mut State,
    key: (RepositoryId, u64),
    sender: AccountId,
    action: PullAction,
    distance: Distance,
) {
    let record = state.repository(key.0).clone();
    let Some(pull) = state.pulls.get(&key) else {
        return;
    };
    let mut payload = envelope(shared, state, &record, sender);
    payload.insert("number".to_owned(), json!(key.1));
    let shape = shape::pull::full(state, &shared.urls, pull, distance);
    payload.insert("pull_request".to_owned(), shape);
    let word = match action {
        PullAction::Opened => "opened",
        PullAction::Closed => "closed",
        PullAction::Reopened => "reopened",
        PullAction::ReadyForReview => "ready_for_review",
        PullAction::ConvertedToDraft => "converted_to_draft",
        PullAction::Enqueued => "enqueued",
        PullAction::Dequeued { reason } => {
            payload.insert("reason".to_owned(), json!(reason));
            "dequeued"
        }
        PullAction::Synchronize { before, after } => {
            payload.insert("before".to_owned(), json!(before));
            payload.insert("after".to_owned(), json!(after));
            "synchronize"
        }
        PullAction::Edited { changes } => {
            payload.insert("changes".to_owned(), changes);
            "edited"
        }
    };
    payload.insert("action".to_owned(), json!(word));
    let payload = Value::Object(payload);
    emit(shared, state, &record, "pull_request", Some(word), payload);
}

/// How far a pull request's head is from its base.
pub(crate) async fn distance(
    shared: &Shared,
    repository: RepositoryId,
    number: u64,
) -> Result<Distance, GitError> {
    let Some((path, base, head)) = ({
        let state = shared.lock();
        state.pulls.get(&(repository, number)).map(|pull| {
            let path = state.repository(repository).path.clone();
            (path, pull.base.tip().clone(), pull.head.sha.clone())
        })
    }) else {
        return Ok(Distance::default());
    };
    blocking(move || merge::distance(&path, &base, &head)).await
}

/// `check_run`
pub(crate) fn check_run(
    shared: &Arc<Shared>,
    state: &mut State,
    id: CheckRunId,
    sender: AccountId,
    action: &RunAction,
) {
    let Some(run) = state.check_runs.get(&id) else {
        return;
    };
    let record = state.repository(run.repository).clone();
    let mut payload = envelope(shared, state, &record, sender);
    let shape = shape::check_run::in_event(state, &shared.urls, &shared.app, run);
    payload.insert("check_run".to_owned(), shape);
    let word = match action {
        RunAction::Created => "created",
        RunAction::Completed => "completed",
        RunAction::Rerequested => "rerequested",
        RunAction::Requested { identifier } => {
            payload.insert(
                "requested_action".to_owned(),
                json!({ "identifier": identifier }),
            );
            "requested_action"
        }
    };
    payload.insert("action".to_owned(), json!(word));
    emit(
        shared,
        state,
        &record,
        "check_run",
        Some(word),
        Value::Object(payload),
    );
}

/// `check_suite`
pub(crate) fn check_suite(
    shared: &Arc<Shared>,
    state: &mut State,
    id: CheckSuiteId,
    sender: AccountId,
    action: &'static str,
    head: &Commit,
) {
    let Some(suite) = state.suites.get(&id) else {
        return;
    };
    let record = state.repository(suite.repository).clone();
    let mut payload = envelope(shared, state, &record, sender);
    payload.insert("action".to_owned(), json!(action));
    let shape = shape::check_run::suite(state, &shared.urls, &shared.app, suite, head);
    payload.insert("check_suite".to_owned(), shape);
    emit(
        shared,
        state,
        &record,
        "check_suite",
        Some(action),
        Value::Object(payload),
    );
}

/// What every payload carries: repository, organisation, sender and installation.
fn envelope(shared: &Shared, state: &State, repository: &Repository, sender: AccountId) -> Object {
    let urls = &shared.urls;
    let owner = state.account(repository.owner);
    let mut payload = object(json!({
        "repository": shape::repository::brief(state, urls, repository),
        "sender": shape::account::simple(urls, state.account(sender)),
    }));
    if owner.kind == Kind::Organisation {
        payload.insert(
            "organization".to_owned(),
            shape::account::organisation(urls, owner),
        );
    }
    if let Some(installation) = state.installation_of(repository) {
        payload.insert(
            "installation".to_owned(),
            json!({ "id": installation, "node_id": node_id("MDIz", installation) }),
        );
    }
    payload
}
