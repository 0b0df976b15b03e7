//! Check runs: lists of them, all that one says, and their buttons.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Redirect;
use jiff::Timestamp;
use maud::{Markup, html};

use crate::forge::{Forge, Shared};
use crate::id::{CheckRunId, CheckSuiteId};
use crate::name::Sha;
use crate::page::door::{Actor, Visitor};
use crate::page::form::{Fields, form};
use crate::page::look::{self, Place, Verdict};
use crate::page::refusal::Refusal;
use crate::page::text::{address, is_web, plain, time};
use crate::page::{frame, markdown};
use crate::rights::Deed;
use crate::state::check_run::{Annotation, AnnotationLevel, CheckRun, Conclusion, Status};

/// Each run on a line that leads to all it says.
pub(crate) fn list(place: &Place, runs: &[CheckRun]) -> Markup {
    html! {
        ul.runs {
            @for run in runs {
                li {
                    (badge(run))
                    a.strong href=(target(place, run)) { (plain(&run.name)) }
                    @if let Some(title) = &run.output.title { span.dim { (plain(title)) } }
                }
            }
        }
    }
}

fn target(place: &Place, run: &CheckRun) -> String {
    let anchor = frame::anchor("check-run", run.id);
    format!("/{}/commit/{}/checks#{anchor}", place.name, run.head_sha)
}

/// All that the runs of a commit say, with their buttons.
pub(crate) fn details(
    visitor: &Visitor,
    place: &Place,
    runs: &[CheckRun],
    now: Timestamp,
) -> Markup {
    let may_press = place.may_press && visitor.form_number.is_some();
    html! {
        @if runs.is_empty() { p.dim { "None yet." } }
        @for run in runs { (detail(visitor, place, run, now)) }
        @if let Some(run) = runs.first().filter(|_| may_press) {
            (form(visitor, &format!("/{}/check-suites/{}/rerun", place.name, run.suite), "inline", &html! {
                button type="submit" { "Re-run all checks" }
            }))
        }
        @if !runs.is_empty() && !may_press {
            @if visitor.person.is_some() {
                p.dim { "Pressing the buttons of checks needs the role write in this repository." }
            } @else {
                p.dim { a href=(visitor.sign_in()) { "Sign in" } " to press the buttons of checks." }
            }
        }
    }
}

fn detail(visitor: &Visitor, place: &Place, run: &CheckRun, now: Timestamp) -> Markup {
    html! {
        section.run id=(frame::anchor("check-run", run.id)) {
            h3 { (badge(run)) (plain(&run.name)) }
            p.dim.small {
                "began " (time(now, run.started_at))
                @if let Some(at) = run.status.completed_at() { ", ended " (time(now, at)) }
                @if let Some(url) = run.details_url.as_ref().filter(|url| is_web(url)) {
                    " · " a rel="noreferrer" href=(url) { "Details" }
                }
            }
            @if let Some(title) = &run.output.title { p { strong { (plain(title)) } } }
            @for text in [&run.output.summary, &run.output.text].into_iter().flatten() {
                (markdown::render(text))
            }
            @if !run.annotations.is_empty() {
                ul.annotations {
                    @for annotation in &run.annotations { li { (annotated(place, &run.head_sha, annotation)) } }
                }
            }
            (buttons(visitor, place, run))
        }
    }
}

/// The buttons of a run that has ended, for those who may press them.
fn buttons(visitor: &Visitor, place: &Place, run: &CheckRun) -> Markup {
    let is_over = run.status.conclusion().is_some();
    let at = format!("/{}/check-runs/{}", place.name, run.id);
    html! {
        @if is_over && place.may_press && visitor.form_number.is_some() {
            div.buttons {
                (form(visitor, &format!("{at}/rerun"), "inline", &html! {
                    button type="submit" { "Re-run" }
                }))
                @for action in &run.actions {
                    (form(visitor, &format!("{at}/action"), "inline", &html! {
                        input type="hidden" name="identifier" value=(action.identifier);
                        button type="submit" title=(plain(&action.description)) { (plain(&action.label)) }
                    }))
                }
            }
            @if !run.actions.is_empty() {
                ul.dim.small.what {
                    @for action in &run.actions {
                        li { strong { (plain(&action.label)) } ": " (plain(&action.description)) }
                    }
                }
            }
        }
    }
}

fn annotated(place: &Place, sha: &Sha, annotation: &Annotation) -> Markup {
    let line = annotation.start_line;
    let target = format!(
        "/{}/blob/{sha}/{}#L{line}",
        place.name,
        address(&annotation.path)
    );
    html! {
        a href=(target) { code { (plain(&annotation.path)) ":" (line) } }
        (remark_body(annotation))
    }
}

