//! Check runs.

mod again;
mod input;

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::forge::{Shared, blocking};
use crate::git::commit::{self, Commit};
use crate::id::{CheckRunId, RepositoryId};
use crate::name::Sha;
use crate::rest::caller::Caller;
use crate::rest::failure::Failure;
use crate::rest::input::{Input, Params};
use crate::rest::output::{Answer, created, ok, paged};
use crate::rest::page::Page;
use crate::shape;
use crate::state::State as Tables;
use crate::state::access::{Level, Permission};
use crate::state::check_run::{CheckRun, Conclusion};
use crate::webhook::event::{self, RunAction};

pub(crate) use again::{rerequest, rerequest_suite};

const READ: &[(Permission, Level)] = &[(Permission::Checks, Level::Read)];
const WRITE: &[(Permission, Level)] = &[(Permission::Checks, Level::Write)];

/// `POST /repos/{owner}/{repo}/check-runs`
pub(crate) async fn create(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Input(input): Input<input::Create>,
) -> Answer {
    let (repository, path) = {
        let state = shared.lock();
        let repository = caller.enter(&state, &owner, &name, WRITE)?;
        (repository.id, repository.path.clone())
    };
    let now = shared.clock.now();
    let mut run = input.check(repository, now)?;
    let head = Head::read(path, &run.head_sha, run.status.conclusion()).await?;
    if matches!(head, Head::Missing) {
        return Err(Failure::invalid(format!(
            "No commit found for SHA: {}",
            run.head_sha
        )));
    }
    let mut state = shared.lock();
    run.id = state.next_id();
    run.suite = state.suite(repository, &run.head_sha, None, now).0;
    let id = run.id;
    state.check_runs.insert(id, run);
    let sender = caller.account(&state);
    event::check_run(&shared, &mut state, id, sender, &RunAction::Created);
    announce_completed(&shared, &mut state, id, &caller, &head);
    shared.changed();
    let run = find(&state, repository, id)?;
    created(shape::check_run::check_run(
        &state,
        &shared.urls,
        &shared.app,
        run,
    ))
}

/// Tells that a run is completed, and its suite if it was the last of that.
fn announce_completed(
    shared: &Arc<Shared>,
    state: &mut Tables,
    id: CheckRunId,
    caller: &Caller,
    head: &Head,
) {
    let run = state.check_runs.get(&id);
    let Some(run) = run.filter(|run| run.status.conclusion().is_some()) else {
        return;
    };
    let suite = run.suite;
    let verdict = state.verdict(run.repository, &run.head_sha);
    let sender = caller.account(state);
    event::check_run(shared, state, id, sender, &RunAction::Completed);
    if let (Some(_), Head::Read(head)) = (verdict, head) {
        event::check_suite(shared, state, suite, sender, "completed", head);
    }
}

/// The commit of a check run. It is read if the run is to be completed: its suite may end with it,
/// and the event of that tells of the commit.
#[derive(Debug, Clone)]
enum Head {
    Missing,
    There,
    Read(Box<Commit>),
}

impl Head {
    async fn read(
        path: PathBuf,
        sha: &Sha,
        conclusion: Option<Conclusion>,
    ) -> Result<Self, Failure> {
        let sha = sha.clone();
        let read = move || match conclusion {
            Some(_) => {
                let found = commit::read(&path, &sha)?;
                Ok(found.map_or(Self::Missing, |commit| Self::Read(Box::new(commit))))
            }
            None => {
                let found = commit::find(&path, sha.as_str())?;
                Ok(found.map_or(Self::Missing, |_| Self::There))
            }
        };
        Ok(blocking(read).await?)
    }
}

