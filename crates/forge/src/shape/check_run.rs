//! Check runs and suites.

use serde_json::{Value, json};

use crate::clock::text;
use crate::config;
use crate::name::Sha;
use crate::shape::{Urls, app, commit, node_id, pull};
use crate::state::State;
use crate::state::check_run::{CheckRun, Conclusion, Status, Suite};

/// GitHub's `check-run`.
pub(crate) fn check_run(state: &State, urls: &Urls, app: &config::App, run: &CheckRun) -> Value {
    let full_name = state.full_name(state.repository(run.repository));
    let api = format!("{}/repos/{full_name}/check-runs/{}", urls.api(), run.id);
    let html = format!(
        "{}/{full_name}/commit/{}/checks#check-run-{}",
        urls.web(),
        run.head_sha,
        run.id
    );
    json!({
        "id": run.id,
        "node_id": node_id("CR", run.id),
        "head_sha": run.head_sha,
        "name": run.name,
        "external_id": run.external_id.as_deref().unwrap_or_default(),
        "url": api,
        "html_url": html,
        "details_url": run.details_url.as_deref().unwrap_or(&html),
        "status": run.status.word(),
        "conclusion": run.status.conclusion(),
        "started_at": text(run.started_at),
        "completed_at": run.status.completed_at().map(text),
        "output": {
            "title": run.output.title,
            "summary": run.output.summary,
            "text": run.output.text,
            "annotations_count": run.annotations.len(),
            "annotations_url": format!("{api}/annotations"),
        },
        "check_suite": { "id": run.suite },
        "app": app::integration(state, urls, app),
        "pull_requests": pulls(state, urls, run.repository, &run.head_sha),
    })
}

/// The check run of a `check_run` event, which carries more of its suite.
pub(crate) fn in_event(state: &State, urls: &Urls, app: &config::App, run: &CheckRun) -> Value {
    let mut shape = check_run(state, urls, app, run);
    let suite = state
        .suites
        .get(&run.suite)
        .expect("suites are never removed");
    let mut suite_shape = suite_base(state, urls, app, suite);
    // The suite of a run names no counts, and not what may be asked for again.
    if let Value::Object(fields) = &mut suite_shape {
        for field in [
            "rerequestable",
            "runs_rerequestable",
            "latest_check_runs_count",
            "check_runs_url",
        ] {
            fields.remove(field);
        }
    }
    shape["check_suite"] = suite_shape;
    shape
}

/// The suite of a `check_suite` event.
pub(crate) fn suite(
    state: &State,
    urls: &Urls,
    app: &config::App,
    suite: &Suite,
    head: &crate::git::commit::Commit,
) -> Value {
    let mut shape = suite_base(state, urls, app, suite);
    let full_name = state.full_name(state.repository(suite.repository));
    let pushed = commit::pushed(urls, &full_name.to_string(), head);
    let head_commit: super::Object = [
        "id",
        "tree_id",
        "message",
        "timestamp",
        "author",
        "committer",
    ]
    .into_iter()
    .map(|field| (field.to_owned(), pushed[field].clone()))
    .collect();
    shape["head_commit"] = Value::Object(head_commit);
    shape
}

fn suite_base(state: &State, urls: &Urls, app: &config::App, suite: &Suite) -> Value {
    let full_name = state.full_name(state.repository(suite.repository));
    let api = format!("{}/repos/{full_name}/check-suites/{}", urls.api(), suite.id);
    let runs: Vec<_> = state
        .newest_runs_on(suite.repository, &suite.head_sha)
        .collect();
    let conclusions: Option<Vec<_>> = runs.iter().map(|run| run.status.conclusion()).collect();
    let conclusion = conclusions.and_then(Conclusion::of_suite);
    json!({
        "id": suite.id,
        "node_id": node_id("CS", suite.id),
        "head_branch": suite.head_branch,
        "head_sha": suite.head_sha,
        "status": suite_status(&runs),
        "conclusion": conclusion,
        "url": api,
        "before": null,
        "after": suite.head_sha,
        "pull_requests": pulls(state, urls, suite.repository, &suite.head_sha),
        "app": app::integration(state, urls, app),
        "created_at": text(suite.created_at),
        "updated_at": text(suite.created_at),
        "rerequestable": true,
        "runs_rerequestable": true,
        "latest_check_runs_count": runs.len(),
        "check_runs_url": format!("{api}/check-runs"),
    })
}

fn suite_status(runs: &[&CheckRun]) -> &'static str {
    let is = |status: fn(&Status) -> bool| runs.iter().all(|run| status(&run.status));
    if is(|status| matches!(status, Status::Queued)) {
        "queued"
    } else if is(|status| matches!(status, Status::Completed { .. })) {
        "completed"
    } else {
        "in_progress"
    }
}

fn pulls(state: &State, urls: &Urls, repository: crate::id::RepositoryId, sha: &Sha) -> Vec<Value> {
    state
        .pulls_at(repository, sha)
        .into_iter()
        .map(|one| pull::minimal(state, urls, one))
        .collect()
}
