//! Merging pull requests.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::json;

use super::write::login;
use crate::forge::{Forge, Shared};
use crate::git::merge::method::MergeMethod;
use crate::id::RepositoryId;
use crate::name::Sha;
use crate::people::{MergePull, Refused};
use crate::rest::caller::Caller;
use crate::rest::failure::Failure;
use crate::rest::input::Input;
use crate::rest::output::{Answer, ok};
use crate::rights::Deed;
use crate::state::access::{Level, Permission};

/// GitHub asks for the contents: it is a branch that is written.
const MERGE: &[(Permission, Level)] = &[(Permission::Contents, Level::Write)];

/// How to merge.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Merge {
    commit_title: Option<String>,
    commit_message: Option<String>,
    sha: Option<Sha>,
    #[serde(default)]
    merge_method: Method,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Method {
    #[default]
    Merge,
    Squash,
    Rebase,
}

/// `PUT /repos/{owner}/{repo}/pulls/{pull_number}/merge`
pub(crate) async fn merge(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, number)): Path<(String, String, u64)>,
    Input(wish): Input<Merge>,
) -> Answer {
    let (name, login) = {
        let state = shared.lock();
        let record = caller.enter(&state, &owner, &name, MERGE)?;
        caller.check(&state, record, Deed::Merge)?;
        let id: RepositoryId = record.id;
        let pull = state.pulls.get(&(id, number)).ok_or(Failure::NotFound)?;
        if !pull.is_open() {
            return Err(Failure::not_mergeable());
        }
        let name = state.full_name(record).to_string();
        (name, login(&state, &caller))
    };
    let forge = Forge { shared };
    let with = MergePull {
        head: wish.sha.as_ref(),
        title: wish.commit_title.as_deref(),
        message: wish.commit_message.as_deref(),
        method: match wish.merge_method {
            Method::Merge => MergeMethod::Merge,
            Method::Squash => MergeMethod::Squash,
            Method::Rebase => MergeMethod::Rebase,
        },
    };
    match forge.merge_pull_with(&name, number, &login, with).await {
        Ok(sha) => ok(json!({
            "sha": sha,
            "merged": true,
            "message": "Pull Request successfully merged",
        })),
        Err(Refused::Conflict(_) | Refused::State(_)) => Err(Failure::not_mergeable()),
        Err(refused) => Err(refused.into()),
    }
}
