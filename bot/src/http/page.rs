//! Pages for people. maud escapes everything that is put into them.

use api::id::{Architecture, AttemptId, BuildId};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, REFRESH};
use axum::response::{IntoResponse as _, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use moss_db::Error as StorageError;
use service::ApiError;

mod overview;

pub(super) use overview::overview;

use super::Handlers;
use crate::db::Repository;
use crate::domain::build::{Annotation, Build, Hold, Stage, State as BuildState, Target};
use crate::domain::check_run::{self, Conclusion, Status};
use crate::usecase::Standstill;

/// How many builds the overview and lists show.
const SHOWN: usize = 200;

/// How many builds a list has at most.
const MOST_LISTED: usize = 10_000;

/// Styles of all pages: readable in the dark, without scripts or fonts from elsewhere.
const STYLE: &str = include_str!("page.css");

pub(super) async fn health() -> &'static str {
    "ok\n"
}

pub(super) async fn find_build(handlers: &Handlers, id: BuildId) -> Result<Build, ApiError> {
    let tables = handlers.summit.tables.clone();
    let found = handlers
        .summit
        .db
        .query(move |txn| tables.find_build(txn, id))
        .await;
    match found {
        Ok(Some(build)) => Ok(build),
        Ok(None) => Err(ApiError::not_found(format!("build {id}"))),
        Err(error) => Err(ApiError::internal(&error)),
    }
}

/// A build as JSON.
pub(super) async fn build_json(
    State(handlers): State<Handlers>,
    Path(build): Path<String>,
) -> Result<Json<Build>, ApiError> {
    let id = build
        .parse()
        .map_err(|_| ApiError::not_found("such build"))?;
    Ok(Json(find_build(&handlers, id).await?))
}

/// How many builds a list has: as many as are asked for, within bounds.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Parameters {
    #[serde(default)]
    limit: Option<usize>,
}