/// `PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}`
pub(crate) async fn update(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, id)): Path<(String, String, CheckRunId)>,
    Input(input): Input<input::Update>,
) -> Answer {
    let now = shared.clock.now();
    let (path, asked) = {
        let state = shared.lock();
        let record = caller.enter(&state, &owner, &name, WRITE)?;
        let sha = find(&state, record.id, id)?.head_sha.clone();
        (record.path.clone(), sha)
    };
    let head = Head::read(path, &asked, input.conclusion()).await?;
    let mut state = shared.lock();
    let repository = caller.enter(&state, &owner, &name, WRITE)?.id;
    let known = find(&state, repository, id)?;
    let run = input.apply(known, now)?;
    let completes = known.status.conclusion().is_none() && run.status.conclusion().is_some();
    state.check_runs.insert(id, run);
    if completes {
        announce_completed(&shared, &mut state, id, &caller, &head);
    }
    shared.changed();
    let run = find(&state, repository, id)?;
    ok(shape::check_run::check_run(
        &state,
        &shared.urls,
        &shared.app,
        run,
    ))
}

fn find(state: &Tables, repository: RepositoryId, id: CheckRunId) -> Result<&CheckRun, Failure> {
    state
        .check_runs
        .get(&id)
        .filter(|run| run.repository == repository)
        .ok_or(Failure::NotFound)
}

/// `GET /repos/{owner}/{repo}/check-runs/{check_run_id}`
pub(crate) async fn show(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, id)): Path<(String, String, CheckRunId)>,
) -> Answer {
    let state = shared.lock();
    let repository = caller.enter(&state, &owner, &name, READ)?.id;
    let run = find(&state, repository, id)?;
    ok(shape::check_run::check_run(
        &state,
        &shared.urls,
        &shared.app,
        run,
    ))
}

/// Which check runs are asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Filter {
    check_name: Option<String>,
    status: Option<String>,
    #[serde(default)]
    filter: Wanted,
    app_id: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    /// The newest of each name.
    #[default]
    Latest,
    All,
}

/// `GET /repos/{owner}/{repo}/commits/{ref}/check-runs`
pub(crate) async fn list(
    shared: &Arc<Shared>,
    caller: &Caller,
    (owner, name, reference): (&str, &str, &str),
    Params(filter): Params<Filter>,
    Params(page): Params<Page>,
    RawQuery(query): RawQuery,
) -> Answer {
    let (repository, path, name) = {
        let state = shared.lock();
        let repository = caller.enter(&state, owner, name, READ)?;
        let name = state.full_name(repository).to_string();
        (repository.id, repository.path.clone(), name)
    };
    let asked = reference.to_owned();
    let sha = blocking(move || commit::find(&path, &asked))
        .await?
        .ok_or_else(|| Failure::invalid(format!("No commit found for SHA: {reference}")))?;
    let rows: Vec<Value> = {
        let state = shared.lock();
        filter
            .take(&state, shared.app.id, repository, &sha)
            .into_iter()
            .map(|run| shape::check_run::check_run(&state, &shared.urls, &shared.app, run))
            .collect()
    };
    let total = rows.len();
    let url = format!(
        "{}/repos/{name}/commits/{reference}/check-runs",
        shared.urls.api()
    );
    let (rows, link) = page.cut(rows, &url, query.as_deref());
    paged(
        json!({ "total_count": total, "check_runs": rows }),
        link.as_deref(),
    )
}

impl Filter {
    /// The runs it takes, newest first.
    fn take<'state>(
        &self,
        state: &'state Tables,
        app: u64,
        repository: RepositoryId,
        sha: &'state Sha,
    ) -> Vec<&'state CheckRun> {
        if self.app_id.is_some_and(|asked| asked != app) {
            return Vec::new();
        }
        let runs: Vec<_> = match self.filter {
            Wanted::All => state.runs_on(repository, sha).collect(),
            Wanted::Latest => state.newest_runs_on(repository, sha).collect(),
        };
        runs.into_iter()
            .filter(|run| {
                self.check_name
                    .as_ref()
                    .is_none_or(|name| *name == run.name)
            })
            .filter(|run| {
                self.status
                    .as_ref()
                    .is_none_or(|status| status == run.status.word())
            })
            .collect()
    }
}