/// What a run says of a line, below the line.
pub(crate) fn remark(run: &str, annotation: &Annotation) -> Markup {
    html! {
        span.dim.small { (plain(run)) }
        (remark_body(annotation))
    }
}

fn remark_body(annotation: &Annotation) -> Markup {
    let (class, level) = match annotation.annotation_level {
        AnnotationLevel::Notice => ("wait", "notice"),
        AnnotationLevel::Warning => ("busy", "warning"),
        AnnotationLevel::Failure => ("bad", "failure"),
    };
    html! {
        " " span.badge.(class) { (level) }
        @if let Some(title) = &annotation.title { " " strong { (plain(title)) } }
        p.message { (plain(&annotation.message)) }
        @if let Some(details) = &annotation.raw_details { (frame::block(details)) }
    }
}

fn badge(run: &CheckRun) -> Markup {
    let (class, word) = match run.status {
        Status::Queued => ("wait", "queued"),
        Status::InProgress => ("busy", "in progress"),
        Status::Completed { conclusion, .. } => match conclusion {
            Conclusion::Success => ("good", "success"),
            Conclusion::Failure => ("bad", "failure"),
            Conclusion::TimedOut => ("bad", "timed out"),
            Conclusion::ActionRequired => ("busy", "action required"),
            Conclusion::Cancelled => ("wait", "cancelled"),
            Conclusion::Skipped => ("wait", "skipped"),
            Conclusion::Stale => ("wait", "stale"),
            Conclusion::Neutral => ("wait", "neutral"),
        },
    };
    html! { span.badge.(class) { (word) } " " }
}

/// How all runs of a commit stand, in a word.
pub(crate) fn verdict(verdict: Verdict) -> Markup {
    let (class, word) = match verdict {
        Verdict::Good => ("added", "✓ checks passed"),
        Verdict::Open => ("waiting", "● checks open"),
        Verdict::Bad => ("removed", "✗ checks failed"),
    };
    html! { span class=(class) { (word) } }
}

/// A run that the person may press the buttons of, and the page that shows it.
fn enter(
    shared: &Shared,
    visitor: &Visitor,
    actor: &Actor,
    at: (&str, &str),
    find: impl Fn(&crate::state::State, &Place) -> Option<Sha>,
) -> Result<String, Refusal> {
    let place = look::permit(shared, visitor, actor, at, Deed::Press)?;
    let sha = find(&shared.lock(), &place).ok_or_else(Refusal::missing)?;
    Ok(format!("/{}/commit/{sha}/checks", place.name))
}

/// The commit of a check run, if it is one of this repository.
fn commit_of(id: CheckRunId) -> impl Fn(&crate::state::State, &Place) -> Option<Sha> {
    move |state, place| {
        let run = state.check_runs.get(&id)?;
        (run.repository == place.id).then(|| run.head_sha.clone())
    }
}

/// `POST /{owner}/{repo}/check-runs/{id}/rerun`
pub(crate) async fn rerun(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    actor: Actor,
    Path((owner, name, id)): Path<(String, String, CheckRunId)>,
    _fields: Fields,
) -> Result<Redirect, Refusal> {
    let back = enter(&shared, &visitor, &actor, (&owner, &name), commit_of(id))?;
    Forge { shared }.rerun(id, &actor.person.login)?;
    Ok(Redirect::to(&back))
}

/// `POST /{owner}/{repo}/check-runs/{id}/action`
pub(crate) async fn press(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    actor: Actor,
    Path((owner, name, id)): Path<(String, String, CheckRunId)>,
    fields: Fields,
) -> Result<Redirect, Refusal> {
    let identifier = fields.text("identifier")?;
    let back = enter(&shared, &visitor, &actor, (&owner, &name), commit_of(id))?;
    Forge { shared }.request_action(id, &actor.person.login, &identifier)?;
    Ok(Redirect::to(&back))
}

/// `POST /{owner}/{repo}/check-suites/{id}/rerun`
pub(crate) async fn rerun_suite(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    actor: Actor,
    Path((owner, name, id)): Path<(String, String, CheckSuiteId)>,
    _fields: Fields,
) -> Result<Redirect, Refusal> {
    let back = enter(
        &shared,
        &visitor,
        &actor,
        (&owner, &name),
        |state, place| {
            let suite = state.suites.get(&id)?;
            (suite.repository == place.id).then(|| suite.head_sha.clone())
        },
    )?;
    Forge { shared }
        .rerun_suite(id, &actor.person.login)
        .await?;
    Ok(Redirect::to(&back))
}
