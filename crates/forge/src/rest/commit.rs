//! Branches, refs and commits.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use http::Uri;

use crate::forge::{Shared, blocking};
use crate::git::{self, Context, commit};
use crate::name::{Branch, Sha};
use crate::rest::caller::Caller;
use crate::rest::failure::Failure;
use crate::rest::input::Params;
use crate::rest::output::{Answer, ok};
use crate::rest::page::Page;
use crate::rest::{check_run, comment};
use crate::shape;
use crate::state::access::{Level, Permission};
use crate::state::comment::Subject;

const READ: &[(Permission, Level)] = &[(Permission::Contents, Level::Read)];

/// A repository that the caller may read: its name as it is written, and its folder.
struct Entered {
    name: String,
    path: std::path::PathBuf,
}

fn enter(shared: &Shared, caller: &Caller, owner: &str, name: &str) -> Result<Entered, Failure> {
    let state = shared.lock();
    let repository = caller.enter(&state, owner, name, READ)?;
    Ok(Entered {
        name: state.full_name(repository).to_string(),
        path: repository.path.clone(),
    })
}

/// `GET /repos/{owner}/{repo}/branches/{branch}`
pub(crate) async fn branch(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, branch)): Path<(String, String, String)>,
) -> Answer {
    let entered = enter(&shared, &caller, &owner, &name)?;
    let branch: Branch = branch.parse().map_err(|_| Failure::NotFound)?;
    let reference = branch.reference();
    let path = entered.path.clone();
    let commit = blocking(move || {
        let repository = git::open(&path)?;
        match repository.refname_to_id(&reference) {
            Ok(tip) => commit::read(&path, &Sha::from_oid(tip)),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error).context("read a branch", &path),
        }
    })
    .await?
    .ok_or(Failure::NotFound)?;
    let comments = comments_on(&shared, &commit.sha);
    let commit = shape::commit::full(&shared.urls, &entered.name, &commit, comments);
    ok(shape::commit::branch(
        &shared.urls,
        &entered.name,
        branch.as_str(),
        commit,
    ))
}

/// What lies below `GET /repos/{owner}/{repo}/commits/{ref}`. A ref may have slashes, so the tail
/// is told apart by its end.
pub(crate) async fn below(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, rest)): Path<(String, String, String)>,
    uri: Uri,
    query: RawQuery,
    page: Params<Page>,
) -> Answer {
    if let Some(reference) = rest.strip_suffix("/check-runs") {
        let filter = Params::read(&uri)?;
        return check_run::list(
            &shared,
            &caller,
            (&owner, &name, reference),
            filter,
            page,
            query,
        )
        .await;
    }
    if let Some(sha) = rest.strip_suffix("/comments") {
        return comment::list_on_commit(&shared, &caller, (&owner, &name, sha), page, query);
    }
    Err(Failure::NotFound)
}

fn comments_on(shared: &Shared, commit: &Sha) -> usize {
    let state = shared.lock();
    let about = |subject: &Subject| match subject {
        Subject::Commit { sha, .. } => sha == commit,
        Subject::Pull(_) => false,
    };
    state
        .comments
        .values()
        .filter(|comment| about(&comment.subject))
        .count()
}
