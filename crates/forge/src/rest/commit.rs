//! Branches, refs and commits.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use http::Uri;
use serde::Deserialize;
use serde_json::Value;

use crate::forge::{Shared, blocking};
use crate::git::{commit, history, refs};
use crate::id::RepositoryId;
use crate::name::{Branch, Sha};
use crate::rest::caller::Caller;
use crate::rest::failure::Failure;
use crate::rest::input::Params;
use crate::rest::output::{Answer, ok, paged};
use crate::rest::page::Page;
use crate::rest::{check_run, comment};
use crate::shape;
use crate::state::access::{Level, Permission};

const READ: &[(Permission, Level)] = &[(Permission::Contents, Level::Read)];

/// A repository that the caller may read: its name as it is written, and its folder.
struct Entered {
    id: RepositoryId,
    name: String,
    path: std::path::PathBuf,
}

fn enter(shared: &Shared, caller: &Caller, owner: &str, name: &str) -> Result<Entered, Failure> {
    let state = shared.lock();
    let repository = caller.enter(&state, owner, name, READ)?;
    Ok(Entered {
        id: repository.id,
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
    let commit = blocking(move || match refs::find(&path, &reference)? {
        Some(tip) => commit::read(&path, &tip),
        None => Ok(None),
    })
    .await?
    .ok_or(Failure::NotFound)?;
    let comments = shared.comments_on(&commit.sha);
    let commit = shape::commit::full(&shared.urls, &entered.name, &commit, comments);
    let state = shared.lock();
    ok(shape::commit::branch(
        &shared.urls,
        &shared.app,
        (&entered.name, branch.as_str()),
        state.find_rule(entered.id, &branch),
        commit,
    ))
}

/// `GET /repos/{owner}/{repo}/branches`
pub(crate) async fn branches(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Params(page): Params<Page>,
    RawQuery(query): RawQuery,
) -> Answer {
    let entered = enter(&shared, &caller, &owner, &name)?;
    let path = entered.path;
    let refs = blocking(move || refs::read(&path)).await?;
    let rows: Vec<Value> = {
        let state = shared.lock();
        refs.iter()
            .filter_map(|(name, tip)| Some((name.strip_prefix("refs/heads/")?, tip)))
            .map(|(branch, tip)| {
                let rule = state.rules.get(&(entered.id, branch.to_owned()));
                let (of, tip) = ((entered.name.as_str(), branch), Sha::from_oid(*tip));
                shape::commit::short_branch(&shared.urls, of, rule, &tip)
            })
            .collect()
    };
    let url = format!("{}/repos/{}/branches", shared.urls.api(), entered.name);
    let (rows, link) = page.cut(rows, &url, query.as_deref());
    paged(rows, link.as_deref())
}

/// Which commits are asked for. What would choose among them is refused, not overheard.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    sha: Option<String>,
    path: Option<String>,
    author: Option<String>,
    committer: Option<String>,
    since: Option<String>,
    until: Option<String>,
}

impl Wanted {
    fn chooses(&self) -> bool {
        [
            &self.path,
            &self.author,
            &self.committer,
            &self.since,
            &self.until,
        ]
        .into_iter()
        .any(Option::is_some)
    }
}

/// `GET /repos/{owner}/{repo}/commits`
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Params(wanted): Params<Wanted>,
    Params(page): Params<Page>,
    RawQuery(query): RawQuery,
) -> Answer {
    if wanted.chooses() {
        return Err(Failure::invalid(
            "Commits are listed by `sha` alone, not by path, person or time.",
        ));
    }
    let (entered, default) = {
        let entered = enter(&shared, &caller, &owner, &name)?;
        let state = shared.lock();
        let record = caller.enter(&state, &owner, &name, READ)?;
        (entered, record.default_branch.to_string())
    };
    let asked = wanted.sha.unwrap_or(default);
    let (skip, take) = (page.skipped(), page.size());
    let path = entered.path;
    let stretch = blocking(move || match commit::find(&path, &asked)? {
        Some(tip) => history::list(&path, &tip, skip, take).map(Some),
        None => Ok(None),
    })
    .await?
    .ok_or(Failure::NotFound)?;
    let rows: Vec<Value> = stretch
        .commits
        .iter()
        .map(|commit| {
            let comments = shared.comments_on(&commit.sha);
            shape::commit::listed(&shared.urls, &entered.name, commit, comments)
        })
        .collect();
    let url = format!("{}/repos/{}/commits", shared.urls.api(), entered.name);
    let link = page.neighbours(stretch.goes_on, &url, query.as_deref());
    paged(rows, link.as_deref())
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
