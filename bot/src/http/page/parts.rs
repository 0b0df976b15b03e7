//! Parts that several pages share.

use api::id::Architecture;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, REFRESH};
use axum::response::{IntoResponse as _, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::domain::build::{Build, Target};
use crate::domain::check_run::{Conclusion, Status, of_build};
use crate::domain::name::RepositoryName;
use crate::usecase::{RETRY, Standstill};

/// The styles of all pages: dark mode, no scripts, no fonts from elsewhere.
const STYLE: &str = include_str!("../page.css");

/// A recipe with its version, release and, if known, build release.
pub(super) fn label(build: &Build) -> String {
    match build.build_release {
        Some(number) if number > 1 => format!("{}, build {number}", build.label()),
        Some(_) | None => build.label(),
    }
}

/// Why no builder gets any build for a profile.
pub(super) fn standstill(profile: &Architecture, standstill: &Standstill) -> Markup {
    html! {
        p { "Since " (time(standstill.since)) ", no builder gets a build for " (profile) ": "
            (standstill.reason) ". summit tries again every " (RETRY.as_secs()) " seconds." }
    }
}

/// Why nothing goes on that needs GitHub.
pub(super) fn suspension(suspension: &Standstill) -> Markup {
    html! {
        p { "Nothing goes on since " (time(suspension.since)) ". " (suspension.reason)
            ". summit goes on by itself then." }
    }
}

pub(super) fn target(target: &Target, repository: Option<&RepositoryName>) -> String {
    match repository {
        Some(repository) => format!("{repository} {target}"),
        None => target.to_string(),
    }
}

pub(super) fn badge(build: &Build) -> Markup {
    let class = match of_build::status(build) {
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

pub(super) fn time(at: jiff::Timestamp) -> Markup {
    let shown = at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    html! { time datetime=(at) { (shown) } }
}

/// Whether a page reloads itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refresh {
    /// The page reloads, because the content will change.
    Soon,
    /// The content is final.
    Never,
}

pub(super) fn page(title: &str, refresh: Refresh, body: &Markup) -> Response {
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
