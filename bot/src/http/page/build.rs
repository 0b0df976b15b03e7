//! The page of one build.

use api::id::{AttemptId, BuildId};
use axum::extract::{Path, State};
use axum::response::Response;
use maud::{Markup, html};
use service::ApiError;

use super::parts::{self, Refresh, badge, label, page, target, time};
use crate::domain::build::{Annotation, Build, Hold, Stage, State as BuildState};
use crate::domain::name::RepositoryName;
use crate::http::handlers::Handlers;
use crate::usecase::view::BuildView;

/// Shows a build's state, the reason for it, and the end of its log.
pub(super) async fn build(
    State(handlers): State<Handlers>,
    Path(build): Path<String>,
) -> Result<Response, ApiError> {
    let id: BuildId = build
        .parse()
        .map_err(|_| ApiError::not_found("such build"))?;
    let view = handlers.summit.view_build(id).await;
    let view = view.map_err(|error| ApiError::internal(&error))?;
    let Some(BuildView {
        build,
        repository,
        before,
    }) = view
    else {
        return Err(ApiError::not_found(format!("build {id}")));
    };
    let log = log_end(&handlers, &build).await;
    let is_queued = build.state.stage() == Stage::Queued;
    let standstill = handlers.summit.standstill().remove(&build.profile);
    let standstill = standstill.filter(|_| is_queued);
    let body = html! {
        h1 { (label(&build)) " " (badge(&build)) }
        p { (build.explain_beside_remarks()) }
        @if let Some(standstill) = standstill { (parts::standstill(&build.profile, &standstill)) }
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

fn facts(build: &Build, repository: Option<&RepositoryName>) -> Markup {
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
                "GitHub has refused it since " (time(refused.since)) ": " (refused.reason)
                ". Tries: " (refused.tries) "; next try at " (time(refused.next_at)) "."
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::build::Refused;
    use crate::domain::build::example::{at, every_state};

    /// How people see a refused check run and removed logs.
    #[test]
    fn a_build_says_what_is_refused_and_removed() {
        let (_, mut build) = every_state().pop().unwrap();
        build.attempts = 2;
        assert!(facts(&build, None).into_string().contains("/log"));
        build.logs_removed_at = Some(at(7));
        build.shown.refused = Some(Refused::again(None, "<gone>".to_owned(), 1, at(3)));
        insta::assert_snapshot!(facts(&build, None).into_string());
    }
}
