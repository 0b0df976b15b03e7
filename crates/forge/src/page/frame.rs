//! What all pages have around them.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use maud::{DOCTYPE, Markup, html};

use crate::page::door::Visitor;
use crate::page::form::form;
use crate::page::look::Place;
use crate::page::refusal::Refusal;
use crate::page::text::plain;

/// Where the style is.
pub(crate) const STYLE_PATH: &str = "/-/style.css";
const STYLE: &str = include_str!("style.css");
/// Where the picture in the browser's tab is.
pub(crate) const ICON_PATH: &str = "/-/icon.svg";
const ICON: &str = include_str!("icon.svg");

/// A page: its name, where it stands, and what is on it.
pub(crate) struct Page<'page> {
    pub(crate) visitor: &'page Visitor,
    /// The words in the browser's tab.
    pub(crate) title: &'page str,
    /// The repository that it belongs to, with the tab that is open.
    pub(crate) place: Option<(&'page Place, Tab)>,
    pub(crate) body: Markup,
}

/// The tabs of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    Code,
    Commits,
    Branches,
    Pulls,
}

impl Page<'_> {
    /// The whole page.
    pub(crate) fn show(&self) -> Response {
        respond(StatusCode::OK, self.write())
    }

    fn write(&self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (plain(self.title)) }
                    link rel="stylesheet" href=(STYLE_PATH);
                    link rel="icon" href=(ICON_PATH) type="image/svg+xml";
                }
                body {
                    (bar(self.visitor))
                    @if let Some((place, tab)) = self.place { (repository(self.visitor, place, tab)) }
                    main { (self.body) }
                }
            }
        }
    }
}

/// The bar at the top: home, and who is signed in.
fn bar(visitor: &Visitor) -> Markup {
    html! {
        header.bar {
            a.home href="/" { "Forge" }
            nav {
                @match &visitor.person {
                    Some(person) => {
                        span.who { "Signed in as " strong { (plain(&person.login)) } }
                        a href="/-/tokens" { "Tokens" }
                        @if visitor.form_number.is_some() {
                            (form(visitor, "/-/sign-out", "inline", &html! {
                                button.link type="submit" { "Sign out" }
                            }))
                        }
                    }
                    None => { a href=(visitor.sign_in()) { "Sign in" } }
                }
            }
        }
    }
}

fn repository(visitor: &Visitor, place: &Place, open: Tab) -> Markup {
    let at = |end: &str| format!("/{}{end}", place.name);
    let tabs = [
        (Tab::Code, at(""), "Code"),
        (Tab::Commits, at("/commits"), "Commits"),
        (Tab::Branches, at("/branches"), "Branches"),
        (Tab::Pulls, at("/pulls"), "Pull requests"),
    ];
    let (owner, name) = place.name.split_once('/').unwrap_or(("", &place.name));
    html! {
        div.repository {
            div.title {
                p.name {
                    span.dim { (owner) " / " } a href=(at("")) { (name) }
                    @if let Some(parent) = &place.parent {
                        span.dim.small { " forked from " a href=(format!("/{parent}")) { (parent) } }
                    }
                }
                @if place.may_fork && visitor.form_number.is_some() {
                    (form(visitor, &at("/fork"), "inline", &html! {
                        button type="submit" { "Fork" }
                    }))
                }
            }
            nav.tabs {
                @for (tab, target, words) in tabs {
                    a href=(target) aria-current=[(tab == open).then_some("page")] {
                        (words)
                        @if tab == Tab::Pulls && place.open_pulls > 0 {
                            " " span.count { (place.open_pulls) }
                        }
                    }
                }
            }
        }
    }
}

/// A page that says what was not done.
pub(crate) fn refusal(visitor: &Visitor, refusal: &Refusal) -> Response {
    let mut visitor = visitor.clone();
    // Whoever signs in after a form was refused comes back to something that can be looked at.
    if refusal.status == StatusCode::UNAUTHORIZED || !visitor.here.starts_with('/') {
        visitor.here = "/".to_owned();
    }
    let page = Page {
        visitor: &visitor,
        title: refusal.title,
        place: None,
        body: html! {
            section.refusal {
                h1 { (refusal.title) }
                p { (plain(&refusal.what)) }
                @if let Some(advice) = &refusal.advice { p { (plain(advice)) } }
                p { a href="/" { "To the overview" } }
            }
        },
    };
    respond(refusal.status, page.write())
}

fn respond(status: StatusCode, page: Markup) -> Response {
    let mut response = (status, page.into_string()).into_response();
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    response
}

/// `GET /-/style.css`
pub(crate) async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, STYLE).into_response()
}

/// `GET /-/icon.svg`
pub(crate) async fn icon() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, ICON).into_response()
}

/// Lines in a fixed face, in a box that scrolls by itself.
pub(crate) fn block(text: &str) -> Markup {
    html! { pre { (plain(text)) } }
}

/// An element's name for links within a page.
pub(crate) fn anchor(kind: &str, id: impl std::fmt::Display) -> String {
    format!("{kind}-{id}")
}