/// The newest builds as JSON, the newest first: 200, or as many as `limit` says, up to 10,000.
pub(super) async fn builds_json(
    State(handlers): State<Handlers>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Vec<Build>>, ApiError> {
    let limit = parameters.limit.unwrap_or(SHOWN).min(MOST_LISTED);
    let tables = handlers.summit.tables.clone();
    let builds = handlers
        .summit
        .db
        .query(move |txn| tables.newest_builds(txn, limit))
        .await
        .map_err(|error| ApiError::internal(&error))?;
    Ok(Json(builds))
}

/// One build: where it stands, why, and how its log ends.
pub(super) async fn build(
    State(handlers): State<Handlers>,
    Path(build): Path<String>,
) -> Result<Response, ApiError> {
    let id: BuildId = build
        .parse()
        .map_err(|_| ApiError::not_found("such build"))?;
    let build = find_build(&handlers, id).await?;
    let tables = handlers.summit.tables.clone();
    let (number, before) = (build.repository.number(), build.after.clone());
    let (repository, before) = handlers
        .summit
        .db
        .query(move |txn| {
            let before: Vec<Build> = before
                .iter()
                .filter_map(|id| tables.find_build(txn, *id).transpose())
                .collect::<Result<_, _>>()?;
            Ok::<_, StorageError>((tables.repositories.find(txn, &number)?, before))
        })
        .await
        .map_err(|error| ApiError::internal(&error))?;
    let log = log_end(&handlers, &build).await;
    let is_queued = build.state.stage() == Stage::Queued;
    let standstill = handlers.summit.standstill().remove(&build.profile);
    let standstill = standstill.filter(|_| is_queued);
    let body = html! {
        h1 { (label(&build)) " " (badge(&build)) }
        p { (build.explain()) }
        @if let Some(standstill) = standstill { (self::standstill(&build.profile, &standstill)) }
        @if let Some(conflict) = &build.conflict { p { (conflict) } }
        @if let Some(answer) = &build.answer { p { (answer) } }
        (facts(&build, repository.as_ref()))
        @if !before.is_empty() {
            h2 { "Comes after" }
            ul {
                @for other in &before {
                    li { a href=(format!("/builds/{}", other.id)) { (label(other)) } " " (badge(other)) }
                }
            }
        }
        (remarks(&build))
        @if let Some(log) = log {
            h2 { "The end of the log " a.small href=(format!("/builds/{}/log", build.id)) { "whole" } " "
                a.small href=(format!("/builds/{}/log?follow=1", build.id)) { "follow" } }
            pre { (log) }
        }
    };
    let refresh = if build.is_settled() {
        Refresh::Never
    } else {
        Refresh::Soon
    };
    Ok(page(&label(&build), refresh, &body))
}

fn facts(build: &Build, repository: Option<&Repository>) -> Markup {
    html! {
        dl {
            dt { "For" } dd { (target(&build.target, repository)) }
            dt { "Commit" } dd { code { (build.commit) } }
            dt { "Folder" } dd { code { (build.folder) } }
            dt { "Planned" } dd {
                (time(build.created_at))
                @if let Some(login) = &build.asked_by { ", asked for by " (login) }
            }
            @if let Some(release) = build.build_release { dt { "Build release" } dd { (release) } }
            @if let Some(refused) = &build.shown.refused { dt { "Check run" } dd {
                "GitHub does not take it since " (time(refused.since)) ": " (refused.reason)
                ". Tried " (refused.tries) " times; again at " (time(refused.next_at)) "."
            } }
            @if let Some(removed_at) = build.logs_removed_at { dt { "Logs" } dd {
                "removed at " (time(removed_at))
            } }
            @if build.has_logs() { dt { "Attempts" } dd {
                @for number in 1..=build.attempts {
                    a href=(format!("/attempts/{}/log", AttemptId::new(build.id, number))) { (number) } " "
                }
            } }
            @for loss in &build.losses {
                dt { "Lost" } dd { "attempt " (loss.attempt) " on " (loss.builder) ": " (loss.reason) }
            }
            @match &build.state {
                BuildState::Built(built) | BuildState::Publishing { built, .. } => {
                    @if build.keeps_assets() { dt { "Assets" } dd { ul.plain { @for asset in &built.assets {
                        li { a href=(asset.uri) { (asset.file_name) } " " span.quiet { (asset.size) " bytes" } }
                    } } } }
                }
                BuildState::Published { history, at } => {
                    dt { "History" } dd { code { (history) } }
                    dt { "Published" } dd { (time(*at)) }
                }
                BuildState::Held { by: Hold::Build { build, recipe }, .. } => {
                    dt { "Held by" } dd { a href=(format!("/builds/{build}")) { (recipe) } }
                }
                BuildState::Superseded { by: Some(by), .. } => {
                    dt { "Superseded by" } dd { a href=(format!("/builds/{by}")) { (by) } }
                }
                BuildState::Superseded { by: None, .. }
                | BuildState::Held { .. }
                | BuildState::Planned
                | BuildState::Waiting { .. }
                | BuildState::Queued { .. }
                | BuildState::Building { .. }
                | BuildState::Failed(_)
                | BuildState::Cancelled { .. } => {}
            }
        }
    }
}

fn remarks(build: &Build) -> Markup {
    let mut failed: &[Annotation] = &[];
    if let BuildState::Failed(failure) = &build.state {
        failed = &failure.annotations;
    }
    html! {
        @if !failed.is_empty() || !build.warnings.is_empty() {
            h2 { "Remarks on the recipe" }
            ul.plain {
                @for remark in failed.iter().chain(&build.warnings) {
                    li {
                        span class=(if remark.is_error { "badge bad" } else { "badge wait" }) { (remark.title) }
                        " " code { (remark.path) ":" (remark.line) } " " (remark.message)
                    }
                }
            }
        }
    }
}

async fn log_end(handlers: &Handlers, build: &Build) -> Option<String> {
    if !build.has_logs() {
        return None;
    }
    let end = handlers.summit.log_end(build, 60, 32 * 1024).await?;
    Some(end).filter(|end| !end.is_empty())
}

/// A recipe with its version and release, and with its build release where that is known.
fn label(build: &Build) -> String {
    match build.build_release {
        Some(number) if number > 1 => format!("{}, build {number}", build.label()),
        Some(_) | None => build.label(),
    }
}

/// Why no builder gets any build for a profile.
fn standstill(profile: &Architecture, standstill: &Standstill) -> Markup {
    html! {
        p { "Since " (time(standstill.since)) ", no builder gets a build for " (profile) ": "
            (standstill.reason) "." }
    }
}

fn target(target: &Target, repository: Option<&Repository>) -> String {
    match repository {
        Some(repository) => format!("{} {target}", repository.name),
        None => target.to_string(),
    }
}

fn badge(build: &Build) -> Markup {
    let class = match check_run::status(build) {
        Status::Queued => "badge wait",
        Status::InProgress => "badge busy",
        Status::Completed(Conclusion::Success) => "badge good",
        Status::Completed(Conclusion::Failure | Conclusion::ActionRequired) => "badge bad",
        Status::Completed(Conclusion::Skipped | Conclusion::Neutral | Conclusion::Cancelled) => {
            "badge"
        }
    };
    html! { span class=(class) { (build.state.name()) } }
}

fn time(at: jiff::Timestamp) -> Markup {
    let shown = at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    html! { time datetime=(at) { (shown) } }
}

/// Whether a page asks for itself again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refresh {
    /// What it shows will change.
    Soon,
    /// It is as it will stay.
    Never,
}

fn page(title: &str, refresh: Refresh, body: &Markup) -> Response {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · summit" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { a href="/" { "summit" } }
                main { (body) }
            }
        }
    };
    let mut answer = axum::response::Html(markup.into_string()).into_response();
    let headers = answer.headers_mut();
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
        ),
    );
    if refresh == Refresh::Soon {
        headers.insert(REFRESH, HeaderValue::from_static("3"));
    }
    answer
}

#[cfg(test)]
mod tests;
