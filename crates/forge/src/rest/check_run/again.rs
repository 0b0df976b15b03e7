//! Check runs and suites that are asked for once more.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde_json::json;

use super::find;
use crate::forge::{Forge, Shared};
use crate::id::{CheckRunId, CheckSuiteId, RepositoryId};
use crate::rest::caller::Caller;
use crate::rest::failure::Failure;
use crate::rest::output::{Answer, created};
use crate::rights::Deed;
use crate::state::State as Tables;
use crate::state::access::{Level, Permission};

/// An App needs the one to run its own checks again. A person, who has no such permission, needs
/// the other and a role that may press the button.
const RERUN: &[(Permission, Level)] = &[
    (Permission::Checks, Level::Write),
    (Permission::Metadata, Level::Read),
];

fn enter(
    state: &Tables,
    caller: &Caller,
    owner: &str,
    name: &str,
) -> Result<RepositoryId, Failure> {
    let permissions = match caller {
        Caller::User(_) => RERUN,
        Caller::App | Caller::Installation(_) => &RERUN[..1],
    };
    let record = caller.enter(state, owner, name, permissions)?;
    caller.check(state, record, Deed::Press)?;
    Ok(record.id)
}

/// `POST /repos/{owner}/{repo}/check-runs/{check_run_id}/rerequest`
pub(crate) async fn rerequest(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, id)): Path<(String, String, CheckRunId)>,
) -> Answer {
    let person = {
        let state = shared.lock();
        let repository = enter(&state, &caller, &owner, &name)?;
        find(&state, repository, id)?;
        caller.account(&state)
    };
    Forge { shared }.rerun_as(id, person)?;
    created(json!({}))
}

/// `POST /repos/{owner}/{repo}/check-suites/{check_suite_id}/rerequest`
pub(crate) async fn rerequest_suite(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, id)): Path<(String, String, CheckSuiteId)>,
) -> Answer {
    let person = {
        let state = shared.lock();
        let repository = enter(&state, &caller, &owner, &name)?;
        state
            .suites
            .get(&id)
            .filter(|suite| suite.repository == repository)
            .ok_or(Failure::NotFound)?;
        caller.account(&state)
    };
    Forge { shared }.rerun_suite_as(id, person).await?;
    created(json!({}))
}
